package dev.puna.tokenizer;

/**
 * Llama-3's pattern by hand, on well-formed UTF-8:
 *
 * <pre>
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * </pre>
 *
 * The alternatives are tried in this order at each place, and every character belongs to a match.
 */
final class Llama3Splitter {
    /** The pattern as {@code tokenizer.json} and tiktoken write it. */
    static final String PATTERN = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private static final byte[] ASCII = Unicode.ASCII;

    private Llama3Splitter() {}

    /** Where the match that starts at {@code at < end} ends. */
    static int next(byte[] text, int at, int end) {
        int lead = text[at];
        int kind;
        int behind;
        if (lead >= 0) {
            kind = ASCII[lead];
            behind = at + 1;
        } else {
            kind = Unicode.classOf(Utf8.codePoint(text, at));
            behind = at + width(lead);
        }
        if (kind == Unicode.LETTER) {
            return letters(text, behind, end);
        }
        if (kind == Unicode.NUMBER) {
            return numbers(text, behind, end);
        }
        if (behind == end) {
            return end;
        }
        int second = text[behind];
        int secondKind;
        int secondBehind;
        if (second >= 0) {
            secondKind = ASCII[second];
            secondBehind = behind + 1;
        } else {
            secondKind = Unicode.classOf(Utf8.codePoint(text, behind));
            secondBehind = behind + width(second);
        }
        if (kind == Unicode.OTHER) {
            if (secondKind == Unicode.LETTER) {
                if (lead == '\'') {
                    int contraction = contraction(text, behind, end);
                    if (contraction > 0) {
                        return contraction;
                    }
                }
                return letters(text, secondBehind, end);
            }
            return others(text, behind, end);
        }
        if (kind == Unicode.SPACE) {
            if (secondKind == Unicode.LETTER) {
                return letters(text, secondBehind, end);
            }
            if (secondKind == Unicode.OTHER && lead == ' ') {
                return others(text, secondBehind, end);
            }
            if (secondKind == Unicode.OTHER || secondKind == Unicode.NUMBER) {
                return behind;
            }
        }
        return whiteSpace(text, at, end);
    }

    private static int width(int lead) {
        return lead < (byte) 0xE0 ? 2 : lead < (byte) 0xF0 ? 3 : 4;
    }

    private static int letters(byte[] text, int from, int end) {
        int at = from;
        while (at < end) {
            int lead = text[at];
            if (lead >= 0) {
                if (ASCII[lead] != Unicode.LETTER) {
                    return at;
                }
                at++;
            } else {
                if (Unicode.classOf(Utf8.codePoint(text, at)) != Unicode.LETTER) {
                    return at;
                }
                at += width(lead);
            }
        }
        return at;
    }

    private static int numbers(byte[] text, int from, int end) {
        int at = from;
        for (int count = 1; count < 3 && at < end; count++) {
            int lead = text[at];
            if (lead >= 0) {
                if (ASCII[lead] != Unicode.NUMBER) {
                    return at;
                }
                at++;
            } else {
                if (Unicode.classOf(Utf8.codePoint(text, at)) != Unicode.NUMBER) {
                    return at;
                }
                at += width(lead);
            }
        }
        return at;
    }

    private static int others(byte[] text, int from, int end) {
        int at = from;
        while (at < end) {
            int lead = text[at];
            if (lead >= 0) {
                if (ASCII[lead] != Unicode.OTHER) {
                    break;
                }
                at++;
            } else {
                if (Unicode.classOf(Utf8.codePoint(text, at)) != Unicode.OTHER) {
                    break;
                }
                at += width(lead);
            }
        }
        while (at < end && (text[at] == '\r' || text[at] == '\n')) {
            at++;
        }
        return at;
    }

    /** A run of white space: to its last line end; else to its end less one character, if something follows it. */
    private static int whiteSpace(byte[] text, int from, int end) {
        int at = from;
        int last = from;
        int lineEnd = -1;
        while (at < end) {
            int lead = text[at];
            int kind = lead >= 0 ? ASCII[lead] : Unicode.classOf(Utf8.codePoint(text, at));
            if (kind < Unicode.SPACE) {
                break;
            }
            last = at;
            at += lead >= 0 ? 1 : width(lead);
            if (kind == Unicode.NEWLINE) {
                lineEnd = at;
            }
        }
        if (lineEnd > 0) {
            return lineEnd;
        }
        return at == end || last == from ? at : last;
    }

    /** Behind an apostrophe: s, t, m, d, re, ve, ll in any case; U+017F is a kind of s. Where it ends, or -1. */
    private static int contraction(byte[] text, int at, int end) {
        int first = text[at] | 0x20;
        if (first == 's' || first == 't' || first == 'm' || first == 'd') {
            return at + 1;
        }
        if (text[at] == (byte) 0xC5) {
            return text[at + 1] == (byte) 0xBF ? at + 2 : -1;
        }
        if (at + 1 < end) {
            int second = text[at + 1] | 0x20;
            if ((second == 'e' && (first == 'r' || first == 'v')) || (second == 'l' && first == 'l')) {
                return at + 2;
            }
        }
        return -1;
    }
}
