package dev.puna.model;

import dev.puna.kernels.Kernels;

/**
 * Rows of whole sequences, one after the other.
 *
 * @param ids N tokens
 * @param targets N tokens to predict, {@link Kernels#IGNORED} where nothing counts
 * @param positions N positions within their sequences
 * @param firstVisible N rows: the first that a row sees, where its sequence or its document begins
 */
public record PackedBatch(int[] ids, int[] targets, int[] positions, int[] firstVisible) {
    public PackedBatch {
        if (targets.length != ids.length || positions.length != ids.length || firstVisible.length != ids.length) {
            throw new IllegalArgumentException("a batch of " + ids.length + " ids, " + targets.length + " targets, "
                    + positions.length + " positions and " + firstVisible.length + " visible beginnings");
        }
    }

    public int rowCount() {
        return ids.length;
    }

    /** Rows that count. */
    public int validCount() {
        int count = 0;
        for (int target : targets) {
            count += target == Kernels.IGNORED ? 0 : 1;
        }
        return count;
    }
}
