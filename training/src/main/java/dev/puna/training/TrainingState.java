package dev.puna.training;

import java.util.List;

/**
 * Where a run is, beside its parameters. It has no generator: the order of the data, the weights and every rounding
 * follow from the seed and these numbers.
 *
 * @param step steps done, taken or skipped: decides the learning rate
 * @param updates steps taken: decides AdamW's bias corrections
 * @param cursor training sequences of the shortest length drawn: the next one is this
 * @param tokens training tokens seen: decides the batch ramp
 * @param recentLosses what new losses are compared with, oldest first
 * @param recentNorms the gradient norms of the same steps
 * @param divergences steps not taken in a row
 * @param rollbacks of the whole run
 */
public record TrainingState(
        long step,
        long updates,
        long cursor,
        long tokens,
        List<Double> recentLosses,
        List<Double> recentNorms,
        int divergences,
        int rollbacks) {
    public TrainingState {
        recentLosses = List.copyOf(recentLosses);
        recentNorms = List.copyOf(recentNorms);
    }

    static TrainingState beginning() {
        return new TrainingState(0, 0, 0, 0, List.of(), List.of(), 0, 0);
    }
}
