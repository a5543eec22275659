package dev.puna.speedrun;

import dev.puna.kernels.ComputePrecision;
import dev.puna.model.GradientBuffer;
import dev.puna.model.KeptActivations;
import dev.puna.model.LlamaTraining;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ConfigurationException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Chooses the model for the time. The rules, and the runs that they were fitted to, are in docs/speedrun.md:
 *
 * <ul>
 *   <li>Shapes: widths from 128 by steps of 64; a layer for each 48 of the width; vocabularies of 2,048 to 16,384 pieces.
 *   <li>A shape's tokens are what its time for one ({@link MachineSpeed}) allows in the seconds of training.
 *   <li>The shape that {@link ScalingLaw} expects the fewest bits per byte of is taken.
 *   <li>A step has tokens that grow with the whole, {@code 2,048 · (tokens / 2M)^½} between 2,048 and 65,536.
 *   <li>The highest learning rate is {@code 0.0015 · (256 / width)^½}; it rises over 2 % of the steps, holds, and falls to
 *       a fiftieth in the last 40 % (a schedule whose end may still move with the clock).
 * </ul>
 */
final class Planner {
    /** Held-out text that is measured, at most: all of the JDK's. */
    private static final long MEASURED_BYTES = 5_000_000;

    /** The same in runs of less than five minutes, where all of it would take too large a part. */
    private static final long MEASURED_BYTES_OF_SHORT = 1_000_000;

    private static final double SHORT_SECONDS = 300;

    /** Cleaning, tokenizer, shards: seconds for each byte of raw text and thread. */
    private static final double DATA_BYTES_PER_SECOND = 12e6;

    private static final double LEAST_TRAINING_SHARE = 0.25;

    /** Export, completions, report. */
    private static final double CLOSING_SECONDS = 3;

    /** Both compressors, alone and packed. */
    private static final double COMPRESSED_BYTES_PER_SECOND = 500e3;

    /** Tokens that a model sees at a time. */
    private static final int CONTEXT = 1024;

    /** What is left of raw text after cleaning, by experience. */
    private static final double KEPT_SHARE = 0.82;

    private Planner() {}

    /** Seconds to measure the machine's speed in. */
    static double measuringSeconds(double seconds) {
        return Math.clamp(0.05 * seconds, 4, 28);
    }

    /** Bytes of held-out text to measure: the same in every run of this length, however fast the machine is. */
    static long measuredBytes(double seconds) {
        return seconds < SHORT_SECONDS ? MEASURED_BYTES_OF_SHORT : MEASURED_BYTES;
    }

    /**
     * Seconds to keep for what comes after training. A token of held-out text goes through the model twice, for
     * overlapping windows, at a third of what training it takes.
     */
    private static double afterTraining(double measured, double tokensPerSecond, double bytesPerToken) {
        return CLOSING_SECONDS
                + measured / COMPRESSED_BYTES_PER_SECOND
                + measured / bytesPerToken / (1.5 * tokensPerSecond);
    }

    /**
     * The plan.
     *
     * @param seconds of the whole run
     * @param planning seconds that measuring took
     * @param rawBytes of the corpus before cleaning
     * @param memory bytes that parameters and activations may take
     * @param threads that train
     * @throws ConfigurationException when the time or the text is too little for any model
     */
    static Plan plan(MachineSpeed speed, double seconds, double planning, long rawBytes, long memory, int threads) {
        double data = rawBytes / DATA_BYTES_PER_SECOND;
        double before = planning + data;
        if (data > 0.6 * seconds) {
            throw new ConfigurationException(
                    "--minutes",
                    seconds / 60,
                    "cleaning " + rawBytes / 1_000_000 + " MB takes most of that; allow at least "
                            + (long) Math.ceil(2.5 * data / 60));
        }
        Optional<Plan> best = Optional.empty();
        for (Shape shape : shapes()) {
            Plan plan = plan(shape, speed, before, rawBytes, seconds, memory, threads);
            if (plan.memoryBytes() <= memory
                    && (best.isEmpty()
                            || plan.expectedBitsPerByte() < best.get().expectedBitsPerByte())) {
                best = Optional.of(plan);
            }
        }
        return best.orElseThrow(() -> new ConfigurationException(
                "memory", memory / 1_000_000 + " MB", "is too little for the smallest model"));
    }

    private static List<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>();
        for (int width = 128; width <= 1536; width += 64) {
            int layers = Math.clamp(Math.round(width / 48.0), 3, 24);
            for (int vocabulary = 2048; vocabulary <= 16384; vocabulary *= 2) {
                shapes.add(Shape.of(width, layers, vocabulary, CONTEXT));
            }
        }
        return shapes;
    }

    private static Plan plan(
            Shape shape, MachineSpeed speed, double before, long rawBytes, double seconds, long memory, int threads) {
        double bytes = rawBytes * KEPT_SHARE;
        double heldOut = bytes / Corpus.heldOutOneIn(rawBytes);
        double rate = 1 / speed.secondsPerToken(shape);
        double bytesPerToken = bytesPerToken(shape.vocabularySize());
        double after = afterTraining(Math.min(heldOut, (double) measuredBytes(seconds)), rate, bytesPerToken);
        // On a machine that is busy with other things planning alone may take long; then the run does, too.
        double training = Math.max(seconds - before - after, LEAST_TRAINING_SHARE * seconds);
        double tokens = rate * training;
        double expected = ScalingLaw.bitsPerByte(shape.layerParameters(), tokens * bytesPerToken, bytes);
        int batchTokens = (int) Math.clamp(2048 * Math.sqrt(tokens / 2e6), 2048, 65536);
        int sequences = Math.max(1, Math.round((float) batchTokens / shape.contextLength()));
        int replicas = Math.min(threads, sequences);
        while (replicas > 1 && memoryBytes(shape, replicas) > memory) {
            replicas /= 2;
        }
        sequences = Math.ceilDiv(sequences, replicas) * replicas;
        long steps = Math.max(20, (long) (tokens / sequences / shape.contextLength()));
        return new Plan(
                shape,
                sequences,
                1,
                replicas,
                0.0015 * Math.sqrt(256.0 / shape.width()),
                Math.clamp(steps / 50, 2, 500),
                speed,
                rate,
                training,
                tokens,
                bytes / bytesPerToken,
                before + after,
                after,
                expected,
                memoryBytes(shape, replicas));
    }

    private static long memoryBytes(Shape shape, int replicas) {
        return ParameterStore.byteSize(shape.config(), false)
                + (replicas - 1) * GradientBuffer.byteSize(shape.config())
                + replicas
                        * LlamaTraining.byteSize(
                                shape.config(),
                                KeptActivations.EVERYTHING,
                                shape.contextLength(),
                                ComputePrecision.BF16);
    }

    /** Of the sources of the JDK: 3.02, 3.42, 3.74 bytes at 2,048, 4,096, 8,192 pieces; a line in the logarithm. */
    static double bytesPerToken(int vocabularySize) {
        return 3.02 + 0.36 * (Math.log(vocabularySize / 2048.0) / Math.log(2));
    }
}
