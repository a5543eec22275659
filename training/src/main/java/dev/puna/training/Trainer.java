package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTraining;
import dev.puna.model.PackedBatch;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
 * <pre>{@code
 * Recipe recipe = Recipe.read(Path.of("recipes/llama-15m.yaml"), List.of("steps=500"));
 * try (ThreadTeam team = new ThreadTeam("train", 2);
 *         Kernels kernels = Kernels.open("auto", team);
 *         Trainer trainer = Trainer.begin(recipe, kernels)) {
 *     trainer.run(Optional.empty(), report -> System.out.println(report.step() + " " + report.loss()));
 * }
 * }</pre>
 *
 * <p>One step: draw the global batch, sum the gradients of its pieces scaled by one over its valid tokens, look at loss
 * and gradient norm, clip, AdamW. What a step computes follows from the recipe, the shards and {@link TrainingState}.
 *
 * <p>A run leaves in {@code output}: {@code recipe.yaml} (resolved), {@code checkpoints/step-N} (Hugging Face directories
 * with {@code trainer/} in them), {@code metrics.jsonl} (one {@link StepReport} a line), {@code tensorboard/}, and at its
 * end curves as PNG.
 *
 * <p>Not for concurrent use.
 */
public final class Trainer implements AutoCloseable {
    /** Weight of the newest step in the rate from which the time left is told. */
    private static final double NEWEST = 0.1;

    private final Recipe recipe;
    private final Kernels kernels;
    private final LrSchedule schedule;
    private final DivergenceGuard guard;
    private final TrainingBatches batches;
    private final Optional<SampleWriter> samples;
    private final ParameterStore parameters;
    private final Replicas replicas;
    private final AdamW optimizer;
    private TrainingState state;
    private List<String> changes = List.of();
    private OptionalDouble peakFlops = OptionalDouble.empty();
    private double usualSeconds;

    private Trainer(Recipe recipe, Kernels kernels) throws IOException {
        this.recipe = recipe;
        this.kernels = kernels;
        this.schedule = LrSchedule.of(recipe.schedule(), recipe.steps());
        this.guard = new DivergenceGuard(recipe.guards());
        LlamaConfig config = recipe.config();
        CheckpointStore.requireSpace(recipe);
        this.batches = new TrainingBatches(recipe);
        ParameterStore made = null;
        try {
            this.samples = recipe.samples().every() == 0
                    ? Optional.empty()
                    : batches.tokenizer().map(tokenizer -> new SampleWriter(recipe, kernels, tokenizer));
            made = new ParameterStore(config, recipe.stochasticRounding());
            this.replicas = new Replicas(recipe, made, kernels);
        } catch (RuntimeException | Error e) {
            if (made != null) {
                made.close();
            }
            batches.close();
            throw e;
        }
        this.parameters = made;
        this.optimizer = new AdamW(recipe.optimizer(), parameters, kernels);
        this.state = TrainingState.beginning();
    }

    /**
     * A run from its beginning: weights from the seed, or from {@code model.start}.
     *
     * @throws ConfigurationException before the first step: for shards that are missing or of another vocabulary, too
     *     little space on the disk, an output directory that holds checkpoints already
     */
    public static Trainer begin(Recipe recipe, Kernels kernels) throws IOException {
        if (!CheckpointStore.complete(recipe).isEmpty()) {
            throw new ConfigurationException(
                    "output",
                    recipe.output(),
                    "has checkpoints already; go on with --resume last, or choose another directory");
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
            trainer.round();
            return trainer;
        } catch (IOException | RuntimeException | Error e) {
            trainer.close();
            throw e;
        }
    }

    /**
     * A run from where its last checkpoint, or a named one, left it. What the recipe changes is in {@link #changes};
     * values that would have made other steps before the checkpoint are refused, except where the checkpoint lies in
     * another run's directory: then this run is a branch of that one.
     *
     * @throws ConfigurationException if there is no checkpoint, if it is damaged (the one before it is named), or if it
     *     does not go with the recipe
     */
    public static Trainer resume(Recipe recipe, Kernels kernels, Optional<Path> checkpoint) throws IOException {
        List<Path> complete = CheckpointStore.complete(recipe);
        if (checkpoint.isEmpty() && complete.isEmpty()) {
            throw new ConfigurationException(
                    "resume", CheckpointStore.directory(recipe), "has no complete checkpoint; run without --resume");
        }
        Path from = checkpoint.orElseGet(complete::getLast);
        CheckpointStore.verify(from);
        Recipe old = CheckpointStore.recipe(from);
        boolean branch = !CheckpointStore.directory(recipe)
                .toAbsolutePath()
                .normalize()
                .equals(from.toAbsolutePath().normalize().getParent());
        TrainingState state = CheckpointStore.state(from);
        List<String> changes = branch ? RecipeChanges.between(old, recipe) : RecipeChanges.check(old, recipe, state);
        Trainer trainer = new Trainer(recipe, kernels);
        try {
            if (!branch) {
                CheckpointStore.requireSameData(from, trainer.batches.sourceTokens());
            }
            CheckpointStore.load(from, trainer.parameters);
            trainer.state = state;
            trainer.changes = changes;
            trainer.round();
            return trainer;
        } catch (IOException | RuntimeException | Error e) {
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

    /** Fields of the recipe that are not what they were when the checkpoint was written, {@code field: old -> new}. */
    public List<String> changes() {
        return changes;
    }

    /**
     * Runs to the last step.
     *
     * @param watchPort port of the live page on 127.0.0.1, if one is wanted
     * @param progress sees every step
     * @throws DivergedException when the guards give up; the last checkpoint stays
     * @throws IOException when something cannot be written; the message names the last complete checkpoint
     */
    public void run(Optional<Integer> watchPort, Consumer<StepReport> progress) throws IOException {
        Path output = Path.of(recipe.output());
        Files.createDirectories(output);
        try (CheckpointStore checkpoints =
                        new CheckpointStore(recipe, batches.tokenizer(), batches.sourceTokens(), state.step());
                RunLog log = new RunLog(output, state.step())) {
            AtomicFile.write(output.resolve("recipe.yaml"), recipe.toYaml().getBytes(StandardCharsets.UTF_8));
            LivePage page = watchPort.isPresent() ? new LivePage(watchPort.get(), recipe, log::reports) : null;
            try {
                while (state.step() < recipe.steps()) {
                    StepReport report = step(checkpoints);
                    log.add(report);
                    progress.accept(report);
                    long every = recipe.checkpoints().every();
                    boolean taken = report.rolledBackTo().isEmpty();
                    if (state.step() == recipe.steps() || (taken && every > 0 && state.step() % every == 0)) {
                        checkpoints.save(parameters, state);
                    }
                }
                checkpoints.await();
                log.curves();
            } catch (DivergedException e) {
                log.curves();
                throw e;
            } catch (IOException e) {
                throw stopped(e, checkpoints);
            } finally {
                close(page);
            }
        }
    }

    private IOException stopped(IOException e, CheckpointStore checkpoints) throws IOException {
        try {
            checkpoints.await();
        } catch (IOException another) {
            e.addSuppressed(another);
        }
        List<Path> left = CheckpointStore.complete(recipe);
        return new IOException(
                "the run stopped after step " + state.step() + ": " + e.getMessage() + "; "
                        + (left.isEmpty()
                                ? "there is no checkpoint yet"
                                : "the last complete checkpoint is " + left.getLast()
                                        + ", --resume last goes on from there"),
                e);
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
        Recipe.Stage stage = recipe.stageAfter(state.tokens());
        long cursor = batches.align(state.cursor(), stage.sequenceLength());
        LlamaTraining.Loss loss = gradients(cursor, stage);
        double norm = optimizer.gradientNorm();
        double lr = schedule.lr(number);
        TrainingState before = state;
        Optional<String> divergence = guard.judge(loss.mean(), norm, before);
        TrainingState drawn = new TrainingState(
                number,
                before.updates(),
                batches.advance(cursor, stage, stage.sequences()),
                before.tokens() + stage.tokens(),
                before.recentLosses(),
                before.recentNorms(),
                before.divergences(),
                before.rollbacks());
        Optional<Long> rolledBackTo = Optional.empty();
        if (divergence.isEmpty()) {
            optimizer.update(norm, lr, before.updates() + 1);
            state = new TrainingState(
                    number,
                    before.updates() + 1,
                    drawn.cursor(),
                    drawn.tokens(),
                    guard.remember(before.recentLosses(), loss.mean()),
                    guard.remember(before.recentNorms(), norm),
                    0,
                    before.rollbacks());
            round();
        } else {
            refuse(drawn, loss.mean(), norm, divergence.get(), checkpoints);
            rolledBackTo = state.step() < number ? Optional.of(state.step()) : Optional.empty();
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        usualSeconds = usualSeconds == 0 ? seconds : (1 - NEWEST) * usualSeconds + NEWEST * seconds;
        Optional<Evaluation> evaluation = Optional.empty();
        if (batches.validationCount() > 0 && isDue(number, recipe.logging().validateEvery(), true)) {
            evaluation = Optional.of(evaluate());
        }
        List<StepReport.Sample> written =
                samples.isPresent() && isDue(number, recipe.samples().every(), false)
                        ? samples.get().write(parameters, number)
                        : List.of();
        double perSecond = stage.tokens() / seconds;
        double flops = recipe.flopsPerToken(stage.sequenceLength(), 0.5) * perSecond;
        double fullFlops = recipe.flopsPerToken(stage.sequenceLength(), 1) * perSecond;
        return new StepReport(
                number,
                loss.mean(),
                lr,
                norm,
                state.tokens(),
                batches.epochs(state.cursor()),
                seconds,
                perSecond,
                flops / 1e9,
                ofPeak(flops),
                ofPeak(fullFlops),
                usualSeconds * (recipe.steps() - state.step()),
                divergence,
                rolledBackTo,
                evaluation.map(Evaluation::loss),
                evaluation.flatMap(Evaluation::bitsPerByte),
                written);
    }

    private Optional<Double> ofPeak(double flops) {
        return peakFlops.isPresent() ? Optional.of(flops / peakFlops.getAsDouble()) : Optional.empty();
    }

    private boolean isDue(long step, long every, boolean atTheEnd) {
        return (atTheEnd && step == recipe.steps()) || (every > 0 && step % every == 0);
    }

    /** Sums the gradients of a global batch, in pieces, divided by its valid tokens. */
    private LlamaTraining.Loss gradients(long cursor, Recipe.Stage stage) {
        int together = recipe.rows() / stage.sequenceLength();
        List<PackedBatch> pieces = new ArrayList<>();
        long valid = 0;
        for (int from = 0; from < stage.sequences(); from += together) {
            pieces.add(piece(cursor, stage, from, together));
            valid += pieces.getLast().validCount();
        }
        return replicas.forwardBackward(pieces, 1f / Math.max(1, valid), (float) recipe.zLoss());
    }

    private PackedBatch piece(long cursor, Recipe.Stage stage, int from, int together) {
        int count = Math.min(together, stage.sequences() - from);
        return batches.training(batches.advance(cursor, stage, from), stage.sequenceLength(), count);
    }

    /** Gives the model the weights as they are now, where it sees them rounded by chance. */
    private void round() {
        parameters.roundStochastically(recipe.seed(), state.updates(), kernels.threads());
    }

    /** @param drawn where the run is when the step's data are behind it */
    private void refuse(TrainingState drawn, double loss, double norm, String reason, CheckpointStore checkpoints)
            throws IOException {
        int inARow = drawn.divergences() + 1;
        Optional<String> giveUp = giveUp(inARow, drawn.rollbacks());
        if (giveUp.isPresent()) {
            checkpoints.await();
            throw new DivergedException(drawn.step(), loss, norm, reason + giveUp.get());
        }
        if (!recipe.guards().onDivergence().equals("rollback")) {
            state = new TrainingState(
                    drawn.step(),
                    drawn.updates(),
                    drawn.cursor(),
                    drawn.tokens(),
                    drawn.recentLosses(),
                    drawn.recentNorms(),
                    inARow,
                    drawn.rollbacks());
            return;
        }
        checkpoints.await();
        List<Path> complete = CheckpointStore.complete(recipe);
        if (complete.isEmpty()) {
            throw new DivergedException(drawn.step(), loss, norm, reason + "; there is no checkpoint to go back to");
        }
        CheckpointStore.verify(complete.getLast());
        CheckpointStore.load(complete.getLast(), parameters);
        TrainingState then = CheckpointStore.state(complete.getLast());
        // Back to the weights of then, on with the data of now.
        state = new TrainingState(
                then.step(),
                then.updates(),
                drawn.cursor(),
                drawn.tokens(),
                then.recentLosses(),
                then.recentNorms(),
                inARow,
                drawn.rollbacks() + 1);
        round();
    }

    /** Why the run ends here, if it does. */
    private Optional<String> giveUp(int inARow, int rollbacks) {
        Recipe.Guards guards = recipe.guards();
        if (guards.onDivergence().equals("stop")) {
            return Optional.of("");
        }
        if (inARow > guards.patience()) {
            return Optional.of("; that is more than guards.patience=" + guards.patience() + " in a row");
        }
        if (guards.onDivergence().equals("rollback") && rollbacks >= guards.maxRollbacks()) {
            return Optional.of("; guards.maxRollbacks=" + guards.maxRollbacks() + " are used up");
        }
        return Optional.empty();
    }

    private record Evaluation(double loss, Optional<Double> bitsPerByte) {}

    /** Nats per valid token of the validation sequences. */
    public double validate() {
        return evaluate().loss();
    }

    /** The loss of batches of at most {@link Recipe#rows} rows each, without gradients. */
    public LlamaTraining.Loss evaluate(List<PackedBatch> pieces) {
        return replicas.evaluate(pieces);
    }

    private Evaluation evaluate() {
        int all = batches.validationCount();
        int wanted = recipe.data().validationSequences();
        int count = wanted == 0 ? all : Math.min(all, wanted);
        List<PackedBatch> pieces = new ArrayList<>();
        long bytes = 0;
        for (int from = 0; from < count; from += recipe.batch().microSequences()) {
            int together = Math.min(recipe.batch().microSequences(), count - from);
            PackedBatch piece = batches.validation(from, together, count);
            pieces.add(piece);
            bytes += batches.textBytes(piece);
        }
        LlamaTraining.Loss loss = replicas.evaluate(pieces);
        double bits = loss.sum() / Math.log(2);
        double perToken = recipe.data().bytesPerToken();
        return new Evaluation(
                loss.mean(),
                bytes > 0
                        ? Optional.of(bits / bytes)
                        : perToken > 0 ? Optional.of(bits / (loss.validCount() * perToken)) : Optional.empty());
    }

    @Override
    public void close() {
        replicas.close();
        parameters.close();
        batches.close();
    }
}
