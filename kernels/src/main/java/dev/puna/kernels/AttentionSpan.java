package dev.puna.kernels;

/**
 * Consecutive rows of a batch that belong to one sequence: its cache for the layer at hand, the position of the first
 * row, and how many rows there are.
 */
public record AttentionSpan(KvView cache, int firstPosition, int rowCount) {
    public AttentionSpan {
        if (firstPosition < 0 || rowCount < 0 || (long) firstPosition + rowCount > cache.capacity()) {
            throw new IllegalArgumentException("positions " + firstPosition + " … " + ((long) firstPosition + rowCount)
                    + " do not fit a cache of " + cache.capacity());
        }
    }
}
