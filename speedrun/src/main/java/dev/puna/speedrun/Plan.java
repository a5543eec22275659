package dev.puna.speedrun;

import java.util.Optional;

/**
 * What a run is going to do.
 *
 * @param shape of the model
 * @param sequences of a step
 * @param microSequences that go through a replica of the model at a time
 * @param replicas of the model that compute at the same time, one thread each
 * @param lr the highest learning rate
 * @param warmupSteps to it
 * @param speed what was measured
 * @param tokensPerSecond expected in training
 * @param trainingSeconds expected
 * @param trainingTokens expected to be seen, with repetition
 * @param textTokens expected in the training shard
 * @param otherSeconds expected for everything but training
 * @param afterSeconds of these for what follows training
 * @param expectedBitsPerByte of held-out text, by the scaling law
 * @param memoryBytes of parameters and activations
 */
public record Plan(
        Shape shape,
        int sequences,
        int microSequences,
        int replicas,
        double lr,
        long warmupSteps,
        MachineSpeed speed,
        double tokensPerSecond,
        double trainingSeconds,
        double trainingTokens,
        double textTokens,
        double otherSeconds,
        double afterSeconds,
        double expectedBitsPerByte,
        long memoryBytes) {
    /**
     * Text that is seen more often than this hardly teaches anything (Muennighoff et al. 2023: of up to 4 times as much
     * as of new text), and a model begins to know it by heart.
     */
    private static final double MOST_EPOCHS = 16;

    /** What to say when the text is too little for the time. */
    public Optional<String> warning(double minutes) {
        if (epochs() <= MOST_EPOCHS) {
            return Optional.empty();
        }
        return Optional.of(Figures.text(
                "the corpus is small for this time: all of it would be seen %.0f times, and beyond %.0f little is learned"
                        + " and much only by heart; add text, or take %.1f minutes",
                epochs(), MOST_EPOCHS, Math.max(SpeedrunRequest.LEAST_MINUTES, minutes * MOST_EPOCHS / epochs())));
    }

    /** Times that the text is seen. */
    public double epochs() {
        return trainingTokens / textTokens;
    }

    /** Floating-point operations of training. */
    public double flops() {
        return trainingTokens * shape.flopsPerToken();
    }

    /** Parameters in all. */
    public long parameters() {
        return shape.config().parameterCount();
    }
}
