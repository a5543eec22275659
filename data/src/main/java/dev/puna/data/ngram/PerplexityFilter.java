package dev.puna.data.ngram;

import dev.puna.data.Document;
import dev.puna.data.PythonText;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import dev.puna.data.source.Fidelity;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * CCNet's buckets: the perplexity of a document under a model of good text, {@code head} below one limit, {@code middle}
 * below another, else {@code tail}. Perplexity (one decimal) and bucket go into the meta data.
 *
 * @param model of good text
 * @param fidelity {@link Fidelity#COMPAT} normalizes text as cc_net does, which joins the words around a line end
 * @param pieces cuts normalized text as the model's training text was cut
 * @param head perplexities below are {@code head}; cc_net's English number is 340
 * @param middle perplexities below are {@code middle}; cc_net's English number is 520
 * @param dropTail whether documents of the tail go, as in LLaMA-1
 */
public record PerplexityFilter(
        NgramScorer model,
        Fidelity fidelity,
        Function<String, List<String>> pieces,
        double head,
        double middle,
        boolean dropTail)
        implements DocumentFilter {
    /** cc_net's table, but for the three that become more than one character. */
    private static final String PUNCTUATION = "，。、„”“«»」「《》´∶：？！（）；–～’━〈〉【】％►";

    private static final String ASCII = ",.,\"\"\"\"\"\"\"\"\"'::?!();-~'-<>[]%-";

    /** Text in words between white space, cc_net's English limits. */
    public static PerplexityFilter words(NgramScorer model, boolean dropTail) {
        return new PerplexityFilter(model, Fidelity.PAPER, PerplexityFilter::split, 340, 520, dropTail);
    }

    @Override
    public String name() {
        return "perplexity";
    }

    @Override
    public Verdict apply(Document document) {
        String normalized = switch (fidelity) {
            case PAPER -> normalized(document.text());
            case COMPAT -> normalizedAsCcNet(document.text());
        };
        List<String> cut = pieces.apply(normalized);
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

    /** No accents, lower case, digits as zeros, control characters (so line ends, too) as spaces. */
    static String normalized(String text) {
        String stripped = text.strip();
        char[] table = Normalized.TABLE;
        char[] out = new char[stripped.length()];
        int length = 0;
        for (int i = 0; i < stripped.length(); i++) {
            char c = table[stripped.charAt(i)];
            if (c == Normalized.MORE) {
                return normalizedWhole(stripped);
            }
            if (c != Normalized.NOTHING) {
                out[length++] = c;
            }
        }
        return new String(out, 0, length);
    }

    /** What most characters become whatever is beside them: one character or none. */
    private static final class Normalized {
        static final char NOTHING = '\uffff';
        static final char MORE = '\ufffe'; // several, or it depends
        static final char[] TABLE = new char[1 << 16];

        static {
            for (int c = 0; c < TABLE.length; c++) {
                TABLE[c] = alone((char) c);
            }
        }

        private static char alone(char c) {
            boolean depends = switch (Character.getType(c)) {
                case Character.SURROGATE, Character.COMBINING_SPACING_MARK, Character.ENCLOSING_MARK -> true;
                default -> c == '\u03a3' || c >= MORE; // a sigma that ends a word is another
            };
            String one = depends ? "" : normalizedWhole(String.valueOf(c));
            if (depends || one.length() > 1) {
                return MORE;
            }
            return one.isEmpty() ? NOTHING : one.charAt(0);
        }
    }

    /** The same for any text, by the JDK's lower case and decomposition of all of it. */
    static String normalizedWhole(String text) {
        String plain = decomposed(text);
        StringBuilder out = new StringBuilder(plain.length());
        for (int i = 0; i < plain.length(); i++) {
            char c = plain.charAt(i);
            if (c < 0x7f) {
                out.append(c >= '0' && c <= '9' ? '0' : c < ' ' ? ' ' : c);
            } else if (Character.getType(c) != Character.NON_SPACING_MARK) {
                out.append(Character.isDigit(c) ? '0' : c < 0xa0 ? ' ' : c);
            }
        }
        return out.toString();
    }

    /**
     * As {@code normalize} of cc_net's {@code text_normalizer.py}: punctuation becomes ASCII's, and control characters
     * vanish, so that words on both sides of a line end are one.
     */
    static String normalizedAsCcNet(String text) {
        String plain = decomposed(PythonText.strip(text));
        StringBuilder out = new StringBuilder(plain.length());
        for (int i = 0; i < plain.length(); i++) {
            char c = plain.charAt(i);
            if (c < 0x7f) {
                if (c >= ' ') {
                    out.append(c >= '0' && c <= '9' ? '0' : c);
                }
            } else if (c >= 0xa0) {
                int codePoint = plain.codePointAt(i);
                i += Character.charCount(codePoint) - 1;
                if (Character.isDigit(codePoint)) {
                    out.append('0');
                } else if (Character.isSupplementaryCodePoint(codePoint)) {
                    if (Character.getType(codePoint) != Character.NON_SPACING_MARK) {
                        out.appendCodePoint(codePoint);
                    }
                } else if (Character.getType(c) != Character.NON_SPACING_MARK) {
                    punctuation(c, out);
                }
            }
        }
        return out.toString();
    }

    private static void punctuation(char c, StringBuilder out) {
        switch (c) {
            case '\u2014' -> out.append(" - "); // em dash
            case '\u2026' -> out.append("..."); // ellipsis
            case '\uff0e' -> out.append(". "); // full-width full stop
            default -> {
                int at = PUNCTUATION.indexOf(c);
                out.append(at < 0 ? c : ASCII.charAt(at));
            }
        }
    }

    /** In lower case, accents as characters of their own. */
    private static String decomposed(String text) {
        String lower = PythonText.lowerCase(text);
        return Normalizer.isNormalized(lower, Normalizer.Form.NFD)
                ? lower
                : Normalizer.normalize(lower, Normalizer.Form.NFD);
    }
}
