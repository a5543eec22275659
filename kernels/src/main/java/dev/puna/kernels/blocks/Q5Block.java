package dev.puna.kernels.blocks;

import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * 32 elements of five bits: the low four as in {@link Q4Block}, the fifth of element {@code i} in bit {@code i} of a
 * word.
 *
 * <ul>
 *   <li>Q5_0: {@code f16 d; u32 high; u4 low[32]}, value {@code d·(q − 16)}
 *   <li>Q5_1: {@code f16 d, m; u32 high; u4 low[32]}, value {@code d·q + m}
 * </ul>
 */
public final class Q5Block {
    public static final int ELEMENTS = 32;
    public static final int D = 0;
    public static final int HIGH0 = 2;
    public static final int LOW0 = 6;
    public static final int BYTES0 = 22;
    public static final int M1 = 2;
    public static final int HIGH1 = 4;
    public static final int LOW1 = 8;
    public static final int BYTES1 = 24;

    private Q5Block() {}

    static void decode0(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        int high = memory.get(Tensor.I32_LE, offset + HIGH0);
        for (int i = 0; i < 16; i++) {
            int low = Rows.u8(memory, offset + LOW0 + i);
            y[at + i] = (((low & 15) + 16 * Rows.bits(high, i, 1)) - 16) * d;
            y[at + i + 16] = (((low >> 4) + 16 * Rows.bits(high, i + 16, 1)) - 16) * d;
        }
    }

    static void decode1(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        float m = Rows.f16(memory, offset + M1);
        int high = memory.get(Tensor.I32_LE, offset + HIGH1);
        for (int i = 0; i < 16; i++) {
            int low = Rows.u8(memory, offset + LOW1 + i);
            y[at + i] = ((low & 15) + 16 * Rows.bits(high, i, 1)) * d + m;
            y[at + i + 16] = ((low >> 4) + 16 * Rows.bits(high, i + 16, 1)) * d + m;
        }
    }

    /** The element of largest magnitude becomes −16. */
    static void encode0(MemorySegment memory, long offset, float[] x, int at) {
        float d = Q4Block.farthest(x, at) / -16;
        float inverse = d == 0 ? 0 : 1 / d;
        Rows.setF16(memory, offset + D, d);
        int high = 0;
        for (int i = 0; i < 16; i++) {
            int first = Math.min(31, (int) (x[at + i] * inverse + 16.5f));
            int second = Math.min(31, (int) (x[at + i + 16] * inverse + 16.5f));
            Rows.setU8(memory, offset + LOW0 + i, (first & 15) + 16 * (second & 15));
            high |= ((first >> 4) << i) | ((second >> 4) << (i + 16));
        }
        memory.set(Tensor.I32_LE, offset + HIGH0, high);
    }

    /** The smallest element becomes 0, the largest 31. */
    static void encode1(MemorySegment memory, long offset, float[] x, int at) {
        float min = Q4Block.min(x, at);
        float d = (Q4Block.max(x, at) - min) / 31;
        float inverse = d == 0 ? 0 : 1 / d;
        Rows.setF16(memory, offset + D, d);
        Rows.setF16(memory, offset + M1, min);
        int high = 0;
        for (int i = 0; i < 16; i++) {
            int first = Math.min(31, (int) ((x[at + i] - min) * inverse + 0.5f));
            int second = Math.min(31, (int) ((x[at + i + 16] - min) * inverse + 0.5f));
            Rows.setU8(memory, offset + LOW1 + i, (first & 15) + 16 * (second & 15));
            high |= ((first >> 4) << i) | ((second >> 4) << (i + 16));
        }
        memory.set(Tensor.I32_LE, offset + HIGH1, high);
    }
}
