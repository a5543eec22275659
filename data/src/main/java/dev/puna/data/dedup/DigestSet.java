package dev.puna.data.dedup;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** A set of 128-bit digests: open addressing, 16 bytes a slot, at most three quarters full. Not thread-safe. */
public final class DigestSet {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private long[] slots = new long[2 << 10]; // pairs; the pair (0, 0) is empty
    private int size;

    /** An empty set. */
    public DigestSet() {}

    /** Adds the first 16 bytes of {@code digest}; false when they were there. */
    public boolean add(byte[] digest) {
        return add((long) LONG.get(digest, 0), (long) LONG.get(digest, 8));
    }

    /** Adds a digest given as two halves; false when it was there. */
    public boolean add(long low, long high) {
        if (low == 0 && high == 0) {
            high = 1;
        }
        if (4L * size >= 3L * (slots.length / 2)) {
            grow();
        }
        if (!insert(slots, low, high)) {
            return false;
        }
        size++;
        return true;
    }

    private static boolean insert(long[] table, long low, long high) {
        int mask = table.length / 2 - 1;
        int at = (int) (low ^ (low >>> 32)) & mask;
        while (true) {
            long a = table[2 * at];
            long b = table[2 * at + 1];
            if (a == 0 && b == 0) {
                table[2 * at] = low;
                table[2 * at + 1] = high;
                return true;
            }
            if (a == low && b == high) {
                return false;
            }
            at = (at + 1) & mask;
        }
    }

    private void grow() {
        long[] larger = new long[slots.length * 2];
        for (int i = 0; i < slots.length; i += 2) {
            if (slots[i] != 0 || slots[i + 1] != 0) {
                insert(larger, slots[i], slots[i + 1]);
            }
        }
        slots = larger;
    }

    public int size() {
        return size;
    }
}
