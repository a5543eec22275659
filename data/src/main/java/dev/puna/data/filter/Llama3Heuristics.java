package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The heuristics of Llama-3 (arXiv 2407.21783, section 3.1.1): coverage by duplicated n-grams, dirty words, and the
 * Kullback-Leibler divergence of a document's words from the corpus. The paper gives no thresholds; these are ours: the
 * coverage is Gopher's for 5-grams in a line of its own, three dirty words and more than one in a hundred, and 6 nats.
 *
 * @param maxCoverage largest share of characters in repeated 5-grams
 * @param dirtyWords lower-case words
 * @param maxDirtyWords most of them
 * @param maxDirtyShare and most for each word; a document goes when both are exceeded
 * @param corpus relative frequencies of words in the corpus, or null to leave the divergence out
 * @param maxDivergence in nats
 */
public record Llama3Heuristics(
        double maxCoverage,
        Set<String> dirtyWords,
        int maxDirtyWords,
        double maxDirtyShare,
        @Nullable Map<String, Double> corpus,
        double maxDivergence)
        implements DocumentFilter {
    private static final double UNSEEN = 1e-7; // relative frequency of a word that the corpus does not have

    public Llama3Heuristics {
        dirtyWords = Set.copyOf(dirtyWords);
    }

    /** Our thresholds. */
    public static Llama3Heuristics standard(Set<String> dirtyWords, @Nullable Map<String, Double> corpus) {
        return new Llama3Heuristics(0.15, dirtyWords, 3, 0.01, corpus, 6);
    }

    @Override
    public String name() {
        return "llama3";
    }

    @Override
    public Verdict apply(Document document) {
        String text = document.text();
        List<String> words = Words.split(text);
        int count = words.size();
        long[] hashes = new long[count];
        int[] lengths = new int[count + 1];
        int dirty = 0;
        Map<String, Integer> own = new HashMap<>();
        for (int i = 0; i < count; i++) {
            String word = words.get(i);
            hashes[i] = Words.hash(word);
            lengths[i + 1] = lengths[i] + word.length();
            String plain = plain(word);
            dirty += dirtyWords.contains(plain) ? 1 : 0;
            if (corpus != null && !plain.isEmpty()) {
                own.merge(plain, 1, Integer::sum);
            }
        }
        double coverage = GopherRepetition.duplicateShare(hashes, lengths, 5, Math.max(1, text.length()));
        if (coverage > maxCoverage) {
            return drop("duplicated n-grams", coverage);
        }
        if (dirty > maxDirtyWords && dirty > maxDirtyShare * count) {
            return new Verdict.Drop("dirty words", dirty + " of " + count);
        }
        if (corpus != null) {
            double divergence = divergence(own);
            if (divergence > maxDivergence) {
                return drop("unlike the corpus", divergence);
            }
        }
        return new Verdict.Keep(document);
    }

    /** Σ p ln (p / q) over the words of the document. */
    private double divergence(Map<String, Integer> own) {
        Map<String, Double> known = corpus == null ? Map.of() : corpus;
        double total = 0;
        for (int count : own.values()) {
            total += count;
        }
        double sum = 0;
        for (Map.Entry<String, Integer> entry : own.entrySet()) {
            double p = entry.getValue() / total;
            sum += p * Math.log(p / Math.max(UNSEEN, known.getOrDefault(entry.getKey(), 0.0)));
        }
        return sum;
    }

    /** The word in lower case without what is no letter or digit at its ends. */
    static String plain(String word) {
        int from = 0;
        int to = word.length();
        while (from < to && !Character.isLetterOrDigit(word.charAt(from))) {
            from++;
        }
        while (to > from && !Character.isLetterOrDigit(word.charAt(to - 1))) {
            to--;
        }
        return word.substring(from, to).toLowerCase(Locale.ROOT);
    }

    private static Verdict drop(String reason, double value) {
        return new Verdict.Drop(reason, String.format(Locale.ROOT, "%.3f", value));
    }
}
