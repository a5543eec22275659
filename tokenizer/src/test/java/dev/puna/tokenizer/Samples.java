package dev.puna.tokenizer;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Real files that belong to others, beside the checkout; tests that need one are skipped where it is missing. */
final class Samples {
    private Samples() {}

    static Path tokenizer(String name) {
        Path file = find("tokenizers/" + name);
        assumeTrue(file != null, "skipped: shared/samples/tokenizers/" + name + " is not beside the checkout");
        return file;
    }

    static @Nullable Path find(String name) {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            Path file = folder.resolve("shared/samples").resolve(name);
            if (Files.exists(file)) {
                return file;
            }
        }
        return null;
    }
}
