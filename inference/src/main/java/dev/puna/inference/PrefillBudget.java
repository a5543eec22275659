package dev.puna.inference;

/**
 * How many rows of prompts a step takes along beside those of streams (Agrawal et al. 2023, "SARATHI"), so that the next
 * tokens of the streams do not come too many times later than without. It learns from the steps how long they take. For
 * the engine's thread.
 */
final class PrefillBudget {
    /** How many times as long as streams alone a step with a part of a prompt may take. */
    private static final double STRETCH = 4;

    /** Rows of prompts in such a step: at least, and before anything is known about times. */
    static final int LEAST = 32;

    static final int UNKNOWN = 64;

    private final int most;
    /** Moving averages: a step of streams alone, and what a row of a prompt adds to it. */
    private double streamStepNanos;

    private double promptRowNanos;

    PrefillBudget(int most) {
        this.most = most;
    }

    /** Rows of prompts in the next step with streams. */
    int rows() {
        if (streamStepNanos == 0 || promptRowNanos == 0) {
            return Math.min(most, UNKNOWN);
        }
        double rows = (STRETCH - 1) * streamStepNanos / promptRowNanos;
        return (int) Math.clamp(rows, Math.min(most, LEAST), most);
    }

    /** How long a step took. */
    void note(int streamRows, int promptRows, long nanos) {
        if (streamRows > 0 && promptRows == 0) {
            streamStepNanos += (streamStepNanos == 0 ? 1 : 0.1) * (nanos - streamStepNanos);
        } else if (streamRows > 0 && promptRows >= LEAST && streamStepNanos > 0) {
            double perRow = Math.max(1.0, nanos - streamStepNanos) / promptRows;
            promptRowNanos += (promptRowNanos == 0 ? 1 : 0.1) * (perRow - promptRowNanos);
        }
    }
}
