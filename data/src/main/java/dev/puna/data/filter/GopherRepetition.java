package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Gopher's repetition rules (arXiv 2112.11446, table A1): shares of duplicate lines and paragraphs and of their
 * characters, of the characters in the most frequent 2- to 4-gram, and of those in duplicated 5- to 10-grams.
 *
 * @param maxDuplicateLines share of lines that came before
 * @param maxDuplicateChars share of characters in such lines or paragraphs
 * @param top largest share of characters in the most frequent n-gram, for n = 2, 3, 4
 * @param duplicated largest share of characters in repeated n-grams, for n = 5 … 10
 */
public record GopherRepetition(
        double maxDuplicateLines, double maxDuplicateChars, List<Double> top, List<Double> duplicated)
        implements DocumentFilter {
    public GopherRepetition {
        top = List.copyOf(top);
        duplicated = List.copyOf(duplicated);
    }

    /** The paper's numbers. */
    public GopherRepetition() {
        this(0.30, 0.20, List.of(0.20, 0.18, 0.16), List.of(0.15, 0.14, 0.13, 0.12, 0.11, 0.10));
    }

    @Override
    public String name() {
        return "gopher-repetition";
    }

    @Override
    public Verdict apply(Document document) {
        String text = document.text();
        int chars = Math.max(1, text.length());
        for (String[] kind : new String[][] {{"paragraphs", "\n\n+"}, {"lines", "\n+"}}) {
            Set<String> seen = new HashSet<>();
            int repeated = 0;
            int repeatedChars = 0;
            String[] parts = text.strip().split(kind[1]);
            for (String part : parts) {
                if (!seen.add(part)) {
                    repeated++;
                    repeatedChars += part.length();
                }
            }
            if (repeated > maxDuplicateLines * parts.length) {
                return drop("duplicate " + kind[0], (double) repeated / parts.length);
            }
            if (repeatedChars > maxDuplicateChars * chars) {
                return drop("characters in duplicate " + kind[0], (double) repeatedChars / chars);
            }
        }
        List<String> words = Words.split(text);
        int count = words.size();
        long[] hashes = new long[count];
        int[] lengths = new int[count + 1];
        for (int i = 0; i < count; i++) {
            hashes[i] = Words.hash(words.get(i));
            lengths[i + 1] = lengths[i] + words.get(i).length();
        }
        for (int n = 2; n < 2 + top.size(); n++) {
            double share = topShare(hashes, lengths, n, chars);
            if (share > top.get(n - 2)) {
                return drop("most frequent " + n + "-gram", share);
            }
        }
        for (int n = 5; n < 5 + duplicated.size(); n++) {
            double share = duplicateShare(hashes, lengths, n, chars);
            if (share > duplicated.get(n - 5)) {
                return drop("duplicated " + n + "-grams", share);
            }
        }
        return new Verdict.Keep(document);
    }

    private static Verdict drop(String reason, double value) {
        return new Verdict.Drop(reason, String.format(Locale.ROOT, "%.3f", value));
    }

    private static long gram(long[] hashes, int at, int n) {
        long h = n;
        for (int i = at; i < at + n; i++) {
            h = (h ^ hashes[i]) * 0x9E3779B97F4A7C15L;
            h ^= h >>> 29;
        }
        return h;
    }

    /** Characters in the n-gram that occurs most often, among all; of several the longest counts. */
    private static double topShare(long[] hashes, int[] lengths, int n, int chars) {
        int capacity = Integer.highestOneBit(Math.max(16, hashes.length * 2)) * 2;
        int mask = capacity - 1;
        long[] keys = new long[capacity];
        int[] counts = new int[capacity];
        int[] sizes = new int[capacity];
        int best = 0;
        for (int i = 0; i + n <= hashes.length; i++) {
            long h = gram(hashes, i, n);
            int at = (int) (h >>> 20) & mask;
            while (counts[at] != 0 && keys[at] != h) {
                at = (at + 1) & mask;
            }
            if (counts[at]++ == 0) {
                keys[at] = h;
                sizes[at] = lengths[i + n] - lengths[i];
            }
            best = Math.max(best, counts[at]);
        }
        if (best < 2) {
            return 0;
        }
        int longest = 0;
        for (int at = 0; at < capacity; at++) {
            if (counts[at] == best) {
                longest = Math.max(longest, sizes[at]);
            }
        }
        return (double) best * longest / chars;
    }

    /** Characters in n-grams that came before, each word counted once. */
    static double duplicateShare(long[] hashes, int[] lengths, int n, int chars) {
        long[] seen = new long[Integer.highestOneBit(Math.max(16, hashes.length * 3)) * 2];
        int mask = seen.length - 1;
        int repeated = 0;
        for (int i = 0; i + n <= hashes.length; ) {
            long h = gram(hashes, i, n);
            h = h == 0 ? 1 : h;
            int at = (int) (h >>> 20) & mask;
            while (seen[at] != 0 && seen[at] != h) {
                at = (at + 1) & mask;
            }
            if (seen[at] == h) {
                repeated += lengths[i + n] - lengths[i];
                i += n;
            } else {
                seen[at] = h;
                i++;
            }
        }
        return (double) repeated / chars;
    }

    @Override
    public String toString() {
        return name() + Arrays.toString(duplicated.toArray());
    }
}
