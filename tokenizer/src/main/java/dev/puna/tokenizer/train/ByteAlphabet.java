package dev.puna.tokenizer.train;

/**
 * GPT-2's order of the 256 bytes, which is also the order of their printable characters: first the printable ones of
 * Latin-1, then the others, which are written as the characters from U+0100 on.
 */
final class ByteAlphabet {
    private static final char[] CHARACTER = new char[256]; // by byte
    private static final byte[] BYTE = new byte[256]; // by id
    private static final int[] ID = new int[256]; // by byte

    static {
        int id = 0;
        for (int b = 0; b < 256; b++) {
            if (printable(b)) {
                CHARACTER[b] = (char) b;
                ID[b] = id;
                BYTE[id++] = (byte) b;
            }
        }
        int next = 256;
        for (int b = 0; b < 256; b++) {
            if (!printable(b)) {
                CHARACTER[b] = (char) next++;
                ID[b] = id;
                BYTE[id++] = (byte) b;
            }
        }
    }

    private ByteAlphabet() {}

    private static boolean printable(int b) {
        return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
    }

    static int idOf(byte b) {
        return ID[b & 0xff];
    }

    static byte byteOf(int id) {
        return BYTE[id];
    }

    /** The token as vocabularies print it: {@code Ġthe}. */
    static String print(byte[] token) {
        StringBuilder out = new StringBuilder(token.length);
        for (byte b : token) {
            out.append(CHARACTER[b & 0xff]);
        }
        return out.toString();
    }
}
