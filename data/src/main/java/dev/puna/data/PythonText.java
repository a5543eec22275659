package dev.puna.data;

import java.util.Locale;

/**
 * Where Python's strings and Java's differ, and results of tools written in Python depend on it: what white space is, where
 * lines end, what a letter or digit is, which sigma ends a word ({@code str.strip}, {@code splitlines}, {@code isalnum},
 * {@code lower}).
 */
public final class PythonText {
    /** Characters that Unicode ignores between letters of a word, beside marks and modifiers (UAX 29, MidLetter and kin). */
    private static final String WITHIN_WORDS =
            "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a";

    private PythonText() {}

    /** Whether {@code str.isspace} holds: unlike Java's white space it has the spaces that do not break, and U+0085. */
    public static boolean isSpace(char c) {
        return Character.isWhitespace(c) || c == 0x85 || c == 0xa0 || c == 0x2007 || c == 0x202f;
    }

    /** Without white space at both ends. */
    public static String strip(String text) {
        int from = 0;
        int to = text.length();
        while (from < to && isSpace(text.charAt(from))) {
            from++;
        }
        while (to > from && isSpace(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(from, to);
    }

    /** Whether {@code splitlines} ends a line here; a line feed behind a carriage return belongs to it. */
    public static boolean endsLine(int c) {
        return (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    /** Whether {@code str.isalnum} holds of a code point: letters, and numbers of every kind. */
    public static boolean isAlphanumeric(int codePoint) {
        return Character.isLetter(codePoint)
                || switch (Character.getType(codePoint)) {
                    case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
                    default -> false;
                };
    }

    /** {@code str.lower}: a capital sigma is final by its neighbours alone; Java asks where words end, too. */
    public static String lowerCase(String text) {
        int sigma = text.indexOf('\u03a3');
        if (sigma < 0) {
            return text.toLowerCase(Locale.ROOT);
        }
        StringBuilder out = new StringBuilder(text);
        for (; sigma >= 0; sigma = text.indexOf('\u03a3', sigma + 1)) {
            boolean last = isCasedBefore(text, sigma) && !isCasedBehind(text, sigma + 1);
            out.setCharAt(sigma, last ? '\u03c2' : '\u03c3');
        }
        return out.toString().toLowerCase(Locale.ROOT);
    }

    private static boolean isCasedBefore(String text, int at) {
        while (at > 0) {
            int c = text.codePointBefore(at);
            if (!isIgnorable(c)) {
                return isCased(c);
            }
            at -= Character.charCount(c);
        }
        return false;
    }

    private static boolean isCasedBehind(String text, int at) {
        while (at < text.length()) {
            int c = text.codePointAt(at);
            if (!isIgnorable(c)) {
                return isCased(c);
            }
            at += Character.charCount(c);
        }
        return false;
    }

    private static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    private static boolean isIgnorable(int c) {
        return WITHIN_WORDS.indexOf(c) >= 0
                || switch (Character.getType(c)) {
                    case Character.NON_SPACING_MARK,
                            Character.ENCLOSING_MARK,
                            Character.FORMAT,
                            Character.MODIFIER_LETTER,
                            Character.MODIFIER_SYMBOL -> true;
                    default -> false;
                };
    }
}
