package dev.puna.data.dedup;

import dev.puna.data.PythonText;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * cc_net's hash of a line: white space off its ends, lower case, every digit a zero, punctuation and control characters
 * gone; of the SHA-1 of that in UTF-8 the first eight bytes, little-endian ({@code cc_net/text_normalizer.py},
 * {@code dedup.py}). Not thread-safe.
 */
public final class LineHash {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** What cc_net calls punctuation; its 34th is a full-width one, which has become a zero before. */
    private static final String PUNCTUATION = "，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％►";

    private static final char NOTHING = '\uffff';
    private static final char DEPENDS = '\ufffe'; // on its neighbours, or becomes several

    /** What most characters become whatever is beside them. */
    private static final char[] ALONE = new char[1 << 16];

    static {
        for (int c = 0; c < ALONE.length; c++) {
            boolean depends = Character.isSurrogate((char) c) || c == '\u03a3' || c >= DEPENDS;
            String one = depends ? "" : mapped(String.valueOf((char) c));
            ALONE[c] = depends || one.length() > 1 ? DEPENDS : one.isEmpty() ? NOTHING : one.charAt(0);
        }
    }

    private final MessageDigest sha1;
    private byte[] utf8 = new byte[512];

    /** A hasher for one thread. */
    public LineHash() {
        try {
            sha1 = MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The line as cc_net compares it. */
    public static String normalized(String line) {
        return mapped(PythonText.strip(line));
    }

    private static String mapped(String stripped) {
        String lower = PythonText.lowerCase(stripped);
        StringBuilder out = new StringBuilder(lower.length());
        for (int i = 0; i < lower.length(); i++) {
            char c = lower.charAt(i);
            if (c < 128) {
                if (c >= '0' && c <= '9') {
                    out.append('0');
                } else if (c >= ' ' && c != 127) {
                    out.append(c);
                }
            } else if (c >= 160) {
                int codePoint = lower.codePointAt(i);
                if (Character.isDigit(codePoint)) {
                    out.append('0');
                    i += Character.charCount(codePoint) - 1;
                } else if (PUNCTUATION.indexOf(c) < 0) {
                    out.append(c);
                }
            }
        }
        return out.toString();
    }

    /** Eight bytes of the SHA-1. */
    public long of(String line) {
        String stripped = PythonText.strip(line);
        int length = encode(stripped);
        if (length < 0) {
            return hash(mapped(stripped));
        }
        sha1.update(utf8, 0, length);
        return (long) LONG.get(sha1.digest(), 0);
    }

    /** The same of a text as it is. */
    public static long sha1(String text) {
        return new LineHash().hash(text);
    }

    private long hash(String text) {
        return (long) LONG.get(sha1.digest(text.getBytes(StandardCharsets.UTF_8)), 0);
    }

    /** The normalized line into {@link #utf8}, its length; -1 where a character asks for the others. */
    private int encode(String stripped) {
        if (utf8.length < 3 * stripped.length()) {
            utf8 = new byte[3 * stripped.length()];
        }
        byte[] out = utf8;
        int n = 0;
        for (int i = 0; i < stripped.length(); i++) {
            char c = ALONE[stripped.charAt(i)];
            if (c < 0x80) {
                out[n++] = (byte) c;
            } else if (c == DEPENDS) {
                return -1;
            } else if (c < 0x800) {
                out[n++] = (byte) (0xc0 | (c >> 6));
                out[n++] = (byte) (0x80 | (c & 0x3f));
            } else if (c != NOTHING) {
                out[n++] = (byte) (0xe0 | (c >> 12));
                out[n++] = (byte) (0x80 | ((c >> 6) & 0x3f));
                out[n++] = (byte) (0x80 | (c & 0x3f));
            }
        }
        return n;
    }
}
