package dev.puna.data;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** The real inputs beside the project; tests that need one are skipped where they are missing. */
public final class Samples {
    private Samples() {}

    /** The file or folder {@code name} in {@code shared/samples}. */
    public static Path of(String name) {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            Path candidate = at.resolve("shared").resolve("samples").resolve(name);
            if (Files.exists(candidate)) {
                return candidate;
            }
        }
        assumeTrue(false, "no ../shared/samples/" + name + " beside the project");
        throw new AssertionError();
    }

    /** The sources of the JDK that runs this test. */
    public static Path jdkSources() {
        Path zip = Path.of(System.getProperty("java.home"), "lib", "src.zip");
        assumeTrue(Files.exists(zip), "this JDK has no lib/src.zip");
        return zip;
    }
}
