package dev.puna.kernels.blocks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Q6_K: 256 elements in sixteen groups of 16, {@code u4 low[256]; u2 high[256]; i8 scales[16]; f16 d}, value
 * {@code d·scale·(q − 32)}. Each half of 128 elements takes 64 bytes of low and 32 of high: element {@code 32·j + i}
 * lies in the lower ({@code j < 2}) or upper nibble of byte {@code 32·(j % 2) + i} and in bits {@code 2j} of byte
 * {@code i}.
 */
public final class Q6KBlock {
    public static final int ELEMENTS = 256;
    public static final int LOW = 0;
    public static final int HIGH = 128;
    public static final int SCALES = 192;
    public static final int D = 208;
    public static final int BYTES = 210;

    private Q6KBlock() {}

    static void decode(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        for (int group = 0; group < 16; group++) {
            float scale = d * memory.get(ValueLayout.JAVA_BYTE, offset + SCALES + group);
            int half = group / 8;
            int j = group % 8 / 2;
            long low = offset + LOW + half * 64L + j % 2 * 32L + group % 2 * 16L;
            long high = offset + HIGH + half * 32L + group % 2 * 16L;
            for (int i = 0; i < 16; i++) {
                int q = Rows.bits(Rows.u8(memory, low + i), j / 2 * 4, 4)
                        + 16 * Rows.bits(Rows.u8(memory, high + i), 2 * j, 2);
                y[at + 16 * group + i] = scale * (q - 32);
            }
        }
    }

    static void encode(MemorySegment memory, long offset, float[] x, int at) {
        byte[] q = new byte[ELEMENTS];
        float[] scales = new float[16];
        float farthest = 0;
        for (int group = 0; group < 16; group++) {
            scales[group] = SymmetricFit.search(x, at + 16 * group, 16, 32, q, 16 * group);
            if (Math.abs(scales[group]) > Math.abs(farthest)) {
                farthest = scales[group];
            }
        }
        if (Math.abs(farthest) < SymmetricFit.NOTHING) {
            memory.asSlice(offset, BYTES).fill((byte) 0);
            return;
        }
        float inverse = -128 / farthest;
        Rows.setF16(memory, offset + D, 1 / inverse);
        float d = Rows.f16(memory, offset + D);
        for (int group = 0; group < 16; group++) {
            byte scaleCode = (byte) Math.min(127, AffineFit.nearest(inverse * scales[group]));
            Rows.setU8(memory, offset + SCALES + group, scaleCode);
            float scale = d * scaleCode;
            if (scale == 0) {
                continue;
            }
            for (int i = 16 * group; i < 16 * group + 16; i++) {
                q[i] = (byte) (Math.clamp(AffineFit.nearest(x[at + i] / scale), -32, 31) + 32);
            }
        }
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 32; i++) {
                int q0 = q[128 * half + i];
                int q1 = q[128 * half + 32 + i];
                int q2 = q[128 * half + 64 + i];
                int q3 = q[128 * half + 96 + i];
                Rows.setU8(memory, offset + LOW + 64L * half + i, (q0 & 15) + 16 * (q2 & 15));
                Rows.setU8(memory, offset + LOW + 64L * half + 32 + i, (q1 & 15) + 16 * (q3 & 15));
                Rows.setU8(
                        memory,
                        offset + HIGH + 32L * half + i,
                        (q0 >> 4) + 4 * (q1 >> 4) + 16 * (q2 >> 4) + 64 * (q3 >> 4));
            }
        }
    }
}
