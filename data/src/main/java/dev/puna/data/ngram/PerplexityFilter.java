package dev.puna.data.ngram;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * CCNet's buckets: the perplexity of a document under a model of good text, {@code head} below one limit, {@code middle}
 * below another, else {@code tail}. Perplexity (one decimal) and bucket go into the meta data.
 *
 * @param model of good text
 * @param pieces cuts normalized text as the model's training text was cut
 * @param head perplexities below are {@code head}; cc_net's English number is 340
 * @param middle perplexities below are {@code middle}; cc_net's English number is 520
 * @param dropTail whether documents of the tail go, as in LLaMA-1
 */
public record PerplexityFilter(
        NgramScorer model, Function<String, List<String>> pieces, double head, double middle, boolean dropTail)
        implements DocumentFilter {
    /** Text in words between white space, cc_net's English limits. */
    public static PerplexityFilter words(NgramScorer model, boolean dropTail) {
        return new PerplexityFilter(model, PerplexityFilter::split, 340, 520, dropTail);
    }

    @Override
    public String name() {
        return "perplexity";
    }

    @Override
    public Verdict apply(Document document) {
        List<String> cut = pieces.apply(normalized(document.text()));
        double perplexity = Math.round(10 * model.perplexity(cut)) / 10.0;
        String bucket = perplexity < head ? "head" : perplexity < middle ? "middle" : "tail";
        if (dropTail && bucket.equals("tail")) {
            return new Verdict.Drop("tail", "perplexity " + perplexity);
        }
        return new Verdict.Keep(document.with("perplexity", perplexity).with("bucket", bucket));
    }

    /** What lies between spaces. */
    static List<String> split(String text) {
        List<String> words = new ArrayList<>(text.length() / 5 + 1);
        int at = 0;
        int n = text.length();
        while (at < n) {
            int from = at;
            while (at < n && !Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            if (at > from) {
                words.add(text.substring(from, at));
            }
            at++;
        }
        return words;
    }

    /** As cc_net: no accents, lower case, digits as zeros, control characters as spaces. */
    static String normalized(String text) {
        String lower = text.strip().toLowerCase(Locale.ROOT);
        String apart = Normalizer.isNormalized(lower, Normalizer.Form.NFD)
                ? lower
                : Normalizer.normalize(lower, Normalizer.Form.NFD);
        StringBuilder out = new StringBuilder(apart.length());
        for (int i = 0; i < apart.length(); i++) {
            char c = apart.charAt(i);
            if (c < 0x7f) {
                out.append(c >= '0' && c <= '9' ? '0' : c < ' ' ? ' ' : c);
                continue;
            }
            if (Character.getType(c) == Character.NON_SPACING_MARK) {
                continue;
            }
            out.append(Character.isDigit(c) ? '0' : c < 0xa0 ? ' ' : c);
        }
        return out.toString();
    }
}
