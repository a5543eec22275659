package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.KernelsChoice;
import dev.puna.speedrun.Corpus;
import dev.puna.speedrun.Plan;
import dev.puna.speedrun.Results;
import dev.puna.speedrun.Speedrun;
import dev.puna.speedrun.SpeedrunRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** {@code puna speedrun}: from raw text on this machine to a model that can be talked to, in a given time. */
final class SpeedrunVerb extends Verb {
    private static final double DEFAULT_MINUTES = 10;
    private static final Pattern CONTROL = Pattern.compile("[\\p{Cc}&&[^\n\t]]");
    private static final String DEFAULT_OUT = "my-llama";

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
    private final Value<Boolean> json =
            options.flag("--json", "Print the plan or the results as one JSON document, and end.");
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
        double wanted = minutes.or(DEFAULT_MINUTES);
        if (dryRun.isGiven()) {
            plan(learned, wanted);
            return;
        }
        Path directory = Path.of(out.or(DEFAULT_OUT));
        try (SpeedrunView view = new SpeedrunView(terminal, wanted, false);
                Speedrun run = Speedrun.open(request(learned, wanted, directory), view)) {
            say(describe(learned));
            say("everything goes to " + directory + "; stopped at any moment, the same command goes on");
            say("watch at http://127.0.0.1:" + run.openPage() + "/");
            Results results = goOn(run, view);
            if (json.isGiven()) {
                terminal.out().println(Json.writePretty(results));
                terminal.out().flush();
                return;
            }
            results(results, directory);
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
                    Integer.toString(compute.threads()),
                    "--kernels",
                    KernelsChoice.requested(compute.kernels(), System.getenv())));
            say("the new model; Ctrl-C ends");
            serve.run();
        }
    }

    private SpeedrunRequest request(Corpus learned, double wanted, Path directory) {
        return new SpeedrunRequest(
                learned,
                wanted,
                directory,
                KernelsChoice.requested(compute.kernels(), System.getenv()),
                compute.threads(),
                port.or(0));
    }

    private static String describe(Corpus learned) {
        return learned.kind() + ", " + Quantity.bytes(learned.textBytes()) + " of text: " + learned.path();
    }

    /** All stages; who ends the program meanwhile is told that nothing is lost. */
    private Results goOn(Speedrun run, SpeedrunView view) throws IOException {
        Thread farewell = new Thread(() -> {
            view.clear();
            say("stopped; the same command goes on");
        });
        Runtime.getRuntime().addShutdownHook(farewell);
        try {
            Results results = run.run();
            view.clear();
            return results;
        } finally {
            unhook(farewell);
        }
    }

    private static void unhook(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException ending) {
            // It is running.
        }
    }

    /** Measures in a folder of its own, of which nothing stays. */
    private void plan(Corpus learned, double wanted) throws IOException {
        SpeedrunRequest request = request(learned, wanted, Files.createTempDirectory("puna-speedrun"));
        SpeedrunView view = new SpeedrunView(terminal, wanted, true);
        Thread cleaning = new Thread(() -> {
            view.clear();
            delete(request.out());
        });
        Runtime.getRuntime().addShutdownHook(cleaning);
        try (view;
                Speedrun run = Speedrun.open(request, view)) {
            say(describe(learned));
            Plan plan = run.plan();
            view.clear();
            print(plan, wanted);
        } finally {
            unhook(cleaning);
            delete(request.out());
        }
    }

    private void say(String line) {
        terminal.err().println(terminal.errInteractive() ? SpeedrunView.wrapped(line, terminal.columns(), 2) : line);
    }

    @SuppressWarnings("AnnotateFormatMethod")
    private void print(String format, Object... values) {
        terminal.out().println(String.format(Locale.ROOT, format, values));
    }

    private void print(Plan plan, double wanted) {
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
        plan.warning(wanted).ifPresent(this::say);
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
            terminal.out()
                    .println(
                            terminal.color(Terminal.Color.BOLD, printable(sample.prompt())) + printable(sample.text()));
            print("");
        });
        print("model    %s (Hugging Face), %s", directory.resolve("model"), directory.resolve("model-Q8_0.gguf"));
        print("report   %s", directory.resolve("report.html"));
        terminal.out().flush();
    }

    /** What a young model writes may be anything, also what a terminal takes for a command. */
    static String printable(String text) {
        return CONTROL.matcher(text).replaceAll("\ufffd");
    }

    /** As far as it goes: what is left lies in the system's folder for such things. */
    private static void delete(Path directory) {
        try (Stream<Path> walk = Files.walk(directory)) {
            walk.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        } catch (IOException | UncheckedIOException gone) {
            // by another thread
        }
    }
}
