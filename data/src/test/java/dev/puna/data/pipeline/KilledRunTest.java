package dev.puna.data.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Document;
import dev.puna.data.JsonlWriter;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Another program runs a recipe and is killed without warning (SIGKILL), again and again; then it is left in peace. */
class KilledRunTest {
    @TempDir
    Path folder;

    /** What the other program does. */
    public static void main(String[] args) throws IOException {
        Recipe recipe = Recipe.read(Path.of(args[0]));
        new CorpusPreparation(recipe, Path.of(args[1]), 2, Progress.NONE).run();
    }

    private Path recipe() throws IOException {
        for (int f = 0; f < 8; f++) {
            try (JsonlWriter writer = new JsonlWriter(folder.resolve("in/part" + f + ".jsonl.gz"))) {
                for (int i = 0; i < 1500; i++) {
                    String number = Integer.toString((i % 10 == 3 ? i : f * 1500 + i) * 7919 + 99, 36)
                            .replaceAll("[0-9]", "z"); // digits are all the same to the hash of a line
                    String text = "The document with the number " + number + " says that it is for the people.\n"
                            + ("line " + number + " of the text and its words ").repeat(10) + "\nthe same line";
                    writer.accept(new Document(f + "-" + i, text, "s", Map.of()));
                }
            }
        }
        Path file = folder.resolve("recipe.yaml");
        Files.writeString(file, """
                name: killed
                source: {kind: jsonl, name: s}
                inputs: ["in/*.jsonl.gz"]
                memory: 256KB
                stages:
                  - {kind: exact-dedup}
                  - {kind: line-dedup}
                  - {kind: minhash}
                held_out: {one_in: 20}
                tokens: {train: byte-level, size: 400}
                """);
        return file;
    }

    private static Process start(Path recipe, Path out) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        KilledRunTest.class.getName(),
                        recipe.toString(),
                        out.toString())
                .redirectErrorStream(true)
                .redirectOutput(out.resolveSibling(out.getFileName() + ".log").toFile())
                .start();
    }

    private static long files(Path out) throws IOException {
        if (!Files.exists(out)) {
            return 0;
        }
        try (Stream<Path> walk = Files.walk(out)) {
            return walk.filter(
                            p -> p.toString().endsWith(".json") || p.toString().endsWith(".counts"))
                    .count();
        } catch (java.io.UncheckedIOException e) {
            return 0; // something went away while we looked
        }
    }

    /** Every file of a finished run and what it holds. */
    private static Map<String, List<Integer>> content(Path out) throws IOException {
        Map<String, List<Integer>> content = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(out)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                if (!file.toString().endsWith(".png")) {
                    byte[] bytes = Files.readAllBytes(file);
                    content.put(
                            out.relativize(file).toString().replace(File.separatorChar, '/'),
                            List.of(bytes.length, java.util.Arrays.hashCode(bytes)));
                }
            }
        }
        return content;
    }

    @Test
    void nothingIsDoubleAndNothingIsLost() throws IOException, InterruptedException {
        Path recipe = recipe();
        Path whole = folder.resolve("whole");
        main(new String[] {recipe.toString(), whole.toString()});
        Path out = folder.resolve("killed");
        int kills = 0;
        for (long progress = 3; ; progress = files(out) + 5) {
            Process process = start(recipe, out);
            while (process.isAlive() && files(out) < progress) {
                process.waitFor(5, TimeUnit.MILLISECONDS);
            }
            if (!process.isAlive()) {
                assertThat(process.exitValue())
                        .describedAs(Files.readString(folder.resolve("killed.log")))
                        .isZero();
                break;
            }
            process.destroyForcibly();
            process.waitFor();
            Files.createFile(out.resolve(".report.txt.12345678.incomplete")); // as a kill while it is written leaves it
            kills++;
        }
        assertThat(kills).isGreaterThanOrEqualTo(3);
        assertThat(Files.size(whole.resolve("tokens/train.bin"))).isGreaterThan(100_000);
        assertThat(content(out)).isEqualTo(content(whole));
    }
}
