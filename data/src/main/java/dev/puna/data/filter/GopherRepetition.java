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
        WordSpans words = WordSpans.of(text);
        int[] lengths = words.lengths();
        Grams grams = new Grams(words.hashes());
        for (int n = 2; n < 2 + top.size(); n++) {
            grams.grow();
            double share = grams.topShare(lengths, chars);
            if (share > top.get(n - 2)) {
                return drop("most frequent " + n + "-gram", share);
            }
        }
        while (grams.order < 4) {
            grams.grow();
        }
        for (int n = 5; n < 5 + duplicated.size(); n++) {
            grams.grow();
            double share = grams.duplicateShare(lengths, chars);
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

    /**
     * The n-grams of a text that occur more than once, for one n after the other. An n-gram is there again only where both
     * (n - 1)-grams in it are, so that of an ordinary text little is left to look at from n = 3 on.
     */
    static final class Grams {
        private final long[] words;
        private final long[] hashes; // of the n-grams that begin with the words that are still candidates
        private final int[] candidates; // these words, rising
        private int count; // of them
        private final int[] slots; // of the candidates, in the table
        private long[] table = new long[0]; // for users; of a power of two, at least twice the candidates
        private int[] often = new int[0];
        private int order = 1;

        /** The single words. */
        Grams(long[] words) {
            this.words = words;
            this.hashes = words.clone();
            this.candidates = new int[words.length];
            for (int i = 0; i < words.length; i++) {
                candidates[i] = i;
            }
            this.count = words.length;
            this.slots = new int[words.length];
        }

        /** n becomes larger by one: each hash is made of the one before and a word, and knows their order. */
        void grow() {
            int kept = 0;
            for (int c = 0; c < count; c++) {
                int i = candidates[c];
                boolean both = order == 1 ? i + 1 < words.length : c + 1 < count && candidates[c + 1] == i + 1;
                if (both && i + order < words.length) {
                    long h = (Long.rotateLeft(hashes[c], 21) + words[i + order]) * 0x9E3779B97F4A7C15L;
                    h ^= h >>> 29;
                    candidates[kept] = i;
                    hashes[kept++] = h == 0 ? 1 : h; // 0 is an empty slot
                }
            }
            count = kept;
            order++;
        }

        private int mask() {
            int size = Integer.highestOneBit(Math.max(16, count * 2)) * 2;
            if (table.length < size) {
                table = new long[size];
                often = new int[size];
            } else {
                Arrays.fill(table, 0, size, 0);
            }
            return size - 1;
        }

        /** Characters in the n-gram that occurs most often, among all; of several the longest counts. */
        double topShare(int[] lengths, int chars) {
            int mask = mask();
            long[] keys = table;
            int[] counts = often;
            Arrays.fill(counts, 0, mask + 1, 0);
            int best = 0;
            int longest = 0;
            for (int c = 0; c < count; c++) {
                long h = hashes[c];
                int at = (int) (h >>> 20) & mask;
                while (keys[at] != 0 && keys[at] != h) {
                    at = (at + 1) & mask;
                }
                keys[at] = h;
                slots[c] = at;
                int times = ++counts[at];
                if (times >= best) { // the same n-gram has the same length wherever it stands
                    int i = candidates[c];
                    int length = lengths[i + order] - lengths[i];
                    longest = times > best ? length : Math.max(longest, length);
                    best = times;
                }
            }
            int kept = 0;
            for (int c = 0; c < count; c++) {
                if (counts[slots[c]] > 1) {
                    candidates[kept] = candidates[c];
                    hashes[kept++] = hashes[c];
                }
            }
            count = kept;
            return best < 2 ? 0 : (double) best * longest / chars;
        }

        /** Characters in n-grams that came before, each word counted once. */
        double duplicateShare(int[] lengths, int chars) {
            int mask = mask();
            long[] seen = table;
            int repeated = 0;
            int next = 0; // words before it are counted
            for (int c = 0; c < count; c++) {
                int i = candidates[c];
                if (i < next) {
                    continue;
                }
                long h = hashes[c];
                int at = (int) (h >>> 20) & mask;
                while (seen[at] != 0 && seen[at] != h) {
                    at = (at + 1) & mask;
                }
                if (seen[at] == h) {
                    repeated += lengths[i + order] - lengths[i];
                    next = i + order;
                } else {
                    seen[at] = h;
                }
            }
            return (double) repeated / chars;
        }
    }

    /** The same for words that have been hashed, and one n. */
    static double duplicateShare(long[] hashes, int[] lengths, int n, int chars) {
        Grams grams = new Grams(hashes);
        while (grams.order < n) {
            grams.grow();
        }
        return grams.duplicateShare(lengths, chars);
    }

    @Override
    public String toString() {
        return name() + Arrays.toString(duplicated.toArray());
    }
}
