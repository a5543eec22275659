package dev.puna.data.dedup;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Removes books that overlap with an earlier one by more than a share, as LLaMA-1 does with 90 %. A SimHash over 6-character
 * shingles of the lower-case letters and digits finds candidates (Charikar, Similarity estimation techniques from rounding
 * algorithms, 2002; Manku, Jain, Das Sarma, 2007); the shingles themselves decide: the share of the smaller book's
 * different shingles that the other holds too. RedPajama calls books with a Hamming distance of at most 5 duplicates
 * without looking ({@link #simHashOnly}).
 *
 * <p>Offer books in a fixed order; the first of several stays. A book takes 8 bytes, and 8 for each different shingle
 * sampled (one in 16), not its text.
 */
public final class BookDeduplication {
    private static final int SHINGLE = 6;
    private static final int SAMPLED = 15; // a shingle whose hash has these bits zero is kept

    private final int maxDistance;
    private final double maxOverlap;
    private final List<long[]> shingles = new ArrayList<>();
    private final List<String> ids = new ArrayList<>();
    private long[] hashes = new long[64];
    private int size;

    private BookDeduplication(int maxDistance, double maxOverlap) {
        this.maxDistance = maxDistance;
        this.maxOverlap = maxOverlap;
    }

    /** LLaMA's rule: more than 90 % overlap; SimHashes within 20 bits are looked at. */
    public static BookDeduplication paper() {
        return new BookDeduplication(20, 0.9);
    }

    /** RedPajama's rule: SimHashes that differ in at most 5 bits. */
    public static BookDeduplication simHashOnly() {
        return new BookDeduplication(5, -1);
    }

    /** Another limit on the overlap, 0 to 1. */
    public static BookDeduplication overlapping(int candidateDistance, double maxOverlap) {
        return new BookDeduplication(candidateDistance, maxOverlap);
    }

    /** The id of the earlier book that this one repeats; empty when it is new, and then it is remembered. */
    public Optional<String> offer(String id, String text) {
        long[] all = shingleHashes(text);
        return offer(id, simHash(all), sample(all));
    }

    private Optional<String> offer(String id, long hash, long[] sample) {
        for (int i = 0; i < size; i++) {
            if (Long.bitCount(hashes[i] ^ hash) <= maxDistance
                    && (maxOverlap < 0 || overlap(shingles.get(i), sample) > maxOverlap)) {
                return Optional.of(ids.get(i));
            }
        }
        if (size == hashes.length) {
            hashes = Arrays.copyOf(hashes, 2 * size);
        }
        hashes[size++] = hash;
        shingles.add(maxOverlap < 0 ? new long[0] : sample);
        ids.add(id);
        return Optional.empty();
    }

    /** Hamming distance of the SimHashes of two texts. */
    public static int distance(String a, String b) {
        return Long.bitCount(simHash(shingleHashes(a)) ^ simHash(shingleHashes(b)));
    }

    /** Share of the smaller text's different sampled shingles that the other holds. */
    public static double overlap(String a, String b) {
        return overlap(sample(shingleHashes(a)), sample(shingleHashes(b)));
    }

    static double overlap(long[] a, long[] b) {
        int smaller = Math.min(a.length, b.length);
        if (smaller == 0) {
            return 0;
        }
        int shared = 0;
        for (int i = 0, k = 0; i < a.length && k < b.length; ) {
            if (a[i] == b[k]) {
                shared++;
                i++;
                k++;
            } else if (a[i] < b[k]) {
                i++;
            } else {
                k++;
            }
        }
        return (double) shared / smaller;
    }

    /** Hashes of every 6-character shingle of the lower-case text without anything but letters, digits and underscores. */
    static long[] shingleHashes(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        char[] kept = new char[lower.length()];
        int n = 0;
        for (int i = 0; i < lower.length(); i++) {
            char c = lower.charAt(i);
            if (c == '_' || Character.isLetterOrDigit(c)) {
                kept[n++] = c;
            }
        }
        int count = Math.max(1, n - SHINGLE + 1);
        long[] hashes = new long[count];
        for (int i = 0; i < count; i++) {
            long h = 0x9E3779B97F4A7C15L;
            for (int k = i; k < Math.min(n, i + SHINGLE); k++) {
                h = (h ^ kept[k]) * 0xFF51AFD7ED558CCDL;
                h ^= h >>> 32;
            }
            h *= 0xC4CEB9FE1A85EC53L;
            hashes[i] = h ^ (h >>> 33);
        }
        return hashes;
    }

    static long simHash(long[] shingles) {
        int[] votes = new int[64];
        for (long h : shingles) {
            for (int bit = 0; bit < 64; bit++) {
                votes[bit] += (int) ((h >>> bit) & 1);
            }
        }
        long hash = 0;
        for (int bit = 0; bit < 64; bit++) {
            if (2L * votes[bit] > shingles.length) {
                hash |= 1L << bit;
            }
        }
        return hash;
    }

    private static long[] sample(long[] hashes) {
        long[] kept = Arrays.stream(hashes)
                .filter(h -> (h & SAMPLED) == 0)
                .sorted()
                .distinct()
                .toArray();
        return kept.length > 0
                ? kept
                : Arrays.stream(hashes).sorted().distinct().toArray();
    }
}
