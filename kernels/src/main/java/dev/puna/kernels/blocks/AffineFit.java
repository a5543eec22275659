package dev.puna.kernels.blocks;

import java.util.Arrays;

/**
 * The line {@code scale·code − minimum} that is nearest to a group of numbers under weights, as llama.cpp's reference
 * quantizers for Q4_K and Q5_K find it: for each of some trial steps the numbers are rounded to codes, the line through
 * these codes is fitted by weighted least squares, and the line of least squared error wins. A line never begins above
 * zero, so that minimum ≥ 0.
 *
 * <p>All sums run in fp32 in the order of the elements: the bytes of a quantized file depend on it.
 *
 * @param scale at least 0
 * @param minimum at least 0; taken off
 */
record AffineFit(float scale, float minimum) {
    /** Trial steps are a tenth of a code apart. */
    private static final float STEP = 0.1f;

    /**
     * @param maxCode codes are 0 … maxCode
     * @param firstStep how far the first trial's code range lies from {@code maxCode}
     * @param codes receives {@code count} codes at {@code codesAt}
     */
    static AffineFit search(
            float[] x,
            int at,
            int count,
            int maxCode,
            float[] weights,
            float firstStep,
            int steps,
            byte[] codes,
            int codesAt) {
        float min = x[at];
        float max = x[at];
        float sumW = weights[0];
        float sumX = sumW * x[at];
        for (int i = 1; i < count; i++) {
            float value = x[at + i];
            min = value < min ? value : min;
            max = value > max ? value : max;
            sumW += weights[i];
            sumX += weights[i] * value;
        }
        min = min > 0 ? 0 : min;
        if (max == min) {
            Arrays.fill(codes, codesAt, codesAt + count, (byte) 0);
            return new AffineFit(0, -min);
        }
        // The trials keep dividing by the spread of the data, but start from the best line's minimum.
        float inverse = maxCode / (max - min);
        AffineFit best = new AffineFit(1 / inverse, -min);
        float bestError = 0;
        for (int i = 0; i < count; i++) {
            int code = Math.clamp(nearest(inverse * (x[at + i] - min)), 0, maxCode);
            codes[codesAt + i] = (byte) code;
            float difference = best.scale * code + min - x[at + i];
            bestError += weights[i] * (difference * difference);
        }
        byte[] trial = new byte[count];
        for (int step = 0; step <= steps; step++) {
            inverse = (firstStep + STEP * step + maxCode) / (max - min);
            float sumL = 0;
            float sumLL = 0;
            float sumXL = 0;
            for (int i = 0; i < count; i++) {
                int code = Math.clamp(nearest(inverse * (x[at + i] - min)), 0, maxCode);
                trial[i] = (byte) code;
                float w = weights[i];
                sumL += w * code;
                sumLL += w * code * code;
                sumXL += w * code * x[at + i];
            }
            float determinant = sumW * sumLL - sumL * sumL;
            if (!(determinant > 0)) {
                continue;
            }
            float trialScale = (sumW * sumXL - sumX * sumL) / determinant;
            float trialMin = (sumLL * sumX - sumL * sumXL) / determinant;
            if (trialMin > 0) {
                trialMin = 0;
                trialScale = sumXL / sumLL;
            }
            float error = 0;
            for (int i = 0; i < count; i++) {
                float difference = trialScale * trial[i] + trialMin - x[at + i];
                error += weights[i] * (difference * difference);
            }
            if (error < bestError) {
                System.arraycopy(trial, 0, codes, codesAt, count);
                bestError = error;
                best = new AffineFit(trialScale, -trialMin);
                min = trialMin;
            }
        }
        return best;
    }

    /** The nearest integer, ties to even, for magnitudes below 2²². */
    static int nearest(float value) {
        return (Float.floatToRawIntBits(value + 12582912f) & 0x7FFFFF) - 0x400000;
    }
}
