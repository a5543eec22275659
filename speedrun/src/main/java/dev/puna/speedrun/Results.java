package dev.puna.speedrun;

import java.util.List;

/**
 * What a run came to.
 *
 * @param plan of it
 * @param seconds of all stages together
 * @param stages seconds by stage, in order
 * @param training what training came to
 * @param heldOut the model on held-out text
 * @param yardstick the compressors on the same text
 * @param trainingBytes of text in the training shard
 * @param trainingTokens in the training shard
 * @param peakMemoryBytes largest resident size of the process; 0 where the system does not tell
 * @param samples five completions
 */
public record Results(
        Plan plan,
        double seconds,
        List<StageSeconds> stages,
        Pretraining.Result training,
        HeldOutMeasure heldOut,
        Yardstick yardstick,
        long trainingBytes,
        long trainingTokens,
        long peakMemoryBytes,
        List<Samples> samples) {
    /** What a stage took. */
    public record StageSeconds(String stage, double seconds) {}

    public Results {
        stages = List.copyOf(stages);
        samples = List.copyOf(samples);
    }

    /** The share of data and tokenizer in the whole. */
    public double dataShare() {
        double data = 0;
        for (StageSeconds stage : stages) {
            if (List.of(Stage.CLEAN.title(), Stage.TOKENIZER.title(), Stage.TOKENS.title())
                    .contains(stage.stage())) {
                data += stage.seconds();
            }
        }
        return data / seconds;
    }
}
