package dev.puna.training;

import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.kernels.bench.TimedKernels;
import dev.puna.model.KeptActivations;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTraining;
import dev.puna.model.PackedBatch;
import dev.puna.model.ParameterStore;
import dev.puna.model.RopeScaling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * How fast a step of a recipe is: random tokens, forward, backward, clipping and AdamW as {@link Trainer} does them, all
 * sequences of the batch. First the answer is checked: loss and gradients of a small model against the plain truth.
 */
public final class TrainingBench {
    /**
     * What was measured.
     *
     * @param tokens of a step
     * @param secondsPerStep the median
     * @param flopsPerToken as {@link Recipe#flopsPerToken}
     * @param firstLoss before the first step, near ln V where weights are random
     * @param lastLoss of the last step, on the same batch
     * @param profile per operation, of all timed steps and all replicas together
     * @param steps that were timed
     */
    public record Result(
            long tokens,
            double secondsPerStep,
            double flopsPerToken,
            double firstLoss,
            double lastLoss,
            List<TimedKernels.Time> profile,
            int steps) {
        public double tokensPerSecond() {
            return tokens / secondsPerStep;
        }

        public double gigaflops() {
            return tokensPerSecond() * flopsPerToken / 1e9;
        }
    }

    private static final int WARM_UP = 2;

    /** Odd in every dimension that may be. */
    private static final LlamaConfig CHECKED =
            new LlamaConfig(197, 72, 2, 4, 2, 18, 101, 64, 1e-5f, 10000, new RopeScaling.None(), true, false, false);

    private TrainingBench() {}

    /** @param steps to time, after two to warm up */
    public static Result run(Recipe recipe, Kernels untimed, int steps) {
        TimedKernels kernels = new TimedKernels(untimed); // not closed: the kernels are the caller's
        List<TimedKernels> clocks = new ArrayList<>(List.of(kernels));
        LlamaConfig config = recipe.config();
        int sequences = recipe.batch().sequences();
        int together = recipe.batch().microSequences();
        int length = recipe.data().sequenceLength();
        try (ParameterStore parameters = new ParameterStore(config);
                Replicas model = new Replicas(recipe, parameters, kernels, replica -> watched(replica, clocks))) {
            parameters.initialize(
                    new ParameterStore.Initialization(
                            recipe.initialization().deviation(),
                            recipe.initialization().depthScaled()),
                    recipe.seed(),
                    kernels.threads());
            AdamW optimizer = new AdamW(recipe.optimizer(), parameters, kernels);
            Random random = new Random(recipe.seed());
            List<PackedBatch> pieces = new ArrayList<>();
            long valid = 0;
            for (int from = 0; from < sequences; from += together) {
                pieces.add(batch(config, Math.min(together, sequences - from), length, length, random));
                valid += pieces.getLast().validCount();
            }
            double[] seconds = new double[steps];
            double first = 0;
            double last = 0;
            for (int step = -WARM_UP; step < steps; step++) {
                if (step == 0) {
                    clocks.forEach(TimedKernels::clear);
                }
                long began = System.nanoTime();
                LlamaTraining.Loss loss = model.forwardBackward(pieces, 1f / valid, (float) recipe.zLoss());
                optimizer.update(optimizer.gradientNorm(), recipe.schedule().lr(), WARM_UP + step + 1L);
                if (step >= 0) {
                    seconds[step] = (System.nanoTime() - began) / 1e9;
                }
                first = step == -WARM_UP ? loss.mean() : first;
                last = loss.mean();
            }
            Arrays.sort(seconds);
            return new Result(
                    (long) sequences * length,
                    seconds[steps / 2],
                    recipe.flopsPerToken(),
                    first,
                    last,
                    TimedKernels.together(clocks),
                    steps);
        }
    }

    /** The kernels of a replica under a clock of its own; those that are watched already stay as they are. */
    private static Kernels watched(Kernels kernels, List<TimedKernels> clocks) {
        if (kernels instanceof TimedKernels) {
            return kernels;
        }
        clocks.add(new TimedKernels(kernels));
        return clocks.getLast();
    }

    /** @param documentLength rows see no further back than multiples of this in their sequence */
    private static PackedBatch batch(LlamaConfig config, int sequences, int length, int documentLength, Random random) {
        int n = sequences * length;
        int[] positions = new int[n];
        int[] firstVisible = new int[n];
        Arrays.setAll(positions, i -> i % length % documentLength);
        Arrays.setAll(firstVisible, i -> i - positions[i]);
        int[] ids = random.ints(n, 0, config.vocabularySize()).toArray();
        int[] targets = random.ints(n, 0, config.vocabularySize()).toArray();
        return new PackedBatch(ids, targets, positions, firstVisible);
    }

    /** How far a step is from the truth: the loss, and all gradients together, both relative. */
    public record Difference(double loss, double gradients) {
        /** What rounding alone explains: fp32 sums in another order, or bf16's eight bits at more places. */
        public boolean explainedBy(ComputePrecision precision) {
            return switch (precision) {
                case F32 -> loss <= 1e-5 && gradients <= 1e-4;
                case BF16 -> loss <= 1e-2 && gradients <= 3e-2;
            };
        }
    }

    /** A small model with grouped heads and documents, on these kernels and on the plain ones. */
    public static Difference check(Kernels kernels, ComputePrecision precision) {
        LlamaConfig config = CHECKED;
        double[] losses = new double[2];
        double squares = 0;
        double difference = 0;
        try (ParameterStore tested = new ParameterStore(config);
                ParameterStore truth = new ParameterStore(config)) {
            ParameterStore[] stores = {tested, truth};
            for (int i = 0; i < 2; i++) {
                stores[i].initialize(new ParameterStore.Initialization(0.05, false), 7, kernels.threads());
                PackedBatch batch = batch(config, 3, 47, 31, new Random(5));
                Kernels which = i == 0 ? kernels : new ReferenceKernels(kernels.threads());
                try (LlamaTraining model = new LlamaTraining(
                        stores[i], which, precision, KeptActivations.LINEAR_OUTPUTS, batch.rowCount())) {
                    losses[i] = model.forwardBackward(batch, 1f / batch.rowCount(), 0)
                            .mean();
                }
            }
            for (int p = 0; p < truth.parameters().size(); p++) {
                float[] expected = truth.parameters().get(p).gradient().toFloats();
                float[] found = tested.parameters().get(p).gradient().toFloats();
                for (int i = 0; i < expected.length; i++) {
                    squares += (double) expected[i] * expected[i];
                    difference += Math.pow((double) found[i] - expected[i], 2);
                }
            }
        }
        return new Difference(Math.abs(losses[0] - losses[1]) / losses[1], Math.sqrt(difference / squares));
    }
}
