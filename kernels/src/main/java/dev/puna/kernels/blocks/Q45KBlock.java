package dev.puna.kernels.blocks;

import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * 256 elements in eight groups of 32, each with a scale and a minimum of six bits; value
 * {@code d·scale·q − dmin·minimum}.
 *
 * <ul>
 *   <li>Q4_K: {@code f16 d, dmin; u8 scales[12]; u4 q[256]}
 *   <li>Q5_K: {@code f16 d, dmin; u8 scales[12]; u8 high[32]; u4 low[256]}
 * </ul>
 *
 * Byte {@code i} of the {@code j}-th 32 bytes of nibbles holds element {@code i} of group {@code 2j} below and of group
 * {@code 2j + 1} above; bit {@code g} of {@code high[i]} is the fifth bit of element {@code i} of group {@code g}.
 */
public final class Q45KBlock {
    public static final int ELEMENTS = 256;
    public static final int D = 0;
    public static final int D_MIN = 2;
    public static final int SCALES = 4;
    public static final int Q4 = 16;
    public static final int BYTES4 = 144;
    public static final int HIGH5 = 16;
    public static final int LOW5 = 48;
    public static final int BYTES5 = 176;

    private Q45KBlock() {}

    /** The six-bit scale of {@code group}; {@code scales} is the offset of the twelve bytes. */
    public static int scale(MemorySegment memory, long scales, int group) {
        return group < 4
                ? Rows.u8(memory, scales + group) & 63
                : (Rows.u8(memory, scales + group + 4) & 15) + 16 * (Rows.u8(memory, scales + group - 4) >> 6);
    }

    /** The six-bit minimum of {@code group}; {@code scales} is the offset of the twelve bytes. */
    public static int minimum(MemorySegment memory, long scales, int group) {
        return group < 4
                ? Rows.u8(memory, scales + group + 4) & 63
                : (Rows.u8(memory, scales + group + 4) >> 4) + 16 * (Rows.u8(memory, scales + group) >> 6);
    }

    /** The scales of all groups, group {@code g} in byte {@code g}; {@code scales} is the offset of the twelve bytes. */
    public static long scales(MemorySegment memory, long scales) {
        return scales(memory.get(Tensor.I32_LE, scales), memory.get(Tensor.I32_LE, scales + 8));
    }

    /** As above, from the first and the last four of the twelve bytes. */
    public static long scales(int first, int third) {
        int low = third & 0x0F0F0F0F;
        return together(first & 0x3F3F3F3F, low | ((first >>> 2) & 0x30303030));
    }

    /** The minima of all groups, group {@code g} in byte {@code g}; {@code scales} is the offset of the twelve bytes. */
    public static long minima(MemorySegment memory, long scales) {
        return minima(memory.get(Tensor.I32_LE, scales + 4), memory.get(Tensor.I32_LE, scales + 8));
    }

    /** As above, from the second and the last four of the twelve bytes. */
    public static long minima(int second, int third) {
        int low = (third >>> 4) & 0x0F0F0F0F;
        return together(second & 0x3F3F3F3F, low | ((second >>> 2) & 0x30303030));
    }

    private static long together(int low, int high) {
        return low | ((long) high << 32);
    }

    static void decode4(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        float dMin = Rows.f16(memory, offset + D_MIN);
        for (int group = 0; group < 8; group++) {
            float scale = d * scale(memory, offset + SCALES, group);
            float minimum = dMin * minimum(memory, offset + SCALES, group);
            long q = offset + Q4 + group / 2 * 32L;
            int shift = group % 2 * 4;
            for (int i = 0; i < 32; i++) {
                y[at + 32 * group + i] = scale * Rows.bits(Rows.u8(memory, q + i), shift, 4) - minimum;
            }
        }
    }

    static void decode5(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        float dMin = Rows.f16(memory, offset + D_MIN);
        for (int group = 0; group < 8; group++) {
            float scale = d * scale(memory, offset + SCALES, group);
            float minimum = dMin * minimum(memory, offset + SCALES, group);
            long low = offset + LOW5 + group / 2 * 32L;
            int shift = group % 2 * 4;
            for (int i = 0; i < 32; i++) {
                int q = Rows.bits(Rows.u8(memory, low + i), shift, 4)
                        + 16 * Rows.bits(Rows.u8(memory, offset + HIGH5 + i), group, 1);
                y[at + 32 * group + i] = scale * q - minimum;
            }
        }
    }

    static void encode4(MemorySegment memory, long offset, float[] x, int at) {
        byte[] q = new byte[ELEMENTS];
        encodeScales(memory, offset, x, at, q, 15, -1f, 20);
        for (int pair = 0; pair < 4; pair++) {
            for (int i = 0; i < 32; i++) {
                Rows.setU8(memory, offset + Q4 + 32L * pair + i, q[64 * pair + i] + 16 * q[64 * pair + 32 + i]);
            }
        }
    }

    static void encode5(MemorySegment memory, long offset, float[] x, int at) {
        byte[] q = new byte[ELEMENTS];
        encodeScales(memory, offset, x, at, q, 31, -0.5f, 15);
        for (int i = 0; i < 32; i++) {
            int high = 0;
            for (int group = 0; group < 8; group++) {
                high |= (q[32 * group + i] >> 4) << group;
            }
            Rows.setU8(memory, offset + HIGH5 + i, high);
            for (int pair = 0; pair < 4; pair++) {
                int low = (q[64 * pair + i] & 15) + 16 * (q[64 * pair + 32 + i] & 15);
                Rows.setU8(memory, offset + LOW5 + 32L * pair + i, low);
            }
        }
    }

    /**
     * Finds and writes the scales and minima of all groups, and the codes that are nearest under the scales as they
     * were rounded.
     */
    private static void encodeScales(
            MemorySegment memory, long offset, float[] x, int at, byte[] q, int maxCode, float firstStep, int steps) {
        float[] scales = new float[8];
        float[] minima = new float[8];
        float[] weights = new float[32];
        float largestScale = 0;
        float largestMinimum = 0;
        for (int group = 0; group < 8; group++) {
            int from = at + 32 * group;
            float squares = 0;
            for (int i = 0; i < 32; i++) {
                squares += x[from + i] * x[from + i];
            }
            float rootMeanSquare = (float) Math.sqrt(squares / 32);
            for (int i = 0; i < 32; i++) {
                weights[i] = rootMeanSquare + Math.abs(x[from + i]);
            }
            AffineFit fit = AffineFit.search(x, from, 32, maxCode, weights, firstStep, steps, q, 32 * group);
            scales[group] = fit.scale();
            minima[group] = fit.minimum();
            largestScale = Math.max(largestScale, scales[group]);
            largestMinimum = Math.max(largestMinimum, minima[group]);
        }
        float inverseScale = largestScale > 0 ? 63 / largestScale : 0;
        float inverseMinimum = largestMinimum > 0 ? 63 / largestMinimum : 0;
        int[] scaleCodes = new int[8];
        int[] minimumCodes = new int[8];
        for (int group = 0; group < 8; group++) {
            scaleCodes[group] = Math.min(63, AffineFit.nearest(inverseScale * scales[group]) & 255);
            minimumCodes[group] = Math.min(63, AffineFit.nearest(inverseMinimum * minima[group]) & 255);
        }
        Rows.setF16(memory, offset + D, largestScale / 63);
        Rows.setF16(memory, offset + D_MIN, largestMinimum / 63);
        for (int i = 0; i < 4; i++) {
            long scaleByte = offset + SCALES + i;
            Rows.setU8(memory, scaleByte, scaleCodes[i] + 64 * (scaleCodes[i + 4] >> 4));
            Rows.setU8(memory, scaleByte + 4, minimumCodes[i] + 64 * (minimumCodes[i + 4] >> 4));
            Rows.setU8(memory, scaleByte + 8, (scaleCodes[i + 4] & 15) + 16 * (minimumCodes[i + 4] & 15));
        }
        float d = Rows.f16(memory, offset + D);
        float dMin = Rows.f16(memory, offset + D_MIN);
        for (int group = 0; group < 8; group++) {
            float scale = d * scaleCodes[group];
            float minimum = dMin * minimumCodes[group];
            if (scale == 0) {
                continue;
            }
            for (int i = 0; i < 32; i++) {
                int code = AffineFit.nearest((x[at + 32 * group + i] + minimum) / scale);
                q[32 * group + i] = (byte) Math.clamp(code, 0, maxCode);
            }
        }
    }
}
