package dev.puna.data.filter;

import java.util.Arrays;
import java.util.Set;

/**
 * Where sentences begin, after the decisions that Punkt makes (Kiss and Strunk, Unsupervised multilingual sentence boundary
 * detection, 2006) with a table of English abbreviations in place of what Punkt learns: a period ends a sentence unless it
 * follows an initial, an abbreviation that a name or number usually follows, or a number with a small letter behind it;
 * after another abbreviation, or an ellipsis, it does when a capital begins the next word. {@code ?} and {@code !} end one
 * before anything that is no small letter.
 */
public final class Sentences {
    private static final String CLOSING = ".?!\"')]}”’»";

    /** A name or a number comes next, so that a capital says nothing. */
    private static final Set<String> BEFORE_NAMES = Set.of(
            ("mr mrs ms dr prof st gen col lt sgt capt cmdr adm rev hon sen rep gov pres supt det sr messrs mme mlle "
                            + "fr hr no nos art sec vol vols ch chap fig figs eq eqs p pp ed eds vs v cf al e.g i.e viz ca op")
                    .split(" "));

    /** The sentence may end behind them. */
    private static final Set<String> OTHERS = Set.of(
            ("inc ltd co corp llc plc bros jr etc jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri "
                            + "sat sun ave blvd rd ft mt u.s u.k u.n d.c a.m p.m b.c a.d ph.d m.d approx dept est min max")
                    .split(" "));

    private Sentences() {}

    /** How many sentences a line has; 0 for a blank one. */
    public static int count(String line) {
        return starts(line).length;
    }

    /** Where each sentence of a line begins. */
    public static int[] starts(String line) {
        int[] starts = new int[8];
        int count = 0;
        int n = line.length();
        int at = skipSpace(line, 0);
        if (at < n) {
            starts[count++] = at;
        }
        for (int i = at; i < n; i++) {
            char c = line.charAt(i);
            if (c != '.' && c != '?' && c != '!' && c != '…') {
                continue;
            }
            int end = i + 1;
            while (end < n && CLOSING.indexOf(line.charAt(end)) >= 0) {
                end++;
            }
            int next = skipSpace(line, end);
            if (next > end && next < n && ends(line, starts[count - 1], i, end, next)) {
                if (count == starts.length) {
                    starts = Arrays.copyOf(starts, 2 * count);
                }
                starts[count++] = next;
            }
            i = end - 1;
        }
        return Arrays.copyOf(starts, count);
    }

    private static int skipSpace(String line, int from) {
        int at = from;
        while (at < line.length() && Character.isWhitespace(line.charAt(at))) {
            at++;
        }
        return at;
    }

    /** Whether the mark at {@code mark} ends the sentence, when the next word begins at {@code next}. */
    private static boolean ends(String line, int from, int mark, int end, int next) {
        char following = line.charAt(next);
        if (Character.isLowerCase(following)) {
            return false;
        }
        boolean ellipsis = line.charAt(mark) == '…' || (end - mark > 1 && line.charAt(mark + 1) == '.');
        if (line.charAt(mark) != '.' || ellipsis) {
            return !ellipsis || Character.isUpperCase(following);
        }
        int start = mark;
        while (start > from && (Character.isLetterOrDigit(line.charAt(start - 1)) || line.charAt(start - 1) == '.')) {
            start--;
        }
        String word = line.substring(start, mark);
        if (word.length() == 1 && Character.isUpperCase(word.charAt(0)) && !word.equals("I")) {
            return false; // an initial
        }
        String lower = word.toLowerCase(java.util.Locale.ROOT);
        if (BEFORE_NAMES.contains(lower)) {
            // "No." and the like only before numbers and names; a sentence that ends in "no." goes on with a capital.
            return lower.equals("no") && !Character.isDigit(following) && Character.isLowerCase(word.charAt(0));
        }
        return !OTHERS.contains(lower) || Character.isUpperCase(following);
    }
}
