package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plots come out where no window could be opened, also when DISPLAY names a server that is gone. */
final class NoDisplayTest {
    @TempDir
    Path folder;

    @Test
    void plotsNeedNoWindows() throws IOException, InterruptedException {
        Path recipe = Files.writeString(folder.resolve("recipe.yaml"), "name: few\nsource: {kind: jsonl}\n");
        Path documents = Files.writeString(folder.resolve("few.jsonl"), "{\"text\":\"some words\"}\n");
        Path out = folder.resolve("out");
        ProcessBuilder builder = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.puna.cli.Main",
                        "data",
                        "prepare",
                        recipe.toString(),
                        documents.toString(),
                        "--out",
                        out.toString()))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile());
        builder.environment().put("DISPLAY", ":12345");
        Process process = builder.start();
        try {
            assertThat(process.waitFor(4, TimeUnit.MINUTES)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue())
                .as(Files.readString(folder.resolve("log")))
                .isZero();
        assertThat(out.resolve("report.png")).isNotEmptyFile();
    }
}
