package dev.puna.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** UTF-8 by hand where the JDK's way allocates or replaces differently (Unicode 16, table 3-7). */
final class Utf8 {
    private Utf8() {}

    /**
     * The length (1 to 4) of the well-formed character at {@code at}, or minus the length of the maximal malformed
     * sequence there (the one that is replaced by one U+FFFD), when {@code at < end}.
     */
    static int characterLength(byte[] bytes, int at, int end) {
        int lead = bytes[at];
        if (lead >= 0) {
            return 1;
        }
        lead &= 0xFF;
        if (lead < 0xC2 || lead > 0xF4) {
            return -1;
        }
        if (at + 1 >= end) {
            return -1;
        }
        int second = bytes[at + 1] & 0xFF;
        if (lead < 0xE0) {
            return (second & 0xC0) == 0x80 ? 2 : -1;
        }
        int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (second < low || second > high) {
            return -1;
        }
        if (at + 2 >= end || (bytes[at + 2] & 0xC0) != 0x80) {
            return -2;
        }
        if (lead < 0xF0) {
            return 3;
        }
        return at + 3 < end && (bytes[at + 3] & 0xC0) == 0x80 ? 4 : -3;
    }

    /** The code point of the well-formed character at {@code at}. */
    static int codePoint(byte[] bytes, int at) {
        int lead = bytes[at];
        if (lead >= 0) {
            return lead;
        }
        if ((lead & 0xE0) == 0xC0) {
            return (lead & 0x1F) << 6 | (bytes[at + 1] & 0x3F);
        }
        if ((lead & 0xF0) == 0xE0) {
            return (lead & 0xF) << 12 | (bytes[at + 1] & 0x3F) << 6 | (bytes[at + 2] & 0x3F);
        }
        return (lead & 7) << 18 | (bytes[at + 1] & 0x3F) << 12 | (bytes[at + 2] & 0x3F) << 6 | (bytes[at + 3] & 0x3F);
    }

    /** How many bytes at the end of {@code [from, to)} are the beginning of a character that is not complete. */
    static int incompleteTail(byte[] bytes, int from, int to) {
        for (int at = to - 1; at >= from && at >= to - 3; at--) {
            if ((bytes[at] & 0xC0) != 0x80) {
                return bytes[at] < 0 && characterLength(bytes, at, to) == at - to && startsCharacter(bytes[at])
                        ? to - at
                        : 0;
            }
        }
        return 0;
    }

    private static boolean startsCharacter(byte lead) {
        int unsigned = lead & 0xFF;
        return unsigned >= 0xC2 && unsigned <= 0xF4;
    }

    /** Text, each maximal malformed sequence as one U+FFFD. */
    static String decode(byte[] bytes, int from, int to) {
        return new String(bytes, from, to - from, StandardCharsets.UTF_8);
    }

    /** Whether the bytes are well-formed. */
    static boolean isWellFormed(byte[] bytes, int from, int to) {
        int at = from;
        while (at < to) {
            int length = characterLength(bytes, at, to);
            if (length < 0) {
                return false;
            }
            at += length;
        }
        return true;
    }

    /**
     * Appends a string to {@code target} from {@code size} on; an unpaired surrogate becomes U+FFFD. The target must
     * have room for three bytes per char.
     *
     * @return the size behind what was written
     */
    static int append(String text, char[] block, byte[] target, int size) {
        int length = text.length();
        int pendingHigh = 0;
        for (int start = 0; start < length; start += block.length) {
            int count = Math.min(block.length, length - start);
            text.getChars(start, start + count, block, 0);
            int i = 0;
            if (pendingHigh != 0) {
                if (Character.isLowSurrogate(block[0])) {
                    size = appendSupplementary(Character.toCodePoint((char) pendingHigh, block[0]), target, size);
                    i = 1;
                } else {
                    size = appendReplacement(target, size);
                }
                pendingHigh = 0;
            }
            while (i < count) {
                char c = block[i++];
                if (c < 0x80) {
                    target[size++] = (byte) c;
                } else if (c < 0x800) {
                    target[size++] = (byte) (0xC0 | c >> 6);
                    target[size++] = (byte) (0x80 | (c & 0x3F));
                } else if (c < 0xD800 || c > 0xDFFF) {
                    target[size++] = (byte) (0xE0 | c >> 12);
                    target[size++] = (byte) (0x80 | ((c >> 6) & 0x3F));
                    target[size++] = (byte) (0x80 | (c & 0x3F));
                } else if (c > 0xDBFF) {
                    size = appendReplacement(target, size);
                } else if (i == count && start + count < length) {
                    pendingHigh = c;
                } else if (i < count && Character.isLowSurrogate(block[i])) {
                    size = appendSupplementary(Character.toCodePoint(c, block[i++]), target, size);
                } else {
                    size = appendReplacement(target, size);
                }
            }
        }
        return size;
    }

    static int appendReplacement(byte[] target, int size) {
        target[size] = (byte) 0xEF;
        target[size + 1] = (byte) 0xBF;
        target[size + 2] = (byte) 0xBD;
        return size + 3;
    }

    private static int appendSupplementary(int codePoint, byte[] target, int size) {
        target[size] = (byte) (0xF0 | codePoint >> 18);
        target[size + 1] = (byte) (0x80 | ((codePoint >> 12) & 0x3F));
        target[size + 2] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
        target[size + 3] = (byte) (0x80 | (codePoint & 0x3F));
        return size + 4;
    }

    /** The bytes of a string; an unpaired surrogate becomes U+FFFD. */
    static byte[] bytes(String text) {
        byte[] target = new byte[Math.multiplyExact(text.length(), 3)];
        return Arrays.copyOf(target, append(text, new char[Math.max(1, Math.min(text.length(), 4096))], target, 0));
    }
}
