package dev.puna.kernels.blocks;

import java.lang.foreign.MemorySegment;

/**
 * Q2_K: 256 elements in sixteen groups of 16, {@code u8 scales[16]; u2 q[256]; f16 d, dmin}. A scale byte holds the
 * group's scale below and its minimum above; value {@code d·scale·q − dmin·minimum}. Each half of 128 elements takes 32
 * bytes of q: element {@code 32·j + i} lies in byte {@code i} at bits {@code 2j}.
 */
public final class Q2KBlock {
    public static final int ELEMENTS = 256;
    public static final int SCALES = 0;
    public static final int Q = 16;
    public static final int D = 80;
    public static final int D_MIN = 82;
    public static final int BYTES = 84;

    private Q2KBlock() {}

    static void decode(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        float dMin = Rows.f16(memory, offset + D_MIN);
        for (int group = 0; group < 16; group++) {
            int scale = Rows.u8(memory, offset + SCALES + group);
            float groupScale = d * (scale & 15);
            float groupMin = dMin * (scale >> 4);
            int shift = 2 * (group % 8 / 2);
            long q = offset + Q + group / 8 * 32L + group % 2 * 16L;
            for (int i = 0; i < 16; i++) {
                y[at + 16 * group + i] = groupScale * Rows.bits(Rows.u8(memory, q + i), shift, 2) - groupMin;
            }
        }
    }
}
