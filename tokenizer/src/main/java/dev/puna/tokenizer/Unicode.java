package dev.puna.tokenizer;

import org.jspecify.annotations.Nullable;

/** The four classes of characters that Llama-3's pattern knows, for every code point; pages are filled on first use. */
final class Unicode {
    /** Neither letter, number nor white space. */
    static final byte OTHER = 0;

    /** {@code \p{L}}. */
    static final byte LETTER = 1;

    /** {@code \p{N}}. */
    static final byte NUMBER = 2;

    /** {@code \s}: the property White_Space, except carriage return and line feed. */
    static final byte SPACE = 3;

    /** Carriage return or line feed. */
    static final byte NEWLINE = 4;

    private static final int LETTERS = 1 << Character.UPPERCASE_LETTER
            | 1 << Character.LOWERCASE_LETTER
            | 1 << Character.TITLECASE_LETTER
            | 1 << Character.MODIFIER_LETTER
            | 1 << Character.OTHER_LETTER;
    private static final int NUMBERS =
            1 << Character.DECIMAL_DIGIT_NUMBER | 1 << Character.LETTER_NUMBER | 1 << Character.OTHER_NUMBER;

    private static final byte[] @Nullable [] PAGES = new byte[0x1100][];

    /** Classes of the first 128 code points. */
    static final byte[] ASCII = new byte[128];

    static {
        for (int c = 0; c < 128; c++) {
            ASCII[c] = compute(c);
        }
    }

    private Unicode() {}

    static byte classOf(int codePoint) {
        byte[] page = PAGES[codePoint >>> 8];
        return page != null ? page[codePoint & 0xFF] : fill(codePoint >>> 8)[codePoint & 0xFF];
    }

    private static byte[] fill(int number) {
        byte[] page = new byte[256];
        for (int i = 0; i < 256; i++) {
            page[i] = compute(number << 8 | i);
        }
        PAGES[number] = page; // two threads may fill it; both write the same
        return page;
    }

    private static byte compute(int codePoint) {
        if (codePoint == '\r' || codePoint == '\n') {
            return NEWLINE;
        }
        if (isWhiteSpace(codePoint)) {
            return SPACE;
        }
        int type = 1 << Character.getType(codePoint);
        return (type & LETTERS) != 0 ? LETTER : (type & NUMBERS) != 0 ? NUMBER : OTHER;
    }

    private static boolean isWhiteSpace(int c) {
        return c == ' '
                || (c >= 9 && c <= 13)
                || c == 0x85
                || c == 0xA0
                || c == 0x1680
                || (c >= 0x2000 && c <= 0x200A)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    /** Python's {@code str.isspace}: white space and the four separators U+001C to U+001F. */
    static boolean isPythonSpace(int codePoint) {
        return isWhiteSpace(codePoint) || (codePoint >= 0x1C && codePoint <= 0x1F);
    }
}
