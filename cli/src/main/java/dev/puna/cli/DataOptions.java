package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.pipeline.CorpusPreparation;
import dev.puna.data.pipeline.PipelineReport;
import dev.puna.data.pipeline.Progress;
import dev.puna.data.pipeline.Recipe;
import dev.puna.data.source.DocumentSource;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/** What the verbs of {@code data} have in common: threads, {@code --json}, progress, and how a run ends. */
final class DataOptions {
    private final Terminal terminal;
    private final Value<Integer> threads;
    private final Value<Boolean> json;

    DataOptions(Terminal terminal, Options options) {
        this.terminal = terminal;
        this.threads = options.integer(
                "--threads", "N", "Threads; what comes out does not depend on it. Default: every processor.", 1);
        this.json = options.flag("--json", "Print one JSON document.");
    }

    int threads() {
        return threads.or(Runtime.getRuntime().availableProcessors());
    }

    boolean json() {
        return json.isGiven();
    }

    /** Existing files and folders. */
    static List<Path> paths(List<String> names) {
        List<Path> paths = new ArrayList<>();
        for (String name : names) {
            Path path = Path.of(name);
            if (!Files.exists(path)) {
                throw new ConfigurationException("input", name, "there is no such file or folder");
            }
            paths.add(path);
        }
        return paths;
    }

    /** The source of a kind as recipes name it. */
    static DocumentSource source(String kind) throws IOException {
        return Recipe.of("source: {kind: " + kind + "}", Path.of("").toAbsolutePath(), List.of("."))
                .source();
    }

    /** A progress bar for each pass of a pipeline. */
    final class Bars implements Progress, AutoCloseable {
        private final ReentrantLock lock = new ReentrantLock();
        private String title = "";
        private Optional<ProgressBar> bar = Optional.empty();

        @Override
        public void update(String pass, int part, int passes, long bytesDone, long bytesTotal, long documents) {
            if (!lock.tryLock()) {
                return; // another thread is drawing
            }
            try {
                String now = passes > 1 ? pass + " (" + part + "/" + passes + ")" : pass;
                if (!now.equals(title)) {
                    bar.ifPresent(ProgressBar::close);
                    title = now;
                    bar = Optional.of(new ProgressBar(terminal, now, ProgressBar.Unit.BYTES));
                }
                bar.get().show(documents, "documents", bytesDone, bytesTotal);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            lock.lock();
            try {
                bar.ifPresent(ProgressBar::close);
            } finally {
                lock.unlock();
            }
        }
    }

    Bars bars() {
        return new Bars();
    }

    /** What {@code --json} prints of a pipeline. */
    record Summary(
            PipelineReport report,
            Optional<String> tokenizer,
            Optional<CorpusPreparation.Shard> train,
            Optional<CorpusPreparation.Shard> heldOut,
            double seconds) {}

    /** Runs a recipe and prints what came of it. */
    void run(Recipe recipe, Path out) throws IOException {
        long begin = System.nanoTime();
        CorpusPreparation.Result result;
        try (Bars bars = bars()) {
            result = new CorpusPreparation(
                            recipe.with(model -> LlamaEmbedder.open(terminal, model)), out, threads(), bars)
                    .run();
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        PipelineReport report = result.report();
        if (json()) {
            terminal.out()
                    .println(Json.writePretty(new Summary(
                            report,
                            Optional.ofNullable(result.tokenizer()).map(Path::toString),
                            Optional.ofNullable(result.train()),
                            Optional.ofNullable(result.heldOut()),
                            seconds)));
        } else {
            terminal.out().print(report.table());
            print("documents", out.resolve("documents").toString());
            if (!report.heldOut().isEmpty()) {
                print("held out", out.resolve("held-out").toString());
            }
            print("plot", out.resolve("report.png").toString());
            Optional.ofNullable(result.tokenizer()).ifPresent(path -> print("tokenizer", path.toString()));
            Optional.ofNullable(result.train()).ifPresent(shard -> print("tokens", shard(shard)));
            Optional.ofNullable(result.heldOut()).ifPresent(shard -> print("held out", shard(shard)));
            terminal.out()
                    .println(Quantity.bytes(report.textBytes()) + " of text in " + Quantity.duration(seconds) + ", "
                            + Quantity.bytes((long) (report.textBytes() / seconds)) + "/s");
        }
        fail(report.brokenRecords(), report.brokenFiles(), out.resolve("report.txt"));
    }

    private void print(String name, String value) {
        terminal.out().println(String.format(java.util.Locale.ROOT, "%-10s %s", name, value));
    }

    static String shard(CorpusPreparation.Shard shard) {
        return shard.prefix() + ".bin, .idx: " + Quantity.count(shard.tokens()) + " tokens of "
                + Quantity.count(shard.documents()) + " documents";
    }

    /** Status 1 when something could not be read; all else has been done. */
    static void fail(long brokenRecords, List<String> brokenFiles, Path report) throws IOException {
        if (brokenRecords > 0 || !brokenFiles.isEmpty()) {
            throw new IOException("done, without " + brokenRecords + " broken records and the rest of "
                    + brokenFiles.size() + " broken files: " + report + " has their places");
        }
    }
}
