package dev.puna.kernels.blocks;

import java.lang.foreign.MemorySegment;

/**
 * 32 elements of four bits. Byte {@code i} holds element {@code i} below and element {@code i + 16} above.
 *
 * <ul>
 *   <li>Q4_0: {@code f16 d; u4 q[32]}, value {@code d·(q − 8)}
 *   <li>Q4_1: {@code f16 d, m; u4 q[32]}, value {@code d·q + m}
 * </ul>
 */
public final class Q4Block {
    public static final int ELEMENTS = 32;
    public static final int D = 0;
    public static final int Q0 = 2;
    public static final int BYTES0 = 18;
    public static final int M1 = 2;
    public static final int Q1 = 4;
    public static final int BYTES1 = 20;

    private Q4Block() {}

    static void decode0(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        for (int i = 0; i < 16; i++) {
            int q = Rows.u8(memory, offset + Q0 + i);
            y[at + i] = ((q & 15) - 8) * d;
            y[at + i + 16] = ((q >> 4) - 8) * d;
        }
    }

    static void decode1(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        float m = Rows.f16(memory, offset + M1);
        for (int i = 0; i < 16; i++) {
            int q = Rows.u8(memory, offset + Q1 + i);
            y[at + i] = (q & 15) * d + m;
            y[at + i + 16] = (q >> 4) * d + m;
        }
    }

    /** The element of largest magnitude becomes −8, so that it keeps its sign and costs no code. */
    static void encode0(MemorySegment memory, long offset, float[] x, int at) {
        float d = farthest(x, at) / -8;
        float inverse = d == 0 ? 0 : 1 / d;
        Rows.setF16(memory, offset + D, d);
        for (int i = 0; i < 16; i++) {
            int low = Math.min(15, (int) (x[at + i] * inverse + 8.5f));
            int high = Math.min(15, (int) (x[at + i + 16] * inverse + 8.5f));
            Rows.setU8(memory, offset + Q0 + i, low + 16 * high);
        }
    }

    /** The smallest element becomes 0, the largest 15. */
    static void encode1(MemorySegment memory, long offset, float[] x, int at) {
        float min = min(x, at);
        float d = (max(x, at) - min) / 15;
        float inverse = d == 0 ? 0 : 1 / d;
        Rows.setF16(memory, offset + D, d);
        Rows.setF16(memory, offset + M1, min);
        for (int i = 0; i < 16; i++) {
            int low = Math.min(15, (int) ((x[at + i] - min) * inverse + 0.5f));
            int high = Math.min(15, (int) ((x[at + i + 16] - min) * inverse + 0.5f));
            Rows.setU8(memory, offset + Q1 + i, low + 16 * high);
        }
    }

    /** The first of the 32 elements that has the largest magnitude. */
    static float farthest(float[] x, int at) {
        float farthest = 0;
        for (int i = 0; i < ELEMENTS; i++) {
            if (Math.abs(x[at + i]) > Math.abs(farthest)) {
                farthest = x[at + i];
            }
        }
        return farthest;
    }

    static float min(float[] x, int at) {
        float min = Float.MAX_VALUE;
        for (int i = 0; i < ELEMENTS; i++) {
            min = x[at + i] < min ? x[at + i] : min;
        }
        return min;
    }

    static float max(float[] x, int at) {
        float max = -Float.MAX_VALUE;
        for (int i = 0; i < ELEMENTS; i++) {
            max = x[at + i] > max ? x[at + i] : max;
        }
        return max;
    }
}
