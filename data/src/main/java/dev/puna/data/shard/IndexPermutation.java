package dev.puna.data.shard;

/**
 * A seeded permutation of {@code [0, size)} that needs no memory and can be asked at any place: a four-round Feistel
 * network over the next power of four, walked until it falls inside (Black and Rogaway, Ciphers with arbitrary finite
 * domains, 2002). What a shuffled epoch needs to be resumed from its position alone.
 */
public final class IndexPermutation {
    private final long size;
    private final int halfBits;
    private final long mask;
    private final long[] keys = new long[4];

    /** @param size numbers in the permutation, at least 1 */
    public IndexPermutation(long size, long seed) {
        if (size < 1) {
            throw new dev.puna.tensor.ConfigurationException("size", size, "a permutation needs at least 1 index");
        }
        this.size = size;
        this.halfBits = Math.max(1, (65 - Long.numberOfLeadingZeros(size - 1)) / 2);
        this.mask = (1L << halfBits) - 1;
        for (int i = 0; i < keys.length; i++) {
            keys[i] = mix(seed + (i + 1) * 0x9E3779B97F4A7C15L);
        }
    }

    /** SplitMix64's finalizer. */
    static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** Where {@code index} goes; every index of {@code [0, size)} goes to another one of them. */
    public long apply(long index) {
        java.util.Objects.checkIndex(index, size);
        long x = index;
        do {
            long left = x >>> halfBits;
            long right = x & mask;
            for (long key : keys) {
                long next = left ^ (mix(right ^ key) & mask);
                left = right;
                right = next;
            }
            x = (left << halfBits) | right;
        } while (x >= size);
        return x;
    }
}
