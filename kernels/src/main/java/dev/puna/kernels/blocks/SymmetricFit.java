package dev.puna.kernels.blocks;

import java.util.Arrays;

/**
 * The scale under which codes −n … n−1 are nearest to a group of numbers, as llama.cpp's reference quantizer for Q6_K
 * finds it: each number weighs its own square; the number of largest magnitude is tried at codes around −n, the best
 * scale for the resulting codes follows by least squares, and the trial that explains most wins.
 *
 * <p>All sums run in fp32 in the order of the elements: the bytes of a quantized file depend on it.
 */
final class SymmetricFit {
    /** Groups whose numbers are all smaller count as zero. */
    static final float NOTHING = 1e-15f;

    private SymmetricFit() {}

    /**
     * @param codes receives {@code count} codes at {@code codesAt}, raised by {@code n}
     * @return the scale, of either sign
     */
    static float search(float[] x, int at, int count, int n, byte[] codes, int codesAt) {
        float farthest = 0;
        for (int i = 0; i < count; i++) {
            if (Math.abs(x[at + i]) > Math.abs(farthest)) {
                farthest = x[at + i];
            }
        }
        if (Math.abs(farthest) < NOTHING) {
            Arrays.fill(codes, codesAt, codesAt + count, (byte) 0);
            return 0;
        }
        float scale = 0;
        float best = 0;
        for (int trial = 0; trial <= 18; trial++) {
            // The undisturbed scale first, then nine steps to either side.
            int step = trial == 0 ? 0 : trial <= 9 ? trial - 10 : trial - 9;
            float inverse = -(n + 0.1f * step) / farthest;
            float sumXL = 0;
            float sumLL = 0;
            for (int i = 0; i < count; i++) {
                float value = x[at + i];
                int code = Math.clamp(AffineFit.nearest(inverse * value), -n, n - 1);
                float w = value * value;
                sumXL += w * value * code;
                sumLL += w * code * code;
            }
            if (trial == 0 || (sumLL > 0 && sumXL * sumXL > best * sumLL)) {
                for (int i = 0; i < count; i++) {
                    codes[codesAt + i] = (byte) (n + Math.clamp(AffineFit.nearest(inverse * x[at + i]), -n, n - 1));
                }
                scale = sumLL == 0 ? 0 : sumXL / sumLL;
                best = scale * sumXL;
            }
        }
        return scale;
    }
}
