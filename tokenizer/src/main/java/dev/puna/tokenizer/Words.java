package dev.puna.tokenizer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Eight bytes at a time. Every array that is read this way ends with {@link #PADDING} bytes to spare. */
final class Words {
    /** Bytes that must follow the last one that counts. */
    static final int PADDING = 16;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long MULTIPLIER = 0x9E3779B97F4A7C15L;

    private Words() {}

    /** The eight bytes at {@code at}, the first lowest. */
    static long at(byte[] bytes, int at) {
        return (long) LONGS.get(bytes, at);
    }

    /** The first {@code length} (1 to 8) bytes at {@code at}, zeros above. */
    static long at(byte[] bytes, int at, int length) {
        return (long) LONGS.get(bytes, at) & (-1L >>> (64 - 8 * length));
    }

    /** A 64-bit hash of a range of at least one byte; the high bits are the good ones. */
    static long hash(byte[] bytes, int from, int to) {
        long hash = (long) to - from;
        int at = from;
        while (to - at > 8) {
            hash = mix(hash ^ at(bytes, at));
            at += 8;
        }
        return mix(hash ^ at(bytes, at, to - at));
    }

    static long mix(long value) {
        long product = value * MULTIPLIER;
        return (product ^ (product >>> 29)) * 0xD6E8FEB86659FD93L;
    }

    /** Whether two ranges of the same length hold the same bytes. */
    static boolean equal(byte[] a, int aFrom, byte[] b, int bFrom, int length) {
        int left = length;
        int x = aFrom;
        int y = bFrom;
        while (left > 8) {
            if (at(a, x) != at(b, y)) {
                return false;
            }
            x += 8;
            y += 8;
            left -= 8;
        }
        return left == 0 || ((at(a, x) ^ at(b, y)) << (64 - 8 * left)) == 0;
    }
}
