package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * C4's page and line rules in the order of the T5 code (TensorFlow Datasets, c4 3.0.1): pages of more than 190,000
 * characters go; then for each line: a word of more than 1,000 characters, no terminal punctuation, fewer than five
 * words, "javascript", policies; "lorem ipsum" and a brace drop the page, as do fewer than three sentences and a bad word.
 *
 * @param terminalPunctuation whether a line must end in {@code . ? ! "} (FineWeb leaves this rule out)
 * @param minWordsPerLine fewest words of a line
 * @param minSentences fewest sentences of a page
 * @param badWords pattern of words that drop a page, or null
 */
public record C4Rules(
        boolean terminalPunctuation,
        int minWordsPerLine,
        int minSentences,
        @Nullable Pattern badWords) implements DocumentFilter {
    private static final int MAX_CHARS = 190_000;
    private static final Pattern CITATION = Pattern.compile("\\[\\d*\\]|\\[edit\\]|\\[citation needed\\]");
    private static final List<String> POLICIES =
            List.of("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies");

    /** C4's numbers without a list of bad words. */
    public C4Rules() {
        this(true, 5, 3, null);
    }

    /** The same rules with the words of a list, one a line (LDNOOBW's), as C4 looks for them. */
    public C4Rules withBadWords(List<String> words) {
        StringBuilder pattern = new StringBuilder("(?:\\W|^)(");
        boolean first = true;
        for (String word : words) {
            if (!word.isBlank()) {
                pattern.append(first ? "" : "|")
                        .append(Pattern.quote(word.strip().toLowerCase(Locale.ROOT)));
                first = false;
            }
        }
        return new C4Rules(
                terminalPunctuation,
                minWordsPerLine,
                minSentences,
                first ? null : Pattern.compile(pattern + ")(?:\\W|$)"));
    }

    @Override
    public String name() {
        return "c4";
    }

    @Override
    public Verdict apply(Document document) {
        String text = document.text();
        if (text.length() > MAX_CHARS) {
            return new Verdict.Drop("too long", text.length() + " characters");
        }
        List<String> kept = new ArrayList<>();
        int sentences = 0;
        for (String raw : text.split("\n")) {
            String line = raw.strip();
            if (line.isEmpty() || hasLongWord(line)) {
                continue;
            }
            if (line.indexOf('[') >= 0) {
                line = CITATION.matcher(line).replaceAll("").strip();
            }
            if (terminalPunctuation && (!endsSentence(line) || line.endsWith("..."))) {
                continue;
            }
            if (Words.cut(line).size() < minWordsPerLine) {
                continue;
            }
            String lower = line.toLowerCase(Locale.ROOT);
            if (lower.contains("lorem ipsum")) {
                return new Verdict.Drop("lorem ipsum", cut(line));
            }
            if (lower.contains("javascript")) {
                continue;
            }
            if (line.indexOf('{') >= 0) {
                return new Verdict.Drop("brace", cut(line));
            }
            if (POLICIES.stream().anyMatch(lower::contains)) {
                continue;
            }
            sentences += Sentences.count(line);
            kept.add(line);
        }
        if (sentences < minSentences) {
            return new Verdict.Drop("too few sentences", sentences + " sentences");
        }
        String clean = String.join("\n", kept);
        if (badWords != null) {
            Matcher matcher = badWords.matcher(clean.toLowerCase(Locale.ROOT));
            if (matcher.find()) {
                return new Verdict.Drop("bad word", matcher.group(1));
            }
        }
        return new Verdict.Keep(document.withText(clean));
    }

    private static String cut(String line) {
        return line.substring(0, Math.min(80, line.length()));
    }

    private static boolean hasLongWord(String line) {
        if (line.length() <= 1000) {
            return false;
        }
        for (String word : Words.cut(line)) {
            if (word.length() > 1000) {
                return true;
            }
        }
        return false;
    }

    private static boolean endsSentence(String line) {
        if (line.isEmpty()) {
            return false;
        }
        char last = line.charAt(line.length() - 1);
        return last == '.' || last == '?' || last == '!' || last == '"';
    }
}
