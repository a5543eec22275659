package dev.puna.model;

import java.util.List;
import java.util.Optional;

/**
 * The rows of one forward pass: tokens of one or several sequences, sequence after sequence.
 *
 * @param ids N token ids
 * @param sequences cover the N rows in order, without gaps; one sequence appears once
 * @param wanted ascending numbers of the rows whose outputs are wanted; the others only fill the caches
 */
public record TokenBatch(int[] ids, List<Rows> sequences, int[] wanted) {
    /**
     * Consecutive rows of one sequence.
     *
     * @param cache holds positions {@code 0 … firstPosition − 1} already, and has room for these
     * @param firstPosition the position of the first row
     * @param count how many rows
     * @param adapter what is added to the linear layers for these rows
     */
    public record Rows(KvSequence cache, int firstPosition, int count, Optional<LoraAdapter> adapter) {
        /** Rows that the model computes as it is. */
        public Rows(KvSequence cache, int firstPosition, int count) {
            this(cache, firstPosition, count, Optional.empty());
        }

        public Rows {
            if (firstPosition < 0 || count < 0 || (long) firstPosition + count > cache.capacity()) {
                throw new IllegalArgumentException("positions " + firstPosition + " … " + ((long) firstPosition + count)
                        + " do not fit a cache of " + cache.capacity());
            }
        }
    }

    public TokenBatch {
        sequences = List.copyOf(sequences);
        int rows = 0;
        for (Rows sequence : sequences) {
            rows += sequence.count();
        }
        if (rows != ids.length) {
            throw new IllegalArgumentException(ids.length + " ids for sequences of " + rows + " rows");
        }
        int previous = -1;
        for (int row : wanted) {
            if (row <= previous || row >= ids.length) {
                throw new IllegalArgumentException(
                        "wanted rows must ascend below " + ids.length + ": " + row + " after " + previous);
            }
            previous = row;
        }
    }

    /** One sequence, of which only the last row's output is wanted. */
    public static TokenBatch lastOf(int[] ids, KvSequence cache, int firstPosition) {
        return new TokenBatch(ids, List.of(new Rows(cache, firstPosition, ids.length)), new int[] {ids.length - 1});
    }

    /** One sequence, of which every row's output is wanted. */
    public static TokenBatch allOf(int[] ids, KvSequence cache, int firstPosition) {
        int[] wanted = new int[ids.length];
        for (int i = 0; i < wanted.length; i++) {
            wanted[i] = i;
        }
        return new TokenBatch(ids, List.of(new Rows(cache, firstPosition, ids.length)), wanted);
    }

    /** One sequence whose cache is filled, and nothing else wanted. */
    public static TokenBatch noneOf(int[] ids, KvSequence cache, int firstPosition) {
        return new TokenBatch(ids, List.of(new Rows(cache, firstPosition, ids.length)), new int[0]);
    }
}
