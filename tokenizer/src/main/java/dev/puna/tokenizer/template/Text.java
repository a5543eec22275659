package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Python's {@code str} on Java strings: positions count code points, whitespace and case are Unicode's. */
final class Text {
    private Text() {}

    /** Whether Python's {@code str.isspace} holds for this character. */
    static boolean isSpace(int c) {
        if (c < 128) {
            return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
        }
        return c == 0x85
                || c == 0xA0
                || c == 0x1680
                || (c >= 0x2000 && c <= 0x200A)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    static boolean isLineEnd(char c) {
        return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    /** Length in code points. */
    static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    /** Where code point number {@code index} begins, in UTF-16 units. */
    static int offset(String text, int index) {
        return text.offsetByCodePoints(0, index);
    }

    static String strip(String text, boolean left, boolean right) {
        int start = 0;
        int end = text.length();
        if (left) {
            while (start < end && isSpace(text.charAt(start))) {
                start++;
            }
        }
        if (right) {
            while (end > start && isSpace(text.charAt(end - 1))) {
                end--;
            }
        }
        return text.substring(start, end);
    }

    /** Strips the characters that occur in {@code set}. */
    static String strip(String text, String set, boolean left, boolean right) {
        int start = 0;
        int end = text.length();
        if (left) {
            while (start < end) {
                int c = text.codePointAt(start);
                if (set.indexOf(c) < 0) {
                    break;
                }
                start += Character.charCount(c);
            }
        }
        if (right) {
            while (end > start) {
                int c = text.codePointBefore(end);
                if (set.indexOf(c) < 0) {
                    break;
                }
                end -= Character.charCount(c);
            }
        }
        return text.substring(start, end);
    }

    static List<String> splitLines(String text, boolean keepEnds) {
        List<String> lines = new ArrayList<>();
        int start = 0;
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i);
            if (!isLineEnd(c)) {
                i++;
                continue;
            }
            int end = i++;
            if (c == '\r' && i < text.length() && text.charAt(i) == '\n') {
                i++;
            }
            lines.add(text.substring(start, keepEnds ? i : end));
            start = i;
        }
        if (start < text.length()) {
            lines.add(text.substring(start));
        }
        return lines;
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    /** First character in title case, the rest in lower case. */
    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return titleCase(text.codePointAt(0))
                + lower(text).substring(lower(text.substring(0, first)).length());
    }

    /** Each run of letters begins in title case and goes on in lower case. */
    static String title(String text) {
        StringBuilder result = new StringBuilder(text.length());
        String lowered = lower(text);
        boolean sameLength = lowered.length() == text.length();
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            boolean cased = Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
            if (!inWord) {
                result.append(titleCase(c));
            } else if (sameLength) {
                result.appendCodePoint(lowered.codePointAt(i));
            } else {
                result.append(lower(Character.toString(c)));
            }
            inWord = cased;
            i += Character.charCount(c);
        }
        return result.toString();
    }

    private static String titleCase(int c) {
        int title = Character.toTitleCase(c);
        String upper = upper(Character.toString(c));
        if (title != c || upper.codePointCount(0, upper.length()) == 1) {
            return Character.toString(title);
        }
        int first = Character.charCount(upper.codePointAt(0));
        return upper.substring(0, first) + lower(upper.substring(first));
    }

    static String swapCase(String text) {
        StringBuilder result = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            String one = Character.toString(c);
            result.append(Character.isUpperCase(c) ? lower(one) : Character.isLowerCase(c) ? upper(one) : one);
            i += Character.charCount(c);
        }
        return result.toString();
    }

    /** {@code str.islower} or {@code str.isupper}: some letter has case, and none has the other. */
    static boolean isCase(String text, boolean upper) {
        boolean some = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            if (Character.isTitleCase(c) || (upper ? Character.isLowerCase(c) : Character.isUpperCase(c))) {
                return false;
            }
            some |= upper ? Character.isUpperCase(c) : Character.isLowerCase(c);
            i += Character.charCount(c);
        }
        return some;
    }

    /** Python's order of strings: by code point. */
    static int compare(String a, String b) {
        int shared = Math.min(a.length(), b.length());
        for (int i = 0; i < shared; i++) {
            char x = a.charAt(i);
            char y = b.charAt(i);
            if (x != y) {
                boolean pairX = Character.isSurrogate(x);
                boolean pairY = Character.isSurrogate(y);
                if (pairX != pairY) {
                    return pairX ? 1 : -1;
                }
                return x < y ? -1 : 1;
            }
        }
        return Integer.compare(a.length(), b.length());
    }

    /** Python's {@code repr} of a string. */
    static String repr(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder result = new StringBuilder(text.length() + 2).append(quote);
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            if (c == quote || c == '\\') {
                result.append('\\').append((char) c);
            } else if (c == '\n') {
                result.append("\\n");
            } else if (c == '\r') {
                result.append("\\r");
            } else if (c == '\t') {
                result.append("\\t");
            } else if (isPrintable(c)) {
                result.appendCodePoint(c);
            } else if (c < 0x100) {
                hex(result.append("\\x"), c, 2);
            } else if (c < 0x10000) {
                hex(result.append("\\u"), c, 4);
            } else {
                hex(result.append("\\U"), c, 8);
            }
        }
        return result.append(quote).toString();
    }

    static void hex(StringBuilder result, int value, int digits) {
        for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
            result.append(Character.forDigit((value >> shift) & 15, 16));
        }
    }

    private static boolean isPrintable(int c) {
        if (c < 127) {
            return c >= 32;
        }
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SPACE_SEPARATOR -> false;
            default -> true;
        };
    }
}
