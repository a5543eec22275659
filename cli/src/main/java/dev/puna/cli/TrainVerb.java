package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.Kernels;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.ThreadTeam;
import dev.puna.training.Recipe;
import dev.puna.training.StepReport;
import dev.puna.training.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** {@code puna train}: a run of pretraining, from its recipe. */
final class TrainVerb extends Verb {
    private final Value<String> recipe =
            options.argument("RECIPE.yaml", "What to train, on what, and how.").required();
    private final Value<String> set =
            options.texts("--set", "KEY=VALUE", "Change a field of the recipe: schedule.lr=1e-3. May be repeated.");
    private final Value<Boolean> dryRun =
            options.flag("--dry-run", "Print the resolved recipe and the memory that it needs, and train nothing.");
    private final Value<String> resume = options.text(
            "--resume",
            "CHECKPOINT",
            "Go on from the run's last checkpoint (--resume last) or from a checkpoint's directory, to the same bits that"
                    + " an undisturbed run has. With a checkpoint of another run this one is a branch of it.");
    private final Value<Integer> watch =
            options.integer("--watch", "PORT", "Show the run on a page at 127.0.0.1:PORT.", 1, 65_535);
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document per step.");
    private final ComputeOptions compute = new ComputeOptions(options);

    TrainVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna train recipes/llama-15m.yaml --dry-run",
                "puna train recipes/llama-15m.yaml --set schedule.lr=1e-3 --watch 8080",
                "puna train recipes/llama-15m.yaml --resume last");
    }

    record Plan(Recipe recipe, long parameters, long tokens, double flops, List<Recipe.MemoryNeed> memory) {}

    @Override
    void run() throws IOException {
        Recipe resolved = Recipe.read(Path.of(recipe.get()), set.all());
        if (dryRun.isGiven()) {
            plan(resolved);
            return;
        }
        requireMemory(resolved);
        if (!json.isGiven()) {
            terminal.out().print(resolved.toYaml());
            terminal.out().flush();
        }
        try (ThreadTeam team = compute.openTeam();
                Kernels kernels = compute.openKernels(team);
                Trainer trainer = open(resolved, kernels)) {
            Peaks.Limit peak = Peaks.compute(team, kernels.tier(), resolved.computePrecision());
            trainer.peak(1e9 * peak.allThreads());
            if (!json.isGiven()) {
                announce(resolved, trainer, kernels, peak);
            }
            trainer.run(watch.value(), report -> show(report, resolved));
            if (!json.isGiven()) {
                summarize(resolved, trainer);
            }
        }
    }

    private static void requireMemory(Recipe resolved) {
        long available = MachineMemory.now().availableBytes();
        Recipe.MemoryNeed need = need(resolved);
        if (need.total() > available) {
            throw new ConfigurationException(
                    "keep",
                    resolved.keep(),
                    "the run needs " + Quantity.bytes(need.total()) + ", and " + Quantity.bytes(available)
                            + " are available; --dry-run shows what needs how much, batch.microSequences divides the"
                            + " activations");
        }
    }

    private static Recipe.MemoryNeed need(Recipe resolved) {
        return resolved.memory().stream()
                .filter(need -> need.keep().equals(resolved.keep()))
                .findFirst()
                .orElseThrow();
    }

    private Trainer open(Recipe resolved, Kernels kernels) throws IOException {
        if (!resume.isGiven()) {
            return Trainer.begin(resolved, kernels);
        }
        Optional<Path> checkpoint = resume.get().equals("last") ? Optional.empty() : Optional.of(Path.of(resume.get()));
        return Trainer.resume(resolved, kernels, checkpoint);
    }

    private void announce(Recipe resolved, Trainer trainer, Kernels kernels, Peaks.Limit peak) {
        terminal.out()
                .println(String.format(
                        Locale.ROOT,
                        "%n%s parameters, %s tokens, %s of memory%nkernels %s, MFU of %.0f GFLOP/s (%s)",
                        Quantity.count(resolved.config().parameterCount()),
                        Quantity.count(tokens(resolved)),
                        Quantity.bytes(need(resolved).total()),
                        kernels.tier(),
                        peak.allThreads(),
                        peak.work()));
        if (trainer.state().step() > 0) {
            terminal.out().println("going on after step " + trainer.state().step());
            for (String change : trainer.changes()) {
                terminal.out().println("  changed " + change);
            }
        }
        watch.value().ifPresent(port -> terminal.out().println("watch it at http://127.0.0.1:" + port + "/"));
        terminal.out().println("\n    step      loss     norm        lr  tokens/s    MFU      left");
        terminal.out().flush();
    }

    private void summarize(Recipe resolved, Trainer trainer) {
        clearStatus();
        terminal.out()
                .println(String.format(
                        Locale.ROOT,
                        "%nstep %d, %s tokens seen; in %s: checkpoints, metrics.jsonl, tensorboard, curves (*.png)",
                        trainer.state().step(),
                        Quantity.count(trainer.state().tokens()),
                        resolved.output()));
    }

    private static long tokens(Recipe resolved) {
        long tokens = 0;
        for (long step = 0; step < resolved.steps(); step++) {
            tokens += resolved.stageAfter(tokens).tokens();
        }
        return tokens;
    }

    private void plan(Recipe resolved) {
        long parameters = resolved.config().parameterCount();
        long tokens = tokens(resolved);
        double flops = resolved.flopsPerToken() * tokens;
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(new Plan(resolved, parameters, tokens, flops, resolved.memory())));
            return;
        }
        terminal.out().print(resolved.toYaml());
        terminal.out()
                .println(String.format(
                        Locale.ROOT, "%n%,d parameters, %,d tokens, %.2g FLOP", parameters, tokens, flops));
        terminal.out()
                .println(String.format(
                        "%nmemory %16s %12s %12s %12s", "parameters", "activations", "checkpoint", "together"));
        for (Recipe.MemoryNeed need : resolved.memory()) {
            terminal.out()
                    .println(String.format(
                            Locale.ROOT,
                            "%-15s %7s %12s %12s %12s%s",
                            need.keep(),
                            Quantity.bytes(need.parameters()),
                            Quantity.bytes(need.activations()),
                            Quantity.bytes(need.checkpoint()),
                            Quantity.bytes(need.total()),
                            need.keep().equals(resolved.keep()) ? "  <- this recipe" : ""));
        }
        terminal.out()
                .println(
                        "\"checkpoint\" only while one is written; a process takes about 170 MiB more: the JVM, its heap,"
                                + "\ncode, packed panels, pages of the shards");
    }

    private void show(StepReport report, Recipe resolved) {
        if (json.isGiven()) {
            terminal.out().println(Json.write(report));
            terminal.out().flush();
            return;
        }
        long every = Math.max(1, resolved.logging().every());
        boolean line = report.step() % every == 0
                || report.step() == 1
                || report.step() == resolved.steps()
                || report.skipped().isPresent()
                || report.validationLoss().isPresent();
        if (line || !report.samples().isEmpty()) {
            clearStatus();
        }
        if (line) {
            terminal.out().println(line(report));
            report.validationLoss()
                    .ifPresent(loss -> terminal.out()
                            .println(String.format(Locale.ROOT, "         validation %.4f", loss)
                                    + report.bitsPerByte()
                                            .map(bits -> String.format(Locale.ROOT, ", %.4f bits per byte", bits))
                                            .orElse("")));
            report.skipped()
                    .ifPresent(reason -> terminal.out()
                            .println("         not taken: " + reason
                                    + report.rolledBackTo()
                                            .map(step -> "; back to step " + step)
                                            .orElse("")));
        }
        for (StepReport.Sample sample : report.samples()) {
            String text = terminal.color(Terminal.Color.BOLD, sample.prompt()) + sample.text();
            text.lines().forEach(written -> terminal.out().println("       | " + written));
        }
        terminal.out().flush();
        status(report, resolved);
    }

    private static String line(StepReport report) {
        return String.format(
                Locale.ROOT,
                "%8d  %8.4f %8s  %8.2e  %8s  %5s  %8s",
                report.step(),
                report.loss(),
                Quantity.rate(report.gradientNorm()),
                report.lr(),
                Quantity.rate(report.tokensPerSecond()),
                report.mfu()
                        .map(mfu -> String.format(Locale.ROOT, "%.1f %%", 100 * mfu))
                        .orElse(""),
                Quantity.duration(report.secondsLeft()));
    }

    /** On a terminal the newest step stands in a line that is written over. */
    private void status(StepReport report, Recipe resolved) {
        if (terminal.errInteractive() && report.step() < resolved.steps()) {
            String text = String.format(
                    Locale.ROOT,
                    "step %d of %d  loss %.4f  %s tokens/s  %s left",
                    report.step(),
                    resolved.steps(),
                    report.loss(),
                    Quantity.rate(report.tokensPerSecond()),
                    Quantity.duration(report.secondsLeft()));
            int width = Math.max(10, terminal.columns() - 1);
            terminal.err().print("\r" + (text.length() > width ? text.substring(0, width) : text) + "\u001b[K");
            terminal.err().flush();
        }
    }

    private void clearStatus() {
        if (terminal.errInteractive()) {
            terminal.err().print("\r\u001b[K");
            terminal.err().flush();
        }
    }
}
