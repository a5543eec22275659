package dev.puna.data.ngram;

/**
 * Values of 64-bit hashes by open addressing, each beside its key, so that a look is one line of the cache. What has the
 * same hash is the same here; whoever fills it hears of a second one. Safe for all threads once it is filled.
 */
final class HashedPairs {
    private final long[] pairs; // key, value; a key of 0 is an empty place
    private final int places;

    /** @param count how many there will be at most */
    HashedPairs(int count) {
        this.places = Math.max(16, Math.toIntExact(Math.min(count + count / 2L, (Integer.MAX_VALUE - 16) / 2)));
        this.pairs = new long[2 * places];
    }

    private static long key(long hash) {
        return hash == 0 ? 1 : hash;
    }

    /** Where a hash would stand: the index of its key. */
    private int first(long hash) {
        return 2 * (int) Math.unsignedMultiplyHigh(hash, places);
    }

    /** Adds a value; false when there was one of that hash. */
    boolean put(long hash, long value) {
        int at = find(hash);
        if (at >= 0) {
            return false;
        }
        pairs[~at] = key(hash);
        pairs[~at + 1] = value;
        return true;
    }

    /** What stands where a hash would; asking for many of them before the first is needed lets the memory work ahead. */
    long glance(long hash) {
        return pairs[first(hash)];
    }

    /** The place of a hash, or the complement of the one where it would be. */
    int find(long hash) {
        long key = key(hash);
        int at = first(hash);
        while (pairs[at] != key) {
            if (pairs[at] == 0) {
                return ~at;
            }
            at += 2;
            if (at == pairs.length) {
                at = 0;
            }
        }
        return at;
    }

    long value(int place) {
        return pairs[place + 1];
    }

    /** The characters of a word, mixed one by one. */
    static long hash(String word) {
        long h = 0x9E3779B97F4A7C15L;
        for (int i = 0; i < word.length(); i++) {
            h = (h ^ word.charAt(i)) * 0xFF51AFD7ED558CCDL;
            h ^= h >>> 32;
        }
        return h;
    }
}
