package dev.puna.speedrun;

import dev.puna.kernels.Kernels;
import dev.puna.training.Recipe;
import dev.puna.training.StepReport;
import dev.puna.training.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/**
 * Trains for a time instead of a number of steps. The learning rate rises, holds, and falls in the end (Hu et al. 2024,
 * warm-up, stable, decay): as long as it holds, how many steps there will be is open. So the run goes in legs of some
 * seconds, each ending with a checkpoint; when the clock says that what is left is the share of the decay, the last leg
 * is laid out at the speed of those before. The recipe of the last leg is the recipe of the whole: trained in one go, it
 * gives the same bits.
 */
public final class Pretraining {
    /** The learning rate falls in this share of the time; docs/speedrun.md. */
    static final double DECAY_SHARE = 0.4;

    private static final double LEAST_LEG_SECONDS = 6;
    private static final double MOST_LEG_SECONDS = 60;
    private static final int LEGS = 12;

    /** How the names of checkpoints begin; the step follows. */
    private static final String STEP = "step-";

    /**
     * Where it is.
     *
     * @param step at the end of the last leg
     * @param seconds used by legs that are done
     * @param total steps in all, when that is settled, else 0
     * @param decay steps of them with a falling rate
     */
    record Progress(long step, double seconds, long total, long decay) {}

    /**
     * What came of it.
     *
     * @param steps taken
     * @param tokens seen
     * @param loss of the last step, nats per token
     * @param validationLoss at the end
     * @param tokensPerSecond over all of it
     * @param mfu over all of it
     * @param seconds of all legs, also of those before a kill
     */
    public record Result(
            long steps,
            long tokens,
            double loss,
            double validationLoss,
            double tokensPerSecond,
            double mfu,
            double seconds) {}

    /** Told what the model writes by now. */
    @FunctionalInterface
    interface SampleListener {
        void wrote(long step, String prompt, String text);
    }

    private final RunDirectory directory;
    private final RunRecipe recipe;
    private final Plan plan;
    private final Kernels kernels;
    private final SampleListener samples;
    private final Picture picture;
    private final BiConsumer<Double, String> progress;

    Pretraining(
            RunDirectory directory,
            RunRecipe recipe,
            Plan plan,
            Kernels kernels,
            SampleListener samples,
            Picture picture,
            BiConsumer<Double, String> progress) {
        this.directory = directory;
        this.recipe = recipe;
        this.plan = plan;
        this.kernels = kernels;
        this.samples = samples;
        this.picture = picture;
        this.progress = progress;
    }

    /** Trains, or goes on, until about {@code budget} seconds of training are used. */
    Result run(double budget) throws IOException {
        double planned = plan.tokensPerSecond() / tokensPerStep(); // steps a second
        Progress at = reached(
                directory.notes(Stage.PRETRAIN, Progress.class).orElse(new Progress(0, 0, 0, 0)), lastStep(), planned);
        double rate = at.step() > 0 ? at.step() / at.seconds() : planned;
        double legSeconds = Math.clamp(budget / LEGS, LEAST_LEG_SECONDS, MOST_LEG_SECONDS);
        while (at.total() == 0) {
            double left = (1 - DECAY_SHARE) * budget - at.seconds();
            if (at.step() > 0 && left < 0.5 * legSeconds) {
                long decay = Math.max(1, Math.round((budget - at.seconds()) * rate));
                at = new Progress(at.step(), at.seconds(), at.step() + decay, decay);
                directory.keepNotes(Stage.PRETRAIN, at);
                break;
            }
            long steps = Math.max(2, Math.round(Math.min(left, legSeconds) * rate));
            if (at.step() == 0) {
                steps = Math.max(steps, recipe.warmupSteps()); // it must not end before the rate is reached
            }
            long began = System.nanoTime();
            leg(recipe.until(at.step() + steps, 0), at, budget);
            double seconds = (System.nanoTime() - began) / 1e9;
            at = new Progress(at.step() + steps, at.seconds() + seconds, 0, 0);
            rate = at.step() / at.seconds();
            directory.keepNotes(Stage.PRETRAIN, at);
        }
        RunRecipe whole = recipe.until(at.total(), at.decay());
        long began = System.nanoTime();
        StepReport last = leg(whole, at, budget);
        double seconds = at.seconds() + (System.nanoTime() - began) / 1e9;
        long tokens = at.total() * tokensPerStep();
        return new Result(
                at.total(),
                tokens,
                last.loss(),
                last.validationLoss().orElse(Double.NaN),
                tokens / seconds,
                tokens / seconds * plan.shape().flopsPerToken() / plan.speed().peakFlops(),
                seconds);
    }

    /**
     * Where a run is that was killed after a leg's checkpoint was written and before it took notes of it.
     *
     * @param noted the last notes
     * @param checkpoint the step of the last checkpoint; 0 if there is none
     * @param planned steps a second, for the first leg
     */
    static Progress reached(Progress noted, long checkpoint, double planned) {
        if (noted.total() > 0 || checkpoint <= noted.step()) {
            return noted;
        }
        double rate = noted.step() > 0 ? noted.step() / noted.seconds() : planned;
        return new Progress(checkpoint, noted.seconds() + (checkpoint - noted.step()) / rate, 0, 0);
    }

    private long lastStep() throws IOException {
        Optional<Path> last = checkpoint();
        return last.isEmpty()
                ? 0
                : Long.parseLong(last.get().getFileName().toString().substring(STEP.length()));
    }

    private long tokensPerStep() {
        return (long) recipe.sequences() * recipe.sequenceLength();
    }

    private StepReport leg(RunRecipe until, Progress before, double budget) throws IOException {
        Recipe written = until.write(directory.path("recipe.yaml"));
        long began = System.nanoTime();
        StepReport[] last = new StepReport[1];
        try (Trainer trainer = open(written)) {
            trainer.peak(plan.speed().peakFlops());
            if (trainer.state().step() >= until.steps()) { // killed between the checkpoint and the notes
                return picture.lastStep().orElseThrow();
            }
            trainer.run(Optional.empty(), step -> {
                last[0] = step;
                picture.step(step);
                step.samples().forEach(sample -> samples.wrote(step.step(), sample.prompt(), sample.text()));
                double seconds = before.seconds() + (System.nanoTime() - began) / 1e9;
                progress.accept(
                        fraction(before, until.steps() - step.step(), seconds, budget),
                        String.format(
                                java.util.Locale.ROOT,
                                "loss %.3f  %s tokens/s  MFU %.1f %%",
                                step.loss(),
                                Figures.count(Math.round(step.tokensPerSecond())),
                                100 * step.mfu().orElse(0.0)));
            });
        }
        return last[0];
    }

    /** By the clock while the end is open, by the steps of the last leg when it is settled. */
    private static double fraction(Progress before, long stepsLeft, double seconds, double budget) {
        if (before.total() == 0) {
            return Math.min(1, seconds / budget);
        }
        double open = Math.min(1, before.seconds() / budget);
        return 1 - (1 - open) * stepsLeft / Math.max(1.0, (double) before.decay());
    }

    private Trainer open(Recipe written) throws IOException {
        boolean fresh = checkpoint().isEmpty();
        return fresh ? Trainer.begin(written, kernels) : Trainer.resume(written, kernels, Optional.empty());
    }

    /** The last checkpoint: a Hugging Face directory. */
    Optional<Path> checkpoint() throws IOException {
        Path folder = recipe.output().resolve("checkpoints");
        if (!Files.isDirectory(folder)) {
            return Optional.empty();
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(entry -> entry.getFileName().toString().startsWith(STEP))
                    .max(Comparator.naturalOrder());
        }
    }
}
