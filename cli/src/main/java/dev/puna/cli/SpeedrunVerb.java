package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.KernelsChoice;
import dev.puna.speedrun.Corpus;
import dev.puna.speedrun.Plan;
import dev.puna.speedrun.Results;
import dev.puna.speedrun.Speedrun;
import dev.puna.speedrun.SpeedrunListener;
import dev.puna.speedrun.SpeedrunRequest;
import dev.puna.speedrun.Stage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** {@code puna speedrun}: from raw text on this machine to a model that can be talked to, in a given time. */
final class SpeedrunVerb extends Verb {
    private static final double DEFAULT_MINUTES = 10;
    private static final String DEFAULT_OUT = "speedrun";

    private final Value<String> corpus = options.text(
            "--corpus",
            "PATH",
            "Your own text: a folder or a zip of source code, a Wikipedia or StackExchange dump, LaTeX, plain text, JSON"
                    + " lines. Default: the sources of the JDK that runs this.");
    private final Value<Double> minutes = options.number(
            "--minutes", "M", "What all of it may take. Default: 10.", SpeedrunRequest.LEAST_MINUTES, 1e5);
    private final Value<String> out =
            options.text("--out", "DIR", "Where everything goes. Default: ./" + DEFAULT_OUT + ".");
    private final Value<Boolean> dryRun =
            options.flag("--dry-run", "Measure this machine, print the plan, and do nothing else.");
    private final Value<Boolean> noServe = options.flag("--no-serve", "End when the report is written.");
    private final Value<Integer> port =
            options.integer("--port", "P", "Of the page, on 127.0.0.1. Default: any that is free.", 0);
    private final Value<Boolean> json = options.flag("--json", "Print the plan or the results as one JSON document.");
    private final ComputeOptions compute = new ComputeOptions(options);

    SpeedrunVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna speedrun",
                "puna speedrun --minutes 60 --out ~/my-llama",
                "puna speedrun --corpus ~/projects --minutes 30",
                "puna speedrun --dry-run --minutes 120");
    }

    @Override
    void run() throws Exception {
        Corpus learned = corpus.isGiven()
                ? Corpus.of(Path.of(corpus.get()))
                : Corpus.ofJdk(Path.of(System.getProperty("java.home")));
        Path directory = dryRun.isGiven() ? Files.createTempDirectory("puna-speedrun") : Path.of(out.or(DEFAULT_OUT));
        SpeedrunRequest request = new SpeedrunRequest(
                learned,
                minutes.or(DEFAULT_MINUTES),
                directory,
                KernelsChoice.requested(compute.kernels(), System.getenv()),
                compute.threads(),
                port.or(0));
        try (View view = new View(terminal, request.minutes(), dryRun.isGiven());
                Speedrun run = Speedrun.open(request, view)) {
            say(learned.kind() + ", " + Quantity.bytes(learned.textBytes()) + " of text: " + learned.path());
            if (dryRun.isGiven()) {
                plan(run.plan());
                return;
            }
            say("everything goes to " + directory + "; stopped at any moment, the same command goes on");
            say("watch at http://127.0.0.1:" + run.openPage() + "/");
            Results results = run.run();
            view.clear();
            if (json.isGiven()) {
                terminal.out().println(Json.writePretty(results));
                terminal.out().flush();
            } else {
                results(results, directory);
            }
        } finally {
            if (dryRun.isGiven()) {
                delete(directory);
            }
        }
        if (!noServe.isGiven()) {
            ServeVerb serve = new ServeVerb(terminal);
            serve.options.parse(List.of(
                    directory.resolve("model").toString(),
                    "--port",
                    Integer.toString(port.or(0)),
                    "--name",
                    "speedrun",
                    "--threads",
                    Integer.toString(compute.threads())));
            serve.run();
        }
    }

    private void say(String line) {
        terminal.err().println(line);
    }

    @SuppressWarnings("AnnotateFormatMethod")
    private void print(String format, Object... values) {
        terminal.out().println(String.format(Locale.ROOT, format, values));
    }

    private void plan(Plan plan) {
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(plan));
            return;
        }
        print("parameters           %,d", plan.parameters());
        print(
                "shape                %d layers of %d, vocabulary %,d, context %d",
                plan.shape().layerCount(),
                plan.shape().width(),
                plan.shape().vocabularySize(),
                plan.shape().contextLength());
        print("text                 about %,.0f tokens", plan.textTokens());
        print("tokens to see        %,.0f, %.2f epochs", plan.trainingTokens(), plan.epochs());
        print(
                "step                 %,d tokens, learning rate to %.2g",
                plan.sequences() * plan.shape().contextLength(), plan.lr());
        print("compute              %.2e FLOP", plan.flops());
        print(
                "speed                %,.0f tokens/s, %.0f GFLOP/s, %.1f %% of the %s peak",
                plan.tokensPerSecond(),
                plan.tokensPerSecond() * plan.shape().flopsPerToken() / 1e9,
                100
                        * plan.tokensPerSecond()
                        * plan.shape().flopsPerToken()
                        / plan.speed().peakFlops(),
                plan.speed().peakName());
        print(
                "time                 %s of training, %s of the rest",
                Quantity.duration(plan.trainingSeconds()), Quantity.duration(plan.otherSeconds()));
        print("memory               %s off the heap", Quantity.bytes(plan.memoryBytes()));
        print("expected             %.2f bits per byte", plan.expectedBitsPerByte());
    }

    private void results(Results results, Path directory) {
        print("");
        print("bits per byte of %,d held-out files", results.heldOut().texts());
        print("  this model %.3f", results.heldOut().bitsPerByte());
        print(
                "  xz -9      %.3f each alone, %.3f all packed",
                results.yardstick().xzAlone(), results.yardstick().xzPacked());
        print(
                "  zstd -19   %.3f each alone, %.3f all packed",
                results.yardstick().zstdAlone(), results.yardstick().zstdPacked());
        print(
                "loss %.3f, %s tokens/s, MFU %.1f %%, peak memory %s, %s in all",
                results.heldOut().loss(),
                Quantity.count(Math.round(results.training().tokensPerSecond())),
                100 * results.training().mfu(),
                Quantity.bytes(results.peakMemoryBytes()),
                Quantity.duration(results.seconds()));
        print("");
        results.samples().stream().limit(2).forEach(sample -> {
            terminal.out().println(terminal.color(Terminal.Color.BOLD, sample.prompt()) + sample.text());
            print("");
        });
        print("model    %s (Hugging Face), %s", directory.resolve("model"), directory.resolve("model-Q8_0.gguf"));
        print("report   %s", directory.resolve("report.html"));
        terminal.out().flush();
    }

    private static void delete(Path directory) throws IOException {
        List<Path> all;
        try (Stream<Path> walk = Files.walk(directory)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }

    /** A line for each stage that is done; on a terminal the one at work below it, written over. */
    private static final class View implements SpeedrunListener, AutoCloseable {
        private static final long REDRAW_NANOS = 200_000_000L;
        private static final long LINE_NANOS = 15_000_000_000L;
        private static final int BAR = 16;

        private final Terminal terminal;
        private final double seconds;
        private final boolean quiet;
        private final long began = System.nanoTime();
        private double before;
        private long shown = began;
        private boolean drawn;

        /** @param quiet whether to show nothing but a bar on a terminal */
        View(Terminal terminal, double minutes, boolean quiet) {
            this.terminal = terminal;
            this.seconds = 60 * minutes;
            this.quiet = quiet;
        }

        @Override
        public synchronized void begins(Stage stage) {
            progress(stage, 0, stage.description());
        }

        @Override
        public synchronized void progress(Stage stage, double fraction, String text) {
            long now = System.nanoTime();
            boolean interactive = terminal.errInteractive();
            if (now - shown < (interactive ? REDRAW_NANOS : LINE_NANOS)) {
                return;
            }
            shown = now;
            int filled = (int) (Math.clamp(fraction, 0, 1) * BAR);
            double left = Math.max(0, seconds - before - (now - began) / 1e9);
            String line = String.format(
                    Locale.ROOT,
                    "%-9s [%s%s] %3.0f %%  %s  %s left",
                    stage.title(),
                    "#".repeat(filled),
                    ".".repeat(BAR - filled),
                    100 * fraction,
                    text,
                    Quantity.duration(left));
            if (interactive) {
                int width = Math.max(20, terminal.columns() - 1);
                terminal.err().print("\r" + (line.length() > width ? line.substring(0, width) : line) + "\u001b[K");
                terminal.err().flush();
                drawn = true;
            } else if (!quiet) {
                terminal.err().println(line);
            }
        }

        @Override
        public synchronized void done(Stage stage, double took, String summary, boolean earlier) {
            clear();
            if (earlier) {
                before += took;
            }
            if (!quiet) {
                terminal.err()
                        .println(String.format(
                                Locale.ROOT,
                                "%-9s %7s %3.0f %%  %s%s",
                                stage.title(),
                                Quantity.duration(took),
                                100 * took / seconds,
                                summary,
                                earlier ? " (before)" : ""));
            }
        }

        @Override
        public synchronized void note(String line) {
            clear();
            if (!quiet) {
                terminal.err().println(line);
            }
        }

        private synchronized void clear() {
            if (drawn) {
                terminal.err().print("\r\u001b[K");
                terminal.err().flush();
                drawn = false;
            }
        }

        @Override
        public synchronized void close() {
            clear();
        }
    }
}
