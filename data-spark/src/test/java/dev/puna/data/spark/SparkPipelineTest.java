package dev.puna.data.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.data.pipeline.Pipeline;
import dev.puna.data.pipeline.PipelineReport;
import dev.puna.data.pipeline.Progress;
import dev.puna.data.pipeline.Recipe;
import dev.puna.data.pipeline.StageCount;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same recipe on one machine and on Spark: the same files. */
class SparkPipelineTest {
    private static final List<String> WORDS =
            List.of(("the of and to in that is was he for it with as his on be at by had"
                            + " not are but from or have an they which one you were her all she there would their we him been has"
                            + " when who will more no if out so said what up its about into than them can only other new some"
                            + " could time these two may then do first any my now such like our over man me even most made after"
                            + " also did many before must through back years where much your way well down should because each"
                            + " just those people how too little state good very make world still own see men work long get here"
                            + " between both life being under never day same another know while last might us great old year off"
                            + " come since against go came right used take three river mountain village winter summer kitchen")
                    .split(" "));

    @TempDir
    Path folder;

    private static String sentence(Random random) {
        StringBuilder text = new StringBuilder("The");
        for (int i = 0; i < 10 + random.nextInt(8); i++) {
            text.append(' ').append(WORDS.get(random.nextInt(WORDS.size())));
        }
        return text.append('.').toString();
    }

    private static String page(Random random, int lines) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < lines; i++) {
            text.append(sentence(random)).append('\n');
        }
        return text.toString();
    }

    private static String german(Random random, int lines) {
        String[] words = ("der die das und nicht mit einem einer über unter zwischen wurde werden können müssen Straße"
                        + " Häuser Kinder gehen schließlich außerdem vielleicht obwohl während gestern Bürger Übung")
                .split(" ");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < lines; i++) {
            for (int w = 0; w < 12; w++) {
                text.append(words[random.nextInt(words.length)]).append(' ');
            }
            text.append('\n');
        }
        return text.toString();
    }

    private static void record(OutputStream out, String url, String text) throws IOException {
        byte[] block = text.getBytes(StandardCharsets.UTF_8);
        GZIPOutputStream gzip = new GZIPOutputStream(out);
        gzip.write(("WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: " + url + "\r\nWARC-Record-ID: <urn:" + url
                        + ">\r\nContent-Length: " + block.length + "\r\n\r\n")
                .getBytes(StandardCharsets.UTF_8));
        gzip.write(block);
        gzip.write("\r\n\r\n".getBytes(StandardCharsets.UTF_8));
        gzip.finish();
    }

    /** Five WET files: pages of their own, the same address twice, menus, and pages that grow away from each other. */
    private Path dumps() throws IOException {
        Path dumps = Files.createDirectories(folder.resolve("dumps"));
        Random random = new Random(3);
        String[] drifting = page(random, 60).split("\n");
        for (int f = 0; f < 5; f++) {
            try (OutputStream out = Files.newOutputStream(dumps.resolve("crawl-" + f + ".warc.wet.gz"))) {
                for (int i = 0; i < 60; i++) {
                    String url = "http://site" + i % 17 + ".org/" + f + "/" + i;
                    String text = page(random, 8);
                    switch (i % 10) {
                        case 1 -> url = "https://www.site.org/same/" + i; // in every file
                        case 2 -> text = "Home | About us | Contact\n" + text + "All rights reserved " + i + "\n";
                        case 3 -> {
                            drifting[random.nextInt(drifting.length)] = sentence(random); // like the page before it
                            text = String.join(" ", drifting); // one line: not a matter of lines
                        }
                        case 4 -> text = german(random, 8);
                        default -> {}
                    }
                    record(out, url, "Title " + Integer.toString(f * 60 + i, 3) + "\n" + text);
                }
            }
        }
        Path broken = dumps.resolve("crawl-2.warc.wet.gz");
        byte[] whole = Files.readAllBytes(broken);
        Files.write(broken, Arrays.copyOf(whole, whole.length * 4 / 5));
        return dumps;
    }

    private Path recipe(String more) throws IOException {
        Path file = folder.resolve("recipe.yaml");
        Files.writeString(file, """
                name: crawl
                source: {kind: commoncrawl, min_chars: 300}
                inputs: ["dumps/*.warc.wet.gz"]
                memory: 1MB
                stages:
                  - {kind: url-dedup}
                  - {kind: line-dedup, at_least: 2}
                  - {kind: language, keep: [en], min_score: 0.5}
                  - {kind: gopher-quality}
                  - {kind: minhash}
                """ + more);
        return file;
    }

    private static Map<String, List<Integer>> content(Path out) throws IOException {
        Map<String, List<Integer>> content = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(out)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                if (!file.toString().endsWith(".png")) {
                    byte[] bytes = Files.readAllBytes(file);
                    content.put(out.relativize(file).toString(), List.of(bytes.length, Arrays.hashCode(bytes)));
                }
            }
        }
        return content;
    }

    private SparkPipeline onSpark(Path recipe, Path out, String... inputs) {
        return new SparkPipeline(LocalSpark.session(), recipe, List.of(inputs), out);
    }

    @Test
    void everyFileIsAsOfOneMachine() throws IOException {
        dumps();
        Path recipe = recipe("held_out: {one_in: 10}\n");
        Path one = folder.resolve("one");
        new Pipeline(Recipe.read(recipe), one, 2, Progress.NONE).run();
        Path many = folder.resolve("many");
        PipelineReport report = onSpark(recipe, many).run();
        for (StageCount stage : report.stages()) {
            assertThat(stage.out()).describedAs(stage.name()).isPositive();
            if (!stage.name().equals("gopher-quality")) {
                assertThat(stage.bytesOut()).describedAs(stage.name()).isLessThan(stage.bytesIn());
            }
        }
        StageCount minHash = report.stages().getLast();
        assertThat(minHash.dropped().get("near-duplicate")).isGreaterThan(20);
        assertThat(minHash.out()).isGreaterThan(100);
        assertThat(report.brokenFiles()).hasSize(1).first().asString().contains("crawl-2");
        assertThat(report.exitStatus()).isEqualTo(1);
        assertThat(content(many)).isEqualTo(content(one));
    }

    @Test
    void eitherGoesOnWhereTheOtherWasStopped() throws IOException {
        dumps();
        Path recipe = recipe("");
        Path whole = folder.resolve("whole");
        new Pipeline(Recipe.read(recipe), whole, 2, Progress.NONE).run();
        for (int killAt : new int[] {100, 450}) {
            Path out = folder.resolve("killed" + killAt);
            AtomicInteger updates = new AtomicInteger();
            Progress killer = (pass, part, passes, done, total, documents) -> {
                if (updates.incrementAndGet() == killAt) {
                    throw new IllegalStateException("killed");
                }
            };
            assertThatThrownBy(() -> new Pipeline(Recipe.read(recipe), out, 1, killer).run())
                    .hasMessage("killed");
            onSpark(recipe, out).run();
            assertThat(content(out)).describedAs("killed at " + killAt).isEqualTo(content(whole));
        }
        for (String mark : List.of("pass-0/part-00001.json", "pass-1/part-00002.json")) {
            Path out = folder.resolve("stopped" + mark.charAt(5));
            Thread stopper = Thread.ofPlatform().daemon().start(() -> {
                while (!Files.exists(out.resolve(mark))) {
                    LockSupport.parkNanos(1_000_000);
                }
                LocalSpark.session().sparkContext().cancelAllJobs();
            });
            assertThatThrownBy(() -> onSpark(recipe, out).run()).hasMessageContaining("cancelled");
            stopper.interrupt();
            new Pipeline(Recipe.read(recipe), out, 2, Progress.NONE).run();
            assertThat(content(out)).describedAs("stopped at " + mark).isEqualTo(content(whole));
        }
    }

    @Test
    void realPages() throws IOException {
        Path samples = null;
        for (Path at = Path.of("").toAbsolutePath(); at != null && samples == null; at = at.getParent()) {
            Path candidate = at.resolve("shared/samples/commoncrawl");
            samples = Files.isDirectory(candidate) ? candidate : null;
        }
        assumeTrue(samples != null, "no ../shared/samples/commoncrawl beside the project");
        Path recipe = recipe("");
        String[] inputs = {
            samples.resolve("sample-0000.warc.gz").toString(),
            samples.resolve("whirlwind.warc.wet.gz").toString()
        };
        Path one = folder.resolve("one");
        PipelineReport report = new Pipeline(Recipe.read(recipe, inputs), one, 2, Progress.NONE).run();
        assertThat(report.documents()).isPositive();
        Path many = folder.resolve("many");
        onSpark(recipe, many, inputs).run();
        assertThat(content(many)).isEqualTo(content(one));
    }

    @Test
    void asItIsStarted() throws IOException {
        dumps();
        Path recipe = folder.resolve("short.yaml");
        Files.writeString(recipe, "source: {kind: commoncrawl}\nstages: [{kind: exact-dedup}, {kind: minhash}]\n");
        Path out = folder.resolve("out");
        String input = folder.resolve("dumps/crawl-1.warc.wet.gz").toString();
        assertThat(Main.run("--master", "local[2]", "--conf", "spark.x=y", recipe.toString(), out.toString(), input))
                .isZero();
        assertThat(Files.readString(out.resolve("report.txt"))).contains("near-duplicate");
        try (Stream<Path> left = Files.list(out)) {
            assertThat(left.map(path -> path.getFileName().toString()))
                    .containsExactlyInAnyOrder(
                            "documents", "pass-0", "pass-1", "recipe.used", "report.png", "report.txt");
        }
        assertThat(Main.run(
                        recipe.toString(),
                        out.toString(),
                        folder.resolve("nothing").toString()))
                .isEqualTo(2);
        assertThat(Main.run("recipe.yaml")).isEqualTo(2);
    }

    @Test
    void whatCannotRunHereIsSaidFirst() throws IOException {
        dumps();
        Path recipe = recipe("  - {kind: book-dedup}\n");
        Path out = folder.resolve("out");
        assertThatThrownBy(() -> onSpark(recipe, out).run())
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("book-dedup")
                .hasMessageContaining("puna data prepare");
        assertThat(Files.exists(out.resolve("pass-0"))).isFalse();
    }
}
