package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * FineWeb's own rules (arXiv 2406.17557, section 3.5).
 *
 * @param minTerminalLines smallest share of lines that end a sentence
 * @param maxShortLines largest share of lines of at most 30 characters
 * @param maxDuplicateChars largest share of characters in lines that came before
 * @param maxNewlinesPerWord most line ends for each word
 */
public record FineWebQuality(
        double minTerminalLines, double maxShortLines, double maxDuplicateChars, double maxNewlinesPerWord)
        implements DocumentFilter {
    /** FineWeb's numbers. */
    public FineWebQuality() {
        this(0.12, 0.67, 0.01, 0.3);
    }

    @Override
    public String name() {
        return "fineweb";
    }

    @Override
    public Verdict apply(Document document) {
        String text = document.text();
        List<String> lines = Words.lines(text);
        if (lines.isEmpty()) {
            return new Verdict.Drop("empty", "");
        }
        int terminal = 0;
        int shortLines = 0;
        int duplicateChars = 0;
        Set<String> seen = new HashSet<>();
        for (String line : lines) {
            terminal += ".?!\"'”。！？".indexOf(line.charAt(line.length() - 1)) >= 0 ? 1 : 0;
            shortLines += line.length() <= 30 ? 1 : 0;
            duplicateChars += seen.add(line) ? 0 : line.length();
        }
        if (terminal < minTerminalLines * lines.size()) {
            return drop("few lines end a sentence", (double) terminal / lines.size());
        }
        if (shortLines > maxShortLines * lines.size()) {
            return drop("short lines", (double) shortLines / lines.size());
        }
        if (duplicateChars > maxDuplicateChars * text.length()) {
            return drop("characters in duplicate lines", (double) duplicateChars / text.length());
        }
        int words = Words.split(text).size();
        long newlines = text.chars().filter(c -> c == '\n').count();
        if (newlines > maxNewlinesPerWord * words) {
            return drop("list-like", (double) newlines / words);
        }
        return new Verdict.Keep(document);
    }

    private static Verdict drop(String reason, double value) {
        return new Verdict.Drop(reason, String.format(Locale.ROOT, "%.3f", value));
    }
}
