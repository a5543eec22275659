package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.MachinePeaks;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.ThreadTeam;
import dev.puna.training.Recipe;
import dev.puna.training.StepReport;
import dev.puna.training.Trainer;
import java.io.IOException;
import java.nio.file.Files;
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
            "--resume", "CHECKPOINT", "Go on from a checkpoint's directory, or from the last one: --resume last.");
    private final Value<Integer> watch =
            options.integer("--watch", "PORT", "Show the run on a page at 127.0.0.1:PORT.", 1);
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

    record Plan(Recipe recipe, long parameters, List<Recipe.MemoryNeed> memory) {}

    @Override
    void run() throws IOException {
        Recipe resolved = Recipe.read(Path.of(recipe.get()), set.all());
        if (dryRun.isGiven()) {
            plan(resolved);
            return;
        }
        if (resolved.data().sources().isEmpty()) {
            throw new ConfigurationException("data.sources", "[]", "name token shards; puna data tokenize makes them");
        }
        if (!json.isGiven()) {
            terminal.out().print(resolved.toYaml());
        }
        try (ThreadTeam team = compute.openTeam();
                Kernels kernels = compute.openKernels(team);
                Trainer trainer = open(resolved, kernels)) {
            if (!json.isGiven()) {
                trainer.peak(1e9 * MachinePeaks.measure(team).gigaflopsAllThreads());
                watch.value().ifPresent(port -> terminal.out().println("watch at http://127.0.0.1:" + port + "/"));
            }
            trainer.run(watch.value(), report -> show(report, resolved));
        }
    }

    private Trainer open(Recipe resolved, Kernels kernels) throws IOException {
        if (!resume.isGiven()) {
            return Trainer.begin(resolved, kernels);
        }
        Optional<Path> checkpoint = resume.get().equals("last") ? Optional.empty() : Optional.of(Path.of(resume.get()));
        if (checkpoint.isPresent() && !Files.isDirectory(checkpoint.get())) {
            throw new ConfigurationException(
                    "--resume", checkpoint.get(), "no such checkpoint; or write --resume last");
        }
        return Trainer.resume(resolved, kernels, checkpoint);
    }

    private void plan(Recipe resolved) {
        long parameters = resolved.config().parameterCount();
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(new Plan(resolved, parameters, resolved.memory())));
            return;
        }
        terminal.out().print(resolved.toYaml());
        terminal.out().println(String.format(Locale.ROOT, "parameters %,d", parameters));
        for (Recipe.MemoryNeed need : resolved.memory()) {
            terminal.out()
                    .println(String.format(
                            Locale.ROOT,
                            "%-15s %s: parameters, gradients and moments %s, activations %s%s",
                            need.keep(),
                            Quantity.bytes(need.parameters() + need.activations()),
                            Quantity.bytes(need.parameters()),
                            Quantity.bytes(need.activations()),
                            need.keep().equals(resolved.keep()) ? "  <- this recipe" : ""));
        }
        terminal.out().println("a checkpoint takes three quarters of the first once more while it is being written");
    }

    private void show(StepReport report, Recipe resolved) {
        if (json.isGiven()) {
            terminal.out().println(Json.write(report));
            terminal.out().flush();
            return;
        }
        long every = Math.max(1, resolved.logging().every());
        boolean notable =
                report.skipped().isPresent() || report.validationLoss().isPresent();
        if (report.step() % every != 0 && report.step() != 1 && report.step() != resolved.steps() && !notable) {
            return;
        }
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "step %d/%d  loss %.4f  lr %.3g  norm %.3f  %s tokens/s",
                report.step(),
                resolved.steps(),
                report.loss(),
                report.lr(),
                report.gradientNorm(),
                Quantity.rate(report.tokensPerSecond())));
        report.mfu().ifPresent(mfu -> line.append(String.format(Locale.ROOT, "  %.0f %% of the fp32 peak", 100 * mfu)));
        line.append("  ").append(Quantity.duration(report.secondsLeft())).append(" left");
        report.validationLoss().ifPresent(loss -> line.append(String.format(Locale.ROOT, "  validation %.4f", loss)));
        report.bitsPerByte().ifPresent(bits -> line.append(String.format(Locale.ROOT, "  %.4f bits per byte", bits)));
        report.skipped().ifPresent(reason -> line.append("  not taken: ").append(reason));
        terminal.out().println(line);
        terminal.out().flush();
    }
}
