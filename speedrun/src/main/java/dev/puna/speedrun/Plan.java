package dev.puna.speedrun;

/**
 * What a run is going to do.
 *
 * @param shape of the model
 * @param sequences of a step
 * @param microSequences that go through the model at a time
 * @param lr the highest learning rate
 * @param warmupSteps to it
 * @param speed what was measured
 * @param tokensPerSecond expected in training
 * @param trainingSeconds expected
 * @param trainingTokens expected to be seen, with repetition
 * @param textTokens expected in the training shard
 * @param measuredBytes of held-out text that are measured in the end, at most
 * @param otherSeconds expected for everything but training
 * @param expectedBitsPerByte of held-out text, by the scaling law
 * @param memoryBytes of parameters and activations
 */
public record Plan(
        Shape shape,
        int sequences,
        int microSequences,
        double lr,
        long warmupSteps,
        MachineSpeed speed,
        double tokensPerSecond,
        double trainingSeconds,
        double trainingTokens,
        double textTokens,
        long measuredBytes,
        double otherSeconds,
        double expectedBitsPerByte,
        long memoryBytes) {
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
