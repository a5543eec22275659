package dev.puna.tokenizer;

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

    /**
     * Decodes {@code source[from, to)}, UTF-8, to {@code target} from {@code position} on.
     *
     * @return the number of bytes, or -1 when a character is none of the 256
     */
    static int decode(byte[] source, int from, int to, byte[] target, int position) {
        int written = position;
        int at = from;
        while (at < to) {
            int character = source[at];
            if (character < 0) {
                if (Utf8.characterLength(source, at, to) != 2) {
                    return -1;
                }
                character = Utf8.codePoint(source, at++);
            }
            at++;
            int value = value(character);
            if (value < 0) {
                return -1;
            }
            target[written++] = (byte) value;
        }
        return written - position;
    }

    /** The byte that a character stands for, or -1. */
    static int value(int character) {
        return character < BYTES.length ? BYTES[character] : -1;
    }
}
