package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/**
 * Gopher's quality rules (arXiv 2112.11446, table A1).
 *
 * @param minWords fewest words that are not symbols alone
 * @param maxWords most of them
 * @param minMeanLength shortest mean word
 * @param maxMeanLength longest mean word
 * @param maxSymbolShare most hash signs, and most ellipses, for each word
 * @param maxBulletLines largest share of lines that begin with a bullet
 * @param maxEllipsisLines largest share of lines that end with an ellipsis
 * @param minAlphabeticShare smallest share of words with a letter
 * @param minStopWords how many different ones of eight English words must be there
 */
public record GopherQuality(
        int minWords,
        int maxWords,
        double minMeanLength,
        double maxMeanLength,
        double maxSymbolShare,
        double maxBulletLines,
        double maxEllipsisLines,
        double minAlphabeticShare,
        int minStopWords)
        implements DocumentFilter {
    private static final List<String> STOP_WORDS = List.of("the", "be", "to", "of", "and", "that", "have", "with");

    /** The paper's numbers. */
    public GopherQuality() {
        this(50, 100_000, 3, 10, 0.1, 0.9, 0.3, 0.8, 2);
    }

    @Override
    public String name() {
        return "gopher-quality";
    }

    @Override
    public Verdict apply(Document document) {
        String text = document.text();
        WordSpans words = WordSpans.of(text);
        int plain = words.plain();
        if (plain < minWords) {
            return new Verdict.Drop("too few words", plain + " words");
        }
        if (plain > maxWords) {
            return new Verdict.Drop("too many words", plain + " words");
        }
        double mean = (double) words.plainChars() / plain;
        if (mean < minMeanLength || mean > maxMeanLength) {
            return drop("mean word length", mean);
        }
        int count = words.count();
        double hashes = (double) count(text, "#") / count;
        if (hashes > maxSymbolShare) {
            return drop("hash signs", hashes);
        }
        double ellipses = (double) (count(text, "...") + count(text, "…")) / count;
        if (ellipses > maxSymbolShare) {
            return drop("ellipses", ellipses);
        }
        List<String> lines = Words.lines(text);
        int bullets = 0;
        int cut = 0;
        for (String line : lines) {
            char first = line.charAt(0);
            bullets += first == '•' || first == '-' || first == '*' || first == '‣' ? 1 : 0;
            cut += line.endsWith("...") || line.endsWith("…") ? 1 : 0;
        }
        if (bullets > maxBulletLines * lines.size()) {
            return drop("bullet lines", (double) bullets / lines.size());
        }
        if (cut > maxEllipsisLines * lines.size()) {
            return drop("lines that end with an ellipsis", (double) cut / lines.size());
        }
        if (words.alphabetic() < minAlphabeticShare * count) {
            return drop("words without letters", 1 - (double) words.alphabetic() / count);
        }
        Set<String> stops = stopWords(words);
        if (stops.size() < minStopWords) {
            return new Verdict.Drop("too few stop words", stops.toString());
        }
        return new Verdict.Keep(document);
    }

    /** Those of the eight that are there, looked for until they are enough. */
    private Set<String> stopWords(WordSpans words) {
        Set<String> found = new TreeSet<>();
        for (int i = 0; i < words.count() && found.size() < minStopWords; i++) {
            int length = words.ends()[i] - words.starts()[i];
            if (length >= 2 && length <= 4) {
                for (String stop : STOP_WORDS) {
                    if (words.isWord(i, stop)) {
                        found.add(stop);
                    }
                }
            }
        }
        return found;
    }

    private static Verdict drop(String reason, double value) {
        return new Verdict.Drop(reason, String.format(Locale.ROOT, "%.3f", value));
    }

    private static int count(String text, String what) {
        int count = 0;
        for (int at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + what.length())) {
            count++;
        }
        return count;
    }
}
