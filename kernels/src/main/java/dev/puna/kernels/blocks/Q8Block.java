package dev.puna.kernels.blocks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Q8_0: 32 elements, {@code f16 d; i8 q[32]}, value {@code d·q}. */
public final class Q8Block {
    public static final int ELEMENTS = 32;
    public static final int D = 0;
    public static final int Q = 2;
    public static final int BYTES = 34;

    private Q8Block() {}

    static void decode(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        for (int i = 0; i < ELEMENTS; i++) {
            y[at + i] = memory.get(ValueLayout.JAVA_BYTE, offset + Q + i) * d;
        }
    }

    /** The largest magnitude becomes ±127; ties round away from zero. */
    static void encode(MemorySegment memory, long offset, float[] x, int at) {
        float largest = 0;
        for (int i = 0; i < ELEMENTS; i++) {
            largest = Math.max(largest, Math.abs(x[at + i]));
        }
        float d = largest / 127;
        float inverse = d == 0 ? 0 : 1 / d;
        Rows.setF16(memory, offset + D, d);
        for (int i = 0; i < ELEMENTS; i++) {
            Rows.setU8(memory, offset + Q + i, roundAwayFromZero(x[at + i] * inverse));
        }
    }

    /** C's {@code roundf}, which differs from {@link Math#round} below zero. */
    private static int roundAwayFromZero(float value) {
        int magnitude = (int) (Math.abs(value) + 0.5f);
        // Adding 0.5 to the float just below 0.5 rounds up to 1.
        if (magnitude - Math.abs(value) > 0.5f) {
            magnitude--;
        }
        return value < 0 ? -magnitude : magnitude;
    }
}
