package dev.puna.training;

import java.util.List;

/**
 * Where a run is, beside its parameters. It has no generator: the order of the data and the weights follow from the seed
 * and these numbers.
 *
 * @param step steps done, taken or skipped: decides the learning rate
 * @param updates steps taken: decides AdamW's bias corrections
 * @param cursor training sequences drawn: the next one is this
 * @param tokens training tokens seen: decides the batch ramp
 * @param recentLosses what new losses are compared with, oldest first
 * @param divergences in a row
 */
public record TrainingState(
        long step, long updates, long cursor, long tokens, List<Double> recentLosses, int divergences) {
    public TrainingState {
        recentLosses = List.copyOf(recentLosses);
    }

    static TrainingState beginning() {
        return new TrainingState(0, 0, 0, 0, List.of(), 0);
    }
}
