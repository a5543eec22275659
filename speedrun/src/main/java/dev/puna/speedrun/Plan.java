package dev.puna.speedrun;

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
