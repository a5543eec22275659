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
        String stripped = text.strip();
        for (int newlines = 2; newlines >= 1; newlines--) {
            Set<String> seen = new HashSet<>();
            int count = 0;
            int repeated = 0;
            int repeatedChars = 0;
            for (int at = 0; at < stripped.length() || count == 0; ) {
                int end = separator(stripped, at, newlines);
                String part = stripped.substring(at, end);
                count++;
                if (!seen.add(part)) {
                    repeated++;
                    repeatedChars += part.length();
                }
                at = end;
                while (at < stripped.length() && stripped.charAt(at) == '\n') {
                    at++;
                }
            }
            String kind = newlines == 2 ? "paragraphs" : "lines";
            if (repeated > maxDuplicateLines * count) {
                return drop("duplicate " + kind, (double) repeated / count);
            }
            if (repeatedChars > maxDuplicateChars * chars) {
                return drop("characters in duplicate " + kind, (double) repeatedChars / chars);
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
        Grams grams = new Grams(hashes);
        for (int n = 2; n < 2 + top.size(); n++) {
            grams.grow();
            double share = topShare(grams, lengths, chars);
            if (share > top.get(n - 2)) {
                return drop("most frequent " + n + "-gram", share);
            }
        }
        while (grams.order < 4) {
            grams.grow();
        }
        for (int n = 5; n < 5 + duplicated.size(); n++) {
            grams.grow();
            double share = duplicateShare(grams, lengths, chars);
            if (share > duplicated.get(n - 5)) {
                return drop("duplicated " + n + "-grams", share);
            }
        }
        return new Verdict.Keep(document);
    }

    /** Where so many line ends follow each other next, or the end. */
    private static int separator(String text, int from, int newlines) {
        for (int at = text.indexOf('\n', from); at >= 0; at = text.indexOf('\n', at + 1)) {
            if (newlines == 1 || (at + 1 < text.length() && text.charAt(at + 1) == '\n')) {
                return at;
            }
        }
        return text.length();
    }

    private static Verdict drop(String reason, double value) {
        return new Verdict.Drop(reason, String.format(Locale.ROOT, "%.3f", value));
    }

    /** Hashes of all n-grams of a text, for one n after the other: each is made of the one before and a word. */
    static final class Grams {
        private final long[] words;
        private final long[] hashes;
        private final long[] table; // for users; of a power of two, at least twice the words
        private int order = 1;

        /** The single words. */
        Grams(long[] words) {
            this.words = words;
            this.hashes = words.clone();
            this.table = new long[Integer.highestOneBit(Math.max(16, words.length * 2)) * 2];
        }

        /** n becomes larger by one. */
        void grow() {
            int count = Math.max(0, words.length - order);
            for (int i = 0; i < count; i++) {
                long h = (hashes[i] ^ words[i + order]) * 0x9E3779B97F4A7C15L;
                h ^= h >>> 29;
                hashes[i] = h == 0 ? 1 : h; // 0 is an empty slot
            }
            order++;
        }

        int count() {
            return Math.max(0, words.length - order + 1);
        }
    }

    /** Characters in the n-gram that occurs most often, among all; of several the longest counts. */
    private static double topShare(Grams grams, int[] lengths, int chars) {
        long[] keys = grams.table;
        Arrays.fill(keys, 0);
        int mask = keys.length - 1;
        int[] counts = new int[keys.length];
        int n = grams.order;
        int best = 0;
        int longest = 0;
        int count = grams.count();
        for (int i = 0; i < count; i++) {
            long h = grams.hashes[i];
            int at = (int) (h >>> 20) & mask;
            while (keys[at] != 0 && keys[at] != h) {
                at = (at + 1) & mask;
            }
            keys[at] = h;
            int often = ++counts[at];
            if (often >= best) { // the same n-gram has the same length wherever it stands
                int length = lengths[i + n] - lengths[i];
                longest = often > best ? length : Math.max(longest, length);
                best = often;
            }
        }
        return best < 2 ? 0 : (double) best * longest / chars;
    }

    /** Characters in n-grams that came before, each word counted once. */
    private static double duplicateShare(Grams grams, int[] lengths, int chars) {
        long[] seen = grams.table;
        Arrays.fill(seen, 0);
        int mask = seen.length - 1;
        int n = grams.order;
        int repeated = 0;
        int count = grams.count();
        for (int i = 0; i < count; ) {
            long h = grams.hashes[i];
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

    /** The same for words that have been hashed, and one n. */
    static double duplicateShare(long[] hashes, int[] lengths, int n, int chars) {
        Grams grams = new Grams(hashes);
        while (grams.order < n) {
            grams.grow();
        }
        return duplicateShare(grams, lengths, chars);
    }

    @Override
    public String toString() {
        return name() + Arrays.toString(duplicated.toArray());
    }
}
