package dev.puna.tokenizer.train;

/**
 * The words of Llama-3's pattern, found by hand in UTF-8:
 * {@code (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+}.
 */
public final class Llama3Words implements WordSplitter {
    private static final byte OTHER = 0;
    private static final byte LETTER = 1;
    private static final byte NUMBER = 2;
    private static final byte SPACE = 3;
    private static final byte NEWLINE = 4;
    private static final byte WIDE = 5; // first byte of a character beyond ASCII

    private static final byte[] KIND = new byte[256];

    static {
        for (int c = 0; c < 128; c++) {
            KIND[c] = kind(c);
        }
        for (int c = 128; c < 256; c++) {
            KIND[c] = WIDE;
        }
    }

    /** A splitter; it has no state. */
    public Llama3Words() {}

    private static byte kind(int c) {
        if (c == '\n' || c == '\r') {
            return NEWLINE;
        }
        return switch (Character.getType(c)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER -> LETTER;
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> NUMBER;
            case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> SPACE;
            default -> (c >= 9 && c <= 12) || c == 0x85 ? SPACE : OTHER;
        };
    }

    /** Kind of the character at {@code at} and, in the bits above 3, its length in bytes. */
    private static int wide(byte[] s, int at, int to) {
        int b = s[at] & 0xff;
        int length = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc2 ? 2 : 1;
        if (length == 1 || at + length > to || b > 0xf4) {
            return (1 << 3) | OTHER;
        }
        int c = b & (0x7f >> length);
        for (int i = 1; i < length; i++) {
            int next = s[at + i] & 0xff;
            if ((next & 0xc0) != 0x80) {
                return (1 << 3) | OTHER;
            }
            c = (c << 6) | (next & 0x3f);
        }
        return (length << 3) | (c <= 0x10ffff ? kind(c) : OTHER);
    }

    private static int at(byte[] s, int i, int to) {
        int kind = KIND[s[i] & 0xff];
        return kind == WIDE ? wide(s, i, to) : (1 << 3) | kind;
    }

    @Override
    public void count(byte[] s, int from, int to, WordCounts counts) {
        int i = from;
        while (i < to) {
            int end = next(s, i, to);
            counts.add(s, i, end);
            i = end;
        }
    }

    /** Where the word that begins at {@code i} ends. */
    static int next(byte[] s, int i, int to) {
        int first = at(s, i, to);
        int kind = first & 7;
        int after = i + (first >> 3);
        if (s[i] == '\'') {
            int end = contraction(s, i, to);
            if (end > 0) {
                return end;
            }
        }
        int second = after < to ? at(s, after, to) & 7 : SPACE;
        return switch (kind) {
            case LETTER -> run(s, after, to, LETTER);
            case NUMBER -> digits(s, after, to);
            case OTHER -> second == LETTER ? run(s, after, to, LETTER) : newlines(s, run(s, after, to, OTHER), to);
            case SPACE -> {
                if (second == LETTER) {
                    yield run(s, after, to, LETTER);
                }
                yield second == OTHER && s[i] == ' ' ? newlines(s, run(s, after, to, OTHER), to) : whitespace(s, i, to);
            }
            default -> whitespace(s, i, to);
        };
    }

    /** At most two more digits. */
    private static int digits(byte[] s, int at, int to) {
        int end = at;
        for (int count = 1; count < 3 && end < to; count++) {
            int next = at(s, end, to);
            if ((next & 7) != NUMBER) {
                break;
            }
            end += next >> 3;
        }
        return end;
    }

    private static int whitespace(byte[] s, int i, int to) {
        int end = i;
        int last = i; // where the last character of the run begins
        int afterNewline = -1;
        while (end < to) {
            int next = at(s, end, to);
            int kind = next & 7;
            if (kind != SPACE && kind != NEWLINE) {
                break;
            }
            last = end;
            end += next >> 3;
            if (kind == NEWLINE) {
                afterNewline = end;
            }
        }
        if (afterNewline >= 0) {
            return afterNewline;
        }
        return end == to || last == i ? end : last;
    }

    private static int run(byte[] s, int at, int to, int kind) {
        int i = at;
        while (i < to) {
            int k = KIND[s[i] & 0xff];
            if (k == kind) {
                i++;
            } else if (k == WIDE) {
                int next = wide(s, i, to);
                if ((next & 7) != kind) {
                    return i;
                }
                i += next >> 3;
            } else {
                return i;
            }
        }
        return i;
    }

    private static int newlines(byte[] s, int at, int to) {
        int i = at;
        while (i < to && (s[i] == '\n' || s[i] == '\r')) {
            i++;
        }
        return i;
    }

    private static int contraction(byte[] s, int i, int to) {
        if (i + 1 >= to) {
            return 0;
        }
        int a = s[i + 1] | 0x20;
        int b = i + 2 < to ? s[i + 2] | 0x20 : 0;
        if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) {
            return i + 3;
        }
        if ((s[i + 1] & 0xff) == 0xc5 && i + 2 < to && (s[i + 2] & 0xff) == 0xbf) {
            return i + 3; // 'ſ is 's when case does not matter
        }
        return s[i + 1] > 0 && (a == 's' || a == 't' || a == 'm' || a == 'd') ? i + 2 : 0;
    }
}
