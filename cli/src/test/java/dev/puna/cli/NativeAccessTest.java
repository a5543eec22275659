package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** A JVM that forbids native code, or has no Vector API: another tier serves, or says why it cannot. */
final class NativeAccessTest {
    private static final String VECTOR = "--add-modules=jdk.incubator.vector";
    private static final String DENY = "--illegal-native-access=deny";

    @TempDir
    static Path directory;

    private static String model = "";

    @BeforeAll
    static void writeModel() throws IOException {
        Path file = directory.resolve("tiny.gguf");
        Rehearsal.writeTinyModel(file);
        model = file.toString();
    }

    /** The program in a JVM of its own. */
    private static Session child(List<String> options, String... words) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-XX:+UseSerialGC");
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.puna.cli.Main"));
        command.addAll(List.of(words));
        Path out = Files.createTempFile(directory, "out", "");
        Path err = Files.createTempFile(directory, "err", "");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().remove("PUNA_KERNELS");
        Process process = builder.start();
        try {
            assertThat(process.waitFor(4, TimeUnit.MINUTES)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        return new Session(
                process.exitValue(),
                Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8));
    }

    private static String ids(Session session) {
        assertThat(session.status()).as(session.err()).isZero();
        return JsonMapper.shared().readTree(session.out()).get("ids").toString();
    }

    @Test
    void withoutNativeAccessTheVectorTierServes() throws Exception {
        String[] run = {"run", model, "-p", "Hello", "-n", "12", "-t", "0", "--ignore-end", "--json"};
        assertThat(child(List.of(VECTOR, DENY), "--tier").out().strip()).isEqualTo("vector");
        String denied = ids(child(List.of(VECTOR, DENY), run));
        assertThat(denied).startsWith("[").contains(",");
        String[] onVectors =
                Stream.concat(Stream.of(run), Stream.of("--kernels", "vector")).toArray(String[]::new);
        assertThat(ids(child(List.of(VECTOR, "--enable-native-access=ALL-UNNAMED"), onVectors)))
                .as("the same answer as where native code may run and the tier is chosen by name")
                .isEqualTo(denied);
    }

    @Test
    void aTierThatWasAskedForByNameSaysWhyItCannot() throws Exception {
        for (String tier : List.of("x86", "x86-avx2")) {
            Session session = child(List.of(VECTOR, DENY), "run", model, "-p", "Hello", "--kernels", tier);
            assertThat(session.status()).isEqualTo(2);
            assertThat(session.err())
                    .contains("kernels=" + tier + ": native access is denied", "--enable-native-access");
        }
        Session session = child(List.of(), "run", model, "-p", "Hello", "--kernels", "vector");
        assertThat(session.status()).isEqualTo(2);
        assertThat(session.err()).contains("kernels=vector: the module jdk.incubator.vector is not there");
    }
}
