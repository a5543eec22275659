package dev.puna.kernels.blocks;

import java.lang.foreign.MemorySegment;

/**
 * Q3_K: 256 elements in sixteen groups of 16, {@code u8 high[32]; u2 low[256]; u8 scales[12]; f16 d}, value
 * {@code d·(scale − 32)·(q − 4)}. The low bits lie as in {@link Q2KBlock}; bit {@code j} of {@code high[i]} is the third
 * bit of element {@code 32·j + i}. Scales have six bits: four in the nibbles of the first eight bytes, two in the last
 * four bytes.
 */
public final class Q3KBlock {
    public static final int ELEMENTS = 256;
    public static final int HIGH = 0;
    public static final int LOW = 32;
    public static final int SCALES = 96;
    public static final int D = 108;
    public static final int BYTES = 110;

    private Q3KBlock() {}

    /** The scale of {@code group}, its offset of 32 taken off. */
    static int scale(MemorySegment memory, long offset, int group) {
        int low = Rows.bits(Rows.u8(memory, offset + SCALES + group % 8), group / 8 * 4, 4);
        int high = Rows.bits(Rows.u8(memory, offset + SCALES + 8 + group % 4), group / 4 * 2, 2);
        return low + 16 * high - 32;
    }

    static void decode(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        for (int group = 0; group < 16; group++) {
            float groupScale = d * scale(memory, offset, group);
            int shift = 2 * (group % 8 / 2);
            int highBit = group / 2;
            long low = offset + LOW + group / 8 * 32L + group % 2 * 16L;
            long high = offset + HIGH + group % 2 * 16L;
            for (int i = 0; i < 16; i++) {
                int q = Rows.bits(Rows.u8(memory, low + i), shift, 2)
                        + 4 * Rows.bits(Rows.u8(memory, high + i), highBit, 1);
                y[at + 16 * group + i] = groupScale * (q - 4);
            }
        }
    }
}
