package dev.puna.cli;

import java.util.Collection;

/** What a person may have meant who mistyped a word. */
final class Similar {
    private Similar() {}

    /** {@code "; did you mean 'decode'?"}, or nothing when no word is near. */
    static String hint(String word, Collection<String> words) {
        String nearest = "";
        int best = Math.min(3, word.length() / 2 + 1);
        for (String candidate : words) {
            int distance = distance(word, candidate);
            if (distance < best) {
                best = distance;
                nearest = candidate;
            }
        }
        return nearest.isEmpty() ? "" : "; did you mean '" + nearest + "'?";
    }

    /** Levenshtein's distance. */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int substitute = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substitute, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
