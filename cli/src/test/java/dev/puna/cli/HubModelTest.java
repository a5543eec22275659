package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.formats.hub.FakeHub;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code owner/name} on the command line, as a process of its own whose environment names a hub on this machine. */
final class HubModelTest {
    private static final List<String> RUN =
            List.of("run", "meta/tiny", "-p", "Hello", "-n", "8", "-t", "0", "--ignore-end", "--quiet");

    @TempDir
    static Path directory;

    private static Path model;
    private static String expected;

    @BeforeAll
    static void writeModel() throws IOException {
        Path tiny = directory.resolve("tiny.gguf");
        Rehearsal.writeTinyModel(tiny);
        model = directory.resolve("hf");
        assertThat(Session.of("convert", tiny.toString(), model.toString(), "--to", "hf")
                        .status())
                .isZero();
        List<String> local = new ArrayList<>(RUN);
        local.set(1, model.toString());
        expected = Session.of(local.toArray(String[]::new)).out();
        assertThat(expected).isNotBlank();
    }

    private static Session process(Map<String, String> environment, List<String> words)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        command.addAll(words);
        Path out = Files.createTempFile(directory, "out", "");
        Path err = Files.createTempFile(directory, "err", "");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("HF_"));
        builder.environment().putAll(environment);
        int status = builder.start().waitFor();
        return new Session(
                status, Files.readString(out, StandardCharsets.UTF_8), Files.readString(err, StandardCharsets.UTF_8));
    }

    @Test
    void aModelOfTheHubIsFetchedThroughACutConnectionAndRunsOfflineAfterwards() throws Exception {
        Path home = directory.resolve("home");
        try (FakeHub hub = new FakeHub()) {
            try (var files = Files.list(model)) {
                for (Path file : files.toList()) {
                    hub.files.put(file.getFileName().toString(), Files.readAllBytes(file));
                }
            }
            hub.cuts.add(1_500);
            Map<String, String> online = Map.of("HF_ENDPOINT", hub.endpoint().toString(), "HF_HOME", home.toString());
            Session fetched = process(online, RUN);
            assertThat(fetched.err()).doesNotContain("puna: ");
            assertThat(fetched.out()).isEqualTo(expected);
            assertThat(fetched.status()).isZero();
            assertThat(hub.seen).anyMatch(request -> request.range().isPresent());

            Session unknown = process(online, List.of("run", "meta/other", "-p", "Hello"));
            assertThat(unknown.status()).isEqualTo(Program.FAILED);
            assertThat(unknown.err()).contains("meta/other");
        }
        Session offline = process(Map.of("HF_HOME", home.toString(), "HF_HUB_OFFLINE", "1"), RUN);
        assertThat(offline.out()).isEqualTo(expected);
        assertThat(offline.status()).isZero();
    }
}
