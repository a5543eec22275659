package dev.puna.data.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.JsonlReader;
import dev.puna.data.JsonlWriter;
import dev.puna.data.ReadReport;
import dev.puna.data.Samples;
import dev.puna.data.source.Split;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PipelineTest {
    @TempDir
    Path folder;

    private Recipe recipe() throws IOException {
        for (int f = 0; f < 6; f++) {
            try (JsonlWriter writer = new JsonlWriter(folder.resolve("in/part" + f + ".jsonl.gz"))) {
                for (int i = 0; i < 100; i++) {
                    String own = "Line " + Character.toString('a' + f) + Character.toString('a' + i / 26)
                            + Character.toString('a' + i % 26) + " has words of its own and the rest.";
                    String text = i % 10 == 3 ? "the same text" : "menu\n" + own;
                    writer.accept(new Document(f + "-" + i, text, "s", Map.of("url", "http://x/" + i)));
                }
            }
        }
        Files.writeString(folder.resolve("in/part2.jsonl.gz"), "\u001f\u008b not gzip");
        byte[] head = {0x1f, (byte) 0x8b, 8, 0, 0, 0};
        Files.write(folder.resolve("in/part2.jsonl.gz"), head);
        Path file = folder.resolve("recipe.yaml");
        Files.writeString(file, """
                name: test
                source: {kind: jsonl, name: s}
                inputs: ["in/*.jsonl.gz"]
                memory: 1MB
                stages:
                  - {kind: pii-mask}
                  - {kind: exact-dedup}
                  - {kind: line-dedup}
                  - {kind: gopher-quality, min_words: 5, min_stop_words: 1}
                """);
        return Recipe.read(file);
    }

    private static Map<String, String> content(Path out) throws IOException {
        Map<String, String> texts = new TreeMap<>();
        try (var files = Files.list(out.resolve("documents"))) {
            for (Path file :
                    files.filter(p -> p.toString().endsWith(".zst")).sorted().toList()) {
                try (JsonlReader reader = new JsonlReader(file, new ReadReport())) {
                    for (Document d = reader.next(); d != null; d = reader.next()) {
                        texts.put(d.id(), file.getFileName() + d.text());
                    }
                }
            }
        }
        return texts;
    }

    @Test
    void runsCountsAndReports() throws IOException {
        Path out = folder.resolve("out");
        PipelineReport report = new Pipeline(recipe(), out, 2, Progress.NONE).run();
        assertThat(report.documents()).isEqualTo(500);
        assertThat(report.brokenFiles()).hasSize(1).first().asString().contains("part2");
        assertThat(report.exitStatus()).isEqualTo(1);
        assertThat(report.stages())
                .extracting(s -> s.name())
                .containsExactly("pii-mask", "exact-dedup", "line-dedup", "gopher-quality");
        assertThat(report.stages().get(1).dropped()).containsEntry("text seen before", 49L);
        long previous = 500;
        for (var stage : report.stages()) {
            assertThat(stage.in()).isEqualTo(previous);
            assertThat(stage.in() - stage.out())
                    .isEqualTo(
                            stage.dropped().values().stream().mapToLong(n -> n).sum());
            previous = stage.out();
        }
        assertThat(content(out)).hasSize((int) previous).hasSizeGreaterThan(300);
        assertThat(content(out).values()).noneMatch(t -> t.contains("menu"));
        assertThat(Files.readString(out.resolve("report.txt")))
                .contains("line-dedup")
                .contains("broken file");
        assertThat(Files.size(out.resolve("report.png"))).isGreaterThan(5_000);
        assertThat(Pipeline.show(out, "exact-dedup"))
                .contains("text seen before (")
                .contains("the same text");
    }

    @Test
    void aKilledRunGoesOnAndTheResultIsTheSameForAnyNumberOfThreads() throws IOException {
        Recipe recipe = recipe();
        new Pipeline(recipe, folder.resolve("whole"), 3, Progress.NONE).run();
        Map<String, String> expected = content(folder.resolve("whole"));
        for (int killAt : new int[] {1, 120, 480, 700, 900, 1300, 1700}) {
            Path out = folder.resolve("killed" + killAt);
            AtomicInteger updates = new AtomicInteger();
            Progress killer = (pass, part, passes, done, total, documents) -> {
                if (updates.incrementAndGet() == killAt) {
                    throw new IllegalStateException("killed");
                }
            };
            try {
                new Pipeline(recipe, out, 2, killer).run();
            } catch (IllegalStateException e) {
                assertThat(e).hasMessage("killed");
            }
            PipelineReport report = new Pipeline(recipe, out, 1, Progress.NONE).run();
            assertThat(content(out)).isEqualTo(expected);
            assertThat(report.documents()).isEqualTo(500);
            List<Path> left = new ArrayList<>();
            try (var walk = Files.walk(out)) {
                walk.filter(p -> p.toString().endsWith(".partial")).forEach(left::add);
            }
            assertThat(left).isEmpty();
            AtomicInteger read = new AtomicInteger();
            PipelineReport again = new Pipeline(recipe, out, 1, (a, b, c, d, e, f) -> read.incrementAndGet()).run();
            assertThat(read.get()).isZero();
            assertThat(again.table()).isEqualTo(report.table());
        }
    }

    @Test
    void mistakesAreNamed() throws IOException {
        Recipe recipe = recipe();
        Path file = folder.resolve("bad.yaml");
        Files.writeString(file, "source: {kind: jsonl}\ninputs: [nothing]\n");
        assertThatThrownBy(() -> Recipe.read(file))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("inputs");
        Files.writeString(file, "source: {kind: gopherspace}\ninputs: ['in/*']\n");
        assertThatThrownBy(() -> Recipe.read(file)).hasMessageContaining("source.kind=gopherspace");
        Files.writeString(file, "source: {kind: jsonl}\ninputs: ['in/*']\nstages: [{kind: magic}]\n");
        Recipe unknown = Recipe.read(file);
        assertThatThrownBy(() -> new Pipeline(unknown, folder.resolve("o"), 1, Progress.NONE).run())
                .hasMessageContaining("stages.kind=magic");
        new Pipeline(recipe, folder.resolve("used"), 1, Progress.NONE).run();
        Files.writeString(file, "source: {kind: jsonl}\ninputs: ['in/*']\n");
        assertThatThrownBy(() -> new Pipeline(Recipe.read(file), folder.resolve("used"), 1, Progress.NONE).run())
                .hasMessageContaining("another recipe");
    }

    @Test
    void everyShippedRecipeIsUnderstood() throws IOException {
        Path recipes = null;
        for (Path at = Path.of("").toAbsolutePath(); at != null && recipes == null; at = at.getParent()) {
            recipes = Files.exists(at.resolve("recipes/data/c4.yaml")) ? at.resolve("recipes/data") : null;
        }
        Path empty = Files.writeString(folder.resolve("empty.jsonl"), "");
        int checked = 0;
        try (var files = Files.list(recipes)) {
            for (Path file : files.filter(p -> !p.toString().contains("mixture"))
                    .sorted()
                    .toList()) {
                Recipe recipe = Recipe.read(file, List.of(empty));
                for (var stage : recipe.stages()) {
                    assertThat(Stage.of(stage, recipe).name()).isIn(Stage.KINDS);
                }
                checked++;
            }
        }
        assertThat(checked).isGreaterThanOrEqualTo(8);
    }

    @Test
    void twoEditionsOfABookBecomeOne() throws IOException {
        Path books = Samples.of("books");
        Path file = folder.resolve("books.yaml");
        Files.writeString(file, "name: books\nsource: {kind: books}\nstages: [{kind: book-dedup}]\n");
        Recipe recipe = Recipe.read(file, List.of(books));
        PipelineReport report = new Pipeline(recipe, folder.resolve("books"), 2, Progress.NONE).run();
        assertThat(report.documents()).isEqualTo(3);
        assertThat(report.stages().getFirst().out()).isEqualTo(2);
        assertThat(report.exitStatus()).isZero();
    }

    @Test
    void settingsThatAreNoneAreRefused() throws IOException {
        Files.writeString(folder.resolve("in.jsonl"), "{\"text\":\"x\"}\n");
        record Case(String yaml, String field) {}
        for (Case c : List.of(
                new Case("source: {kind: jsonl}\nstages: [{kind: minhash, band: 20}]", "minhash.band"),
                new Case("source: {kind: jsonl}\nstages: [{kind: minhash, bands: 0}]", "minhash.bands"),
                new Case("source: {kind: jsonl}\nstages: [{kind: line-dedup, at_least: two}]", "line-dedup.at_least"),
                new Case("source: {kind: jsonl}\nstages: [{kind: language, keep: en}]", "language.keep"),
                new Case("source: {kind: commoncrawl, min_char: 3}", "source.min_char"),
                new Case("source: {kind: github, licences: permisive}", "source.licences"),
                new Case("source: {kind: arxiv, mode: exact}", "mode"),
                new Case("source: {kind: jsonl}\nheld_out: {one_in: many}", "held_out.one_in"),
                new Case("source: {kind: jsonl}\ntokens: {train: byte-level, sizes: 300}", "tokens.sizes"))) {
            assertThatThrownBy(() -> Pass.of(Recipe.of(
                            c.yaml, folder, List.of(folder.resolve("in.jsonl").toString()))))
                    .as(c.yaml)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining(c.field);
        }
    }

    @Test
    void aRunDoesNotGoOnWithInputsThatChanged() throws IOException {
        recipe();
        Path out = folder.resolve("out");
        new Pipeline(Recipe.read(folder.resolve("recipe.yaml")), out, 1, Progress.NONE).run();
        Files.writeString(folder.resolve("in/part5.jsonl.gz"), "other");
        Recipe changed = Recipe.read(folder.resolve("recipe.yaml"));
        assertThatThrownBy(() -> new Pipeline(changed, out, 1, Progress.NONE).run())
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("other inputs");
    }

    @Test
    void whatFailsBehindASourceIsNoBrokenInput() throws IOException {
        Recipe recipe = recipe();
        List<Pass> passes = Pass.of(recipe);
        RunFolder files = new RunFolder(folder.resolve("out"), passes.size());
        Files.createDirectories(files.folder(0));
        PartRun run = new PartRun(recipe, files, passes.getFirst(), 0);
        PartRun.Watcher full = new PartRun.Watcher() {
            @Override
            public void read(ReadReport report) {}

            @Override
            public void kept(Document document, long ordinal) throws IOException {
                throw new FileSystemException("spill", null, "No space left on device");
            }
        };
        Split split = Split.whole(recipe.inputs().getFirst());
        assertThatThrownBy(() -> run.run(0, recipe.source(), split, null, full))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("No space left");
        assertThat(files.complete(0, 0)).isFalse();
    }
}
