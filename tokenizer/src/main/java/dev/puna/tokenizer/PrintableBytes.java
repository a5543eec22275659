package dev.puna.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * GPT-2's printable form of bytes: each of the 256 is one character, itself where that is visible in Latin-1, else one
 * from U+0100 on; so a space is {@code Ġ}. {@code tokenizer.json} and GGUF write byte-level tokens this way.
 */
final class PrintableBytes {
    private static final char[] CHARACTERS = new char[256];
    private static final short[] BYTES = new short[0x144];

    static {
        java.util.Arrays.fill(BYTES, (short) -1);
        int next = 0x100;
        for (int value = 0; value < 256; value++) {
            boolean visible = (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xAC) || value >= 0xAE;
            CHARACTERS[value] = (char) (visible ? value : next++);
            BYTES[CHARACTERS[value]] = (short) value;
        }
    }

    private PrintableBytes() {}

    static String encode(byte[] bytes) {
        char[] characters = new char[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            characters[i] = CHARACTERS[bytes[i] & 0xFF];
        }
        return new String(characters);
    }

    /** The bytes, or null when a character is none of the 256. */
    static byte @Nullable [] decode(String text) {
        byte[] bytes = new byte[text.length()];
        for (int i = 0; i < bytes.length; i++) {
            int value = value(text.charAt(i));
            if (value < 0) {
                return null;
            }
            bytes[i] = (byte) value;
        }
        return bytes;
    }

    /** The byte that a character stands for, or -1. */
    static int value(int character) {
        return character < BYTES.length ? BYTES[character] : -1;
    }
}
