package dev.puna.speedrun;

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
 *   <li>The highest learning rate is {@code 0.006 · (256 / width)^½}; it rises over 2 % of the steps, holds, and falls to
 *       a fiftieth in the last 40 % (a schedule whose end may still move with the clock).
 * </ul>
 */
final class Planner {
    /** The part of the whole in which held-out text is measured. */
    static final double MEASURE_SHARE = 0.05;

    /** Cleaning, tokenizer, shards: seconds for each byte of raw text and thread. */
    private static final double DATA_BYTES_PER_SECOND = 12e6;

    private static final double LEAST_TRAINING_SHARE = 0.25;

    /** Compressors, export, completions, report. */
    private static final double CLOSING_SECONDS = 5;

    /** A document in this many is held out. */
    static final int HELD_OUT_ONE_IN = 50;

    /** What is left of raw text after cleaning, by experience. */
    private static final double KEPT_SHARE = 0.82;

    private Planner() {}

    /** Seconds to measure the machine's speed in. */
    static double measuringSeconds(double seconds) {
        return Math.clamp(0.05 * seconds, 4, 28);
    }

    /** Seconds to keep for what comes after training. */
    static double afterTraining(double seconds) {
        return CLOSING_SECONDS + MEASURE_SHARE * seconds;
    }

    /** A token of text goes through the model twice, for overlapping windows, at a third of what training it takes. */
    static double measuredBytes(double seconds, double tokensPerSecond, double bytesPerToken) {
        return MEASURE_SHARE * seconds * 1.5 * tokensPerSecond * bytesPerToken;
    }

    /**
     * The plan.
     *
     * @param seconds of the whole run
     * @param planning seconds that measuring took
     * @param rawBytes of the corpus before cleaning
     * @param memory bytes that parameters and activations may take
     * @throws ConfigurationException when the time or the text is too little for any model
     */
    static Plan plan(MachineSpeed speed, double seconds, double planning, long rawBytes, long memory) {
        double bytes = rawBytes * KEPT_SHARE;
        double data = rawBytes / DATA_BYTES_PER_SECOND;
        double other = planning + data + afterTraining(seconds);
        if (data > 0.6 * seconds) {
            throw new ConfigurationException(
                    "--minutes",
                    seconds / 60,
                    "cleaning " + rawBytes / 1_000_000 + " MB takes most of that; allow at least "
                            + (long) Math.ceil(2.5 * data / 60));
        }
        // On a machine that is busy with other things planning alone may take long; then the run does, too.
        double training = Math.max(seconds - other, LEAST_TRAINING_SHARE * seconds);
        Optional<Plan> best = Optional.empty();
        for (Shape shape : shapes(training)) {
            Plan plan = plan(shape, speed, training, other, bytes, seconds, memory);
            if (plan.memoryBytes() <= memory
                    && (best.isEmpty()
                            || plan.expectedBitsPerByte() < best.get().expectedBitsPerByte())) {
                best = Optional.of(plan);
            }
        }
        return best.orElseThrow(() -> new ConfigurationException(
                "memory", memory / 1_000_000 + " MB", "is too little for the smallest model"));
    }

    private static List<Shape> shapes(double trainingSeconds) {
        List<Shape> shapes = new ArrayList<>();
        int context = trainingSeconds > 1500 ? 1024 : 512;
        for (int width = 128; width <= 1536; width += 64) {
            int layers = Math.clamp(Math.round(width / 48.0), 3, 24);
            for (int vocabulary = 2048; vocabulary <= 16384; vocabulary *= 2) {
                shapes.add(Shape.of(width, layers, vocabulary, context));
            }
        }
        return shapes;
    }

    private static Plan plan(
            Shape shape, MachineSpeed speed, double training, double other, double bytes, double seconds, long memory) {
        double rate = 1 / speed.secondsPerToken(shape);
        double tokens = rate * training;
        double bytesPerToken = bytesPerToken(shape.vocabularySize());
        double expected = ScalingLaw.bitsPerByte(shape.layerParameters(), tokens * bytesPerToken, bytes);
        int batchTokens = (int) Math.clamp(2048 * Math.sqrt(tokens / 2e6), 2048, 65536);
        int sequences = Math.max(1, Math.round((float) batchTokens / shape.contextLength()));
        int micro = Math.min(sequences, Math.max(1, 8192 / shape.contextLength()));
        while (micro > 1 && memoryBytes(shape, micro) > memory) {
            micro /= 2;
        }
        sequences = Math.ceilDiv(sequences, micro) * micro;
        long steps = Math.max(20, (long) (tokens / sequences / shape.contextLength()));
        return new Plan(
                shape,
                sequences,
                micro,
                0.006 * Math.sqrt(256.0 / shape.width()),
                Math.clamp(steps / 50, 2, 500),
                speed,
                rate,
                training,
                tokens,
                bytes / bytesPerToken,
                (long) measuredBytes(seconds, rate, bytesPerToken),
                other,
                expected,
                memoryBytes(shape, micro));
    }

    private static long memoryBytes(Shape shape, int microSequences) {
        return ParameterStore.byteSize(shape.config(), false)
                + LlamaTraining.byteSize(
                        shape.config(), KeptActivations.EVERYTHING, microSequences * shape.contextLength());
    }

    /** Of the sources of the JDK: 3.02, 3.42, 3.74 bytes at 2,048, 4,096, 8,192 pieces; a line in the logarithm. */
    static double bytesPerToken(int vocabularySize) {
        return 3.02 + 0.36 * (Math.log(vocabularySize / 2048.0) / Math.log(2));
    }
}
