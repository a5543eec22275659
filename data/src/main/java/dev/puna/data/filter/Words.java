package dev.puna.data.filter;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Words, lines and hashes of a text, as the rules count them. */
final class Words {
    private Words() {}

    /** The text that a thread split last: rules that follow each other look at the same one. */
    private record Last(String text, List<String> words) {}

    private static final ThreadLocal<Last> LAST = new ThreadLocal<>();

    /** What lies between white space; not to be changed. */
    static List<String> split(String text) {
        Last last = LAST.get();
        if (last == null || !last.text().equals(text)) {
            last = new Last(text, Collections.unmodifiableList(cut(text)));
            LAST.set(last);
        }
        return last.words();
    }

    /** The same, for a piece that nobody else will ask for. */
    static List<String> cut(String text) {
        List<String> words = new ArrayList<>(text.length() / 5 + 1);
        int n = text.length();
        int at = 0;
        while (at < n) {
            while (at < n && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            int start = at;
            while (at < n && !Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            if (at > start) {
                words.add(text.substring(start, at));
            }
        }
        return words;
    }

    /** The lines that are not blank, without white space at their ends. */
    static List<String> lines(String text) {
        return text.lines().map(String::strip).filter(l -> !l.isEmpty()).toList();
    }

    static final long HASH_BASIS = 0x9E3779B97F4A7C15L;

    /** Takes a character into a hash. */
    static long mix(long hash, char c) {
        long h = (hash ^ c) * 0xFF51AFD7ED558CCDL;
        return h ^ (h >>> 32);
    }

    /** A 64-bit hash of a string (its characters mixed one by one). */
    static long hash(String s) {
        long h = HASH_BASIS;
        for (int i = 0; i < s.length(); i++) {
            h = mix(h, s.charAt(i));
        }
        return h;
    }
}
