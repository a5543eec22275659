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

    private final MessageDigest sha1;

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
        String lower = PythonText.lowerCase(PythonText.strip(line));
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
        return hash(normalized(line));
    }

    /** The same of a text as it is. */
    public static long sha1(String text) {
        return new LineHash().hash(text);
    }

    private long hash(String text) {
        return (long) LONG.get(sha1.digest(text.getBytes(StandardCharsets.UTF_8)), 0);
    }
}
