package dev.puna.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The width of this machine's vectors, sums over their lanes in a fixed order, and the exponential function. All of it
 * gives the same bits in the interpreter and in both compilers: {@code reduceLanes} and {@code lanewise(EXP)} do not.
 */
final class VectorLanes {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    /** Floats in a vector: 16 with AVX-512, 8 with AVX2, 4 with NEON. */
    static final int LANES = SPECIES.length();

    private static final VectorShuffle<Float> SWAP_8 = swap(8);
    private static final VectorShuffle<Float> SWAP_4 = swap(4);
    private static final VectorShuffle<Float> SWAP_2 = swap(2);
    private static final VectorShuffle<Float> SWAP_1 = swap(1);

    private static final float LOG2_E = 1.442695f;
    private static final float LN_2_HIGH = 355f / 512;
    private static final float LN_2_LOW = -2.1219444E-4f;

    /** Of the polynomial, by power; near 1/n!. */
    private static final float C7 = 0.00019875691f;

    private static final float C6 = 0.0013981999f;
    private static final float C5 = 0.008333452f;
    private static final float C4 = 0.041665796f;
    private static final float C3 = 0.16666666f;
    private static final float C2 = 0.5f;

    /** 1.5·2²³: adding it rounds to an integer, which then stands in the low bits. */
    private static final float ROUND = 0x1.8p23f;

    /** Beyond these the result is 0 or infinity: the first is where results become subnormal. */
    private static final float EXP_MIN = -87.3f;

    private static final float EXP_MAX = 88.3f;

    private VectorLanes() {}

    private static VectorShuffle<Float> swap(int distance) {
        return VectorShuffle.fromOp(SPECIES, lane -> (lane ^ distance) % LANES);
    }

    /** {@code count} rounded up to whole vectors. */
    static int roundUp(int count) {
        return (count + LANES - 1) / LANES * LANES;
    }

    /** The sum of the lanes as a tree: lanes 8 apart, then 4, 2 and 1. */
    static float sum(FloatVector v) {
        if (LANES >= 16) {
            v = v.add(v.rearrange(SWAP_8));
        }
        if (LANES >= 8) {
            v = v.add(v.rearrange(SWAP_4));
        }
        if (LANES >= 4) {
            v = v.add(v.rearrange(SWAP_2));
        }
        return v.add(v.rearrange(SWAP_1)).lane(0);
    }

    /**
     * {@code eˣ} to about 1 unit in the last place; 0 where it would be subnormal, infinity from 88.3. Cephes' reduction
     * to |r| ≤ ln 2 / 2 and a polynomial of degree 6.
     */
    static FloatVector exp(FloatVector x) {
        var shifted = x.mul(LOG2_E).add(ROUND);
        var n = shifted.sub(ROUND);
        var r = n.mul(-LN_2_HIGH).add(x);
        r = n.mul(-LN_2_LOW).add(r);
        var p = r.mul(C7).add(C6);
        p = p.fma(r, FloatVector.broadcast(SPECIES, C5));
        p = p.fma(r, FloatVector.broadcast(SPECIES, C4));
        p = p.fma(r, FloatVector.broadcast(SPECIES, C3));
        p = p.fma(r, FloatVector.broadcast(SPECIES, C2));
        p = p.fma(r.mul(r), r).add(1f);
        var power = shifted.reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 23)
                .add(0x3F800000)
                .reinterpretAsFloats();
        var y = p.mul(power);
        y = y.blend(0f, x.compare(VectorOperators.LT, EXP_MIN));
        return y.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_MAX));
    }

    /** As {@link #exp(FloatVector)}, for one number. */
    static float exp(float x) {
        if (x < EXP_MIN) {
            return 0;
        }
        if (x > EXP_MAX) {
            return Float.POSITIVE_INFINITY;
        }
        float shifted = x * LOG2_E + ROUND;
        float n = shifted - ROUND;
        float r = n * -LN_2_HIGH + x;
        r = n * -LN_2_LOW + r;
        float p = r * C7 + C6;
        p = Math.fma(p, r, C5);
        p = Math.fma(p, r, C4);
        p = Math.fma(p, r, C3);
        p = Math.fma(p, r, C2);
        p = Math.fma(p, r * r, r) + 1f;
        return p * Float.intBitsToFloat((Float.floatToRawIntBits(shifted) << 23) + 0x3F800000);
    }
}
