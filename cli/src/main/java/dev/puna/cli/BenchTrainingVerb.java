package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.bench.TimedKernels;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.ThreadTeam;
import dev.puna.training.Recipe;
import dev.puna.training.TrainingBench;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * {@code puna bench training}: a step (forward, backward, clipping, AdamW) on random tokens, beside what this machine
 * can do at most, measured in the same run. First the answer is checked: loss and gradients of a small model against
 * the reference tier.
 */
final class BenchTrainingVerb extends Verb {
    /** The shapes that are compared with other programs, as recipes. */
    private static final Map<String, String> SHAPES = shapes();

    private final Value<String> recipe =
            options.argument("RECIPE.yaml", "Measure this recipe's model, batch and precision.");
    private final Value<String> shape = options.texts(
            "--shape",
            "NAME",
            "Instead of a recipe: 15m (16 sequences of 256) or 110m (2 of 1,024). Default: 15m; may be repeated.");
    private final Value<String> precision =
            options.texts("--precision", "P", "bf16 or fp32. Default: bf16, or what the recipe says; may be repeated.");
    private final Value<String> keep =
            options.text("--keep", "WHAT", "everything, linear-outputs or layer-inputs. Default: the recipe's.");
    private final Value<Integer> replicas = options.integer(
            "--replicas",
            "R",
            "Replicas of the model, each with a thread and a share of the sequences of its own. Default: the recipe's, or 1.",
            1);
    private final Value<Integer> steps =
            options.integer("--steps", "N", "Steps to time; the median counts. Default: 5.", 1);
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ComputeOptions compute = new ComputeOptions(options);

    BenchTrainingVerb(Terminal terminal) {
        super(terminal);
    }

    private static Map<String, String> shapes() {
        Map<String, String> shapes = new LinkedHashMap<>();
        shapes.put("15m", shape("15m", 288, 6, 768, 256, 16));
        shapes.put("110m", shape("110m", 768, 12, 2048, 1024, 2));
        return shapes;
    }

    private static String shape(String name, int width, int layers, int feedForward, int length, int sequences) {
        return String.format(
                Locale.ROOT,
                """
                name: %s
                model: {vocabularySize: 32000, width: %d, layerCount: %d, headCount: %d, kvHeadCount: %d, \
                feedForwardWidth: %d, contextLength: %d, tiedHead: true}
                data: {sequenceLength: %d}
                batch: {sequences: %d, microSequences: %d}
                """,
                name,
                width,
                layers,
                layers,
                layers,
                feedForward,
                length,
                length,
                sequences,
                sequences);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna bench training",
                "puna bench training --shape 15m --shape 110m --precision bf16 --precision fp32",
                "puna bench training --shape 15m --replicas 2",
                "puna bench training recipes/llama-42m.yaml --steps 3 --json");
    }

    /** What operations took, per step. */
    record Operation(String operation, double calls, double milliseconds, double share, double gigaflops) {}

    record Measurement(
            String name,
            String precision,
            String keep,
            long parameters,
            long tokens,
            double secondsPerStep,
            double tokensPerSecond,
            double gigaflops,
            String peak,
            double peakGigaflops,
            double mfu,
            long plannedBytes,
            long peakBytes,
            double firstLoss,
            double lastLoss,
            double checkedLossDifference,
            double checkedGradientDifference,
            List<Operation> operations) {}

    record Report(String kernels, int threads, Peaks peaks, List<Measurement> measurements) {}

    @Override
    void run() throws IOException {
        List<Recipe> recipes = recipes();
        try (ThreadTeam team = compute.openTeam();
                Kernels kernels = compute.openKernels(team)) {
            Peaks peaks = Peaks.measure(team);
            if (!json.isGiven()) {
                line("kernels", kernels.tier() + " on " + team.size() + " threads");
                for (Peaks.Limit limit : peaks.limits()) {
                    line(
                            "peak",
                            String.format(
                                    Locale.ROOT,
                                    "%-20s %9s %s",
                                    limit.work(),
                                    Quantity.rate(limit.allThreads()),
                                    limit.unit()));
                }
            }
            List<Measurement> measurements = new ArrayList<>();
            for (Recipe each : recipes) {
                Measurement measurement = measure(each, kernels, peaks);
                measurements.add(measurement);
                if (!json.isGiven()) {
                    print(measurement);
                }
            }
            if (json.isGiven()) {
                terminal.out().println(Json.writePretty(new Report(kernels.tier(), team.size(), peaks, measurements)));
            }
        }
    }

    private List<Recipe> recipes() throws IOException {
        if (recipe.isGiven() && shape.isGiven()) {
            throw new UsageException("needs either a recipe or --shape, not both");
        }
        List<Recipe> recipes = new ArrayList<>();
        for (String name : shape.isGiven() || recipe.isGiven() ? shape.all() : List.of("15m")) {
            String yaml = Optional.ofNullable(SHAPES.get(name))
                    .orElseThrow(() -> new ConfigurationException(
                            "--shape", name, "use one of " + String.join(", ", SHAPES.keySet())));
            for (List<String> settings : settings()) {
                Recipe alone = Recipe.parse(yaml, settings);
                recipes.add(replicas.isGiven() ? Recipe.parse(yaml, shared(alone, settings)) : alone);
            }
        }
        if (recipe.isGiven()) {
            for (List<String> settings : settings()) {
                Recipe alone = Recipe.read(Path.of(recipe.get()), settings);
                recipes.add(replicas.isGiven() ? Recipe.read(Path.of(recipe.get()), shared(alone, settings)) : alone);
            }
        }
        return recipes;
    }

    /** The settings with as many replicas as asked for, and micro-batches that give each its share. */
    private List<String> shared(Recipe alone, List<String> settings) {
        int share = Math.max(1, alone.batch().sequences() / replicas.get());
        List<String> all = new ArrayList<>(settings);
        all.add("batch.replicas=" + replicas.get());
        all.add("batch.microSequences=" + Math.min(share, alone.batch().microSequences()));
        return all;
    }

    /** What the options change in a recipe, once for each precision. */
    private List<List<String>> settings() {
        List<String> common = keep.value().map(what -> List.of("keep=" + what)).orElse(List.of());
        if (!precision.isGiven()) {
            return List.of(common);
        }
        List<List<String>> settings = new ArrayList<>();
        for (String one : precision.all()) {
            List<String> all = new ArrayList<>(common);
            all.add("precision=" + one);
            settings.add(all);
        }
        return settings;
    }

    private Measurement measure(Recipe recipe, Kernels kernels, Peaks peaks) throws IOException {
        ComputePrecision precision = recipe.computePrecision();
        TrainingBench.Difference difference = TrainingBench.check(kernels, precision);
        if (!difference.explainedBy(precision)) {
            throw new IOException("wrong answer in " + recipe.precision() + ": against the reference tier the loss is "
                    + difference.loss() + " off, the gradients " + difference.gradients() + " (relative)");
        }
        MachineMemory.forgetPeak();
        TrainingBench.Result result = TrainingBench.run(recipe, kernels, steps.or(5));
        Peaks.Limit limit = peaks.highest(
                switch (precision) {
                    case F32 -> "fp32";
                    case BF16 -> "";
                },
                "GFLOP/s");
        double all = result.secondsPerStep() * result.steps() * recipe.batch().replicas(); // of all their threads
        List<Operation> operations = new ArrayList<>();
        double timed = 0;
        for (TimedKernels.Time time : result.profile()) {
            timed += time.seconds();
            operations.add(operation(time, result.steps(), all));
        }
        operations.add(operation(new TimedKernels.Time("rest", result.steps(), all - timed, 0), result.steps(), all));
        Recipe.MemoryNeed need = recipe.memory().stream()
                .filter(one -> one.keep().equals(recipe.keep()))
                .findFirst()
                .orElseThrow();
        return new Measurement(
                recipe.name(),
                recipe.precision(),
                recipe.keep(),
                recipe.config().parameterCount(),
                result.tokens(),
                result.secondsPerStep(),
                result.tokensPerSecond(),
                result.gigaflops(),
                limit.work(),
                limit.allThreads(),
                result.gigaflops() / limit.allThreads(),
                need.parameters() + need.activations(),
                MachineMemory.peakBytes(),
                result.firstLoss(),
                result.lastLoss(),
                difference.loss(),
                difference.gradients(),
                operations);
    }

    private static Operation operation(TimedKernels.Time time, int steps, double all) {
        return new Operation(
                time.operation(),
                (double) time.calls() / steps,
                1e3 * time.seconds() / steps,
                time.seconds() / all,
                time.flops() / time.seconds() / 1e9);
    }

    private void print(Measurement m) {
        line(
                m.name(),
                String.format(
                        Locale.ROOT,
                        "%s, %s kept, %s parameters, %d tokens a step; answer checked: loss off by %.1e, gradients %.1e",
                        m.precision(),
                        m.keep(),
                        Quantity.count(m.parameters()),
                        m.tokens(),
                        m.checkedLossDifference(),
                        m.checkedGradientDifference()));
        line(
                "step",
                String.format(
                        Locale.ROOT,
                        "%.3f s: %,.0f tokens/s, %s GFLOP/s, %.1f %% of the %s peak; loss %.3f to %.3f",
                        m.secondsPerStep(),
                        m.tokensPerSecond(),
                        Quantity.rate(m.gigaflops()),
                        100 * m.mfu(),
                        m.peak(),
                        m.firstLoss(),
                        m.lastLoss()));
        if (m.peakBytes() > 0) {
            line(
                    "memory",
                    Quantity.bytes(m.peakBytes()) + " at most; planned for parameters and activations "
                            + Quantity.bytes(m.plannedBytes()));
        }
        terminal.out()
                .println(String.format(
                        Locale.ROOT, "  %-28s %8s %10s %7s %8s", "operation", "calls", "ms", "share", "GFLOP/s"));
        for (Operation o : m.operations()) {
            terminal.out()
                    .println(String.format(
                            Locale.ROOT,
                            "  %-28s %8.0f %10.2f %6.1f%% %8s",
                            o.operation(),
                            o.calls(),
                            o.milliseconds(),
                            100 * o.share(),
                            o.gigaflops() > 0 ? Quantity.rate(o.gigaflops()) : ""));
        }
        terminal.out().flush();
    }

    private void line(String name, String text) {
        terminal.out().println(terminal.color(Terminal.Color.BOLD, String.format(Locale.ROOT, "%-9s", name)) + text);
        terminal.out().flush();
    }
}
