package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTraining;
import dev.puna.model.PackedBatch;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A run of pretraining. Owns parameters, activations and the mapped shards; borrows the kernels.
 *
 * <p>One step: draw the global batch, sum the gradients of its pieces scaled by one over its valid tokens, look at loss
 * and gradient norm, clip, AdamW. What a step computes follows from the recipe, the shards and {@link TrainingState}.
 */
public final class Trainer implements AutoCloseable {
    private final Recipe recipe;
    private final LrSchedule schedule;
    private final TrainingBatches batches;
    private final ParameterStore parameters;
    private final LlamaTraining model;
    private final AdamW optimizer;
    private final ThreadTeam threads;
    private TrainingState state;
    private OptionalDouble peakFlops = OptionalDouble.empty();

    private Trainer(Recipe recipe, Kernels kernels) throws IOException {
        this.recipe = recipe;
        this.schedule = LrSchedule.of(recipe.schedule(), recipe.steps());
        this.batches = new TrainingBatches(recipe);
        LlamaConfig config = recipe.config();
        this.parameters = new ParameterStore(config);
        this.model = new LlamaTraining(parameters, kernels, recipe.computePrecision(), recipe.kept(), recipe.rows());
        this.optimizer = new AdamW(recipe.optimizer(), parameters, kernels);
        this.threads = kernels.threads();
        this.state = TrainingState.beginning();
    }

    /** A run from its beginning: weights from the seed, or from {@code model.start}. */
    public static Trainer begin(Recipe recipe, Kernels kernels) throws IOException {
        if (!CheckpointStore.complete(recipe).isEmpty()) {
            throw new ConfigurationException(
                    "output", recipe.output(), "has checkpoints already; resume the run, or choose another directory");
        }
        Trainer trainer = new Trainer(recipe, kernels);
        try {
            if (recipe.model().start().isEmpty()) {
                trainer.parameters.initialize(
                        new ParameterStore.Initialization(
                                recipe.initialization().deviation(),
                                recipe.initialization().depthScaled()),
                        recipe.seed(),
                        kernels.threads());
            } else {
                CheckpointStore.start(Path.of(recipe.model().start()), trainer.parameters, kernels);
            }
            return trainer;
        } catch (IOException | RuntimeException e) {
            trainer.close();
            throw e;
        }
    }

    /**
     * A run from where its last checkpoint, or a named one, left it.
     *
     * @throws ConfigurationException if there is none or it is damaged; the one before it is named
     */
    public static Trainer resume(Recipe recipe, Kernels kernels, Optional<Path> checkpoint) throws IOException {
        List<Path> complete = CheckpointStore.complete(recipe);
        if (checkpoint.isEmpty() && complete.isEmpty()) {
            throw new ConfigurationException(
                    "resume", CheckpointStore.directory(recipe), "has no complete checkpoint; run without --resume");
        }
        Trainer trainer = new Trainer(recipe, kernels);
        try {
            trainer.state = CheckpointStore.load(checkpoint.orElseGet(complete::getLast), trainer.parameters);
            return trainer;
        } catch (IOException | RuntimeException e) {
            trainer.close();
            throw e;
        }
    }

    /** What {@code mfu} is measured against, in floating-point operations per second. */
    public void peak(double flopsPerSecond) {
        peakFlops = OptionalDouble.of(flopsPerSecond);
    }

    public TrainingState state() {
        return state;
    }

    public ParameterStore parameters() {
        return parameters;
    }

    /**
     * Runs to the last step.
     *
     * @param watchPort port of the live page on 127.0.0.1, if one is wanted
     * @param progress sees every step
     * @throws DivergedException when the guards give up; the last checkpoint stays
     */
    public void run(Optional<Integer> watchPort, Consumer<StepReport> progress) throws IOException {
        Path output = Path.of(recipe.output());
        Files.createDirectories(output);
        Files.writeString(output.resolve("recipe.yaml"), recipe.toYaml());
        try (CheckpointStore checkpoints = new CheckpointStore(recipe);
                RunLog log = new RunLog(output, state.step())) {
            LivePage page = watchPort.isPresent() ? new LivePage(watchPort.get(), log::reports) : null;
            try {
                while (state.step() < recipe.steps()) {
                    StepReport report = step(checkpoints);
                    log.add(report);
                    progress.accept(report);
                    long every = recipe.checkpoints().every();
                    if (state.step() == recipe.steps() || (every > 0 && state.step() % every == 0)) {
                        checkpoints.save(parameters, state);
                    }
                }
                checkpoints.await();
                log.curves();
            } finally {
                close(page);
            }
        }
    }

    private static void close(@Nullable LivePage page) {
        if (page != null) {
            page.close();
        }
    }

    /** Draws a batch and takes, or refuses, one step. */
    private StepReport step(CheckpointStore checkpoints) throws IOException {
        long began = System.nanoTime();
        long number = state.step() + 1;
        int sequences = recipe.sequencesAfter(state.tokens());
        List<PackedBatch> pieces = new ArrayList<>();
        long valid = 0;
        for (int from = 0; from < sequences; from += recipe.batch().microSequences()) {
            int count = Math.min(recipe.batch().microSequences(), sequences - from);
            PackedBatch piece = batches.training(state.cursor() + from, count);
            pieces.add(piece);
            valid += piece.validCount();
        }
        parameters.clearGradients(threads);
        LlamaTraining.Loss loss = new LlamaTraining.Loss(0, 0);
        for (PackedBatch piece : pieces) {
            loss = loss.plus(model.forwardBackward(piece, 1f / Math.max(1, valid), (float) recipe.zLoss()));
        }
        double norm = optimizer.gradientNorm();
        double lr = schedule.lr(number);
        long tokens = (long) sequences * recipe.data().sequenceLength();
        Optional<String> divergence = divergence(loss.mean(), norm);
        if (divergence.isEmpty()) {
            optimizer.update(norm, lr, state.updates() + 1);
            List<Double> recent = new ArrayList<>(state.recentLosses());
            recent.add(loss.mean());
            while (recent.size() > recipe.guards().window()) {
                recent.removeFirst();
            }
            state = new TrainingState(
                    number, state.updates() + 1, state.cursor() + sequences, state.tokens() + tokens, recent, 0);
        } else {
            refuse(number, sequences, tokens, loss.mean(), norm, divergence.get(), checkpoints);
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        Optional<Double> validation = Optional.empty();
        long every = recipe.logging().validateEvery();
        if (batches.validationCount() > 0 && (number == recipe.steps() || (every > 0 && number % every == 0))) {
            validation = Optional.of(validate());
        }
        double bytesPerToken = recipe.data().bytesPerToken();
        double flops = recipe.flopsPerToken() * tokens / seconds;
        return new StepReport(
                number,
                loss.mean(),
                lr,
                norm,
                state.tokens(),
                batches.epochs(state.cursor()),
                tokens / seconds,
                flops / 1e9,
                peakFlops.isPresent() ? Optional.of(flops / peakFlops.getAsDouble()) : Optional.empty(),
                seconds * (recipe.steps() - number),
                divergence,
                validation,
                bytesPerToken > 0 ? validation.map(v -> v / Math.log(2) / bytesPerToken) : Optional.empty());
    }

    /** Why this step must not be taken. */
    private Optional<String> divergence(double loss, double norm) {
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            return Optional.of("loss " + loss + ", gradient norm " + norm);
        }
        double limit = recipe.guards().maxGradientNorm();
        if (limit > 0 && norm > limit) {
            return Optional.of("gradient norm " + norm + " is above " + limit);
        }
        List<Double> recent = state.recentLosses();
        if (recipe.guards().zScore() > 0
                && recent.size() >= Math.max(2, recipe.guards().window())) {
            double mean = 0;
            for (double value : recent) {
                mean += value / recent.size();
            }
            double variance = 0;
            for (double value : recent) {
                variance += (value - mean) * (value - mean) / recent.size();
            }
            double z = (loss - mean) / Math.max(Math.sqrt(variance), 1e-9);
            if (z > recipe.guards().zScore()) {
                return Optional.of(
                        "loss " + loss + " is " + z + " standard deviations above the last " + recent.size());
            }
        }
        return Optional.empty();
    }

    private void refuse(
            long number,
            int sequences,
            long tokens,
            double loss,
            double norm,
            String reason,
            CheckpointStore checkpoints)
            throws IOException {
        int inARow = state.divergences() + 1;
        if (recipe.guards().onDivergence().equals("stop")
                || inARow > recipe.guards().patience()) {
            checkpoints.await();
            throw new DivergedException(number, loss, norm, reason);
        }
        TrainingState past = new TrainingState(
                number,
                state.updates(),
                state.cursor() + sequences,
                state.tokens() + tokens,
                state.recentLosses(),
                inARow);
        if (recipe.guards().onDivergence().equals("rollback")) {
            checkpoints.await();
            List<Path> complete = CheckpointStore.complete(recipe);
            if (complete.isEmpty()) {
                throw new DivergedException(number, loss, norm, reason + "; there is no checkpoint to go back to");
            }
            TrainingState then = CheckpointStore.load(complete.getLast(), parameters);
            // Back to the weights of then, on with the data of now.
            state = new TrainingState(
                    then.step(), then.updates(), past.cursor(), past.tokens(), then.recentLosses(), inARow);
        } else {
            state = past;
        }
    }

    /** Nats per valid token of the validation sequences. */
    public double validate() {
        int all = batches.validationCount();
        int wanted = recipe.data().validationSequences();
        int count = wanted == 0 ? all : Math.min(all, wanted);
        LlamaTraining.Loss loss = new LlamaTraining.Loss(0, 0);
        for (int from = 0; from < count; from += recipe.batch().microSequences()) {
            int piece = Math.min(recipe.batch().microSequences(), count - from);
            loss = loss.plus(model.evaluate(batches.validation(from, piece)));
        }
        return loss.mean();
    }

    @Override
    public void close() {
        model.close();
        parameters.close();
        batches.close();
    }
}
