package dev.puna.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner loops of the matrix product: tiles of scalar products whose running sums stay in registers. Lane {@code l}
 * of a sum adds up the products of elements {@code l}, {@code l + LANES}, … in this order, in every tile; so a row has
 * the same bits in all of them.
 *
 * <p>Sums are {@code LANES} floats each in {@code sums}, read before and written after, so that a long product may be
 * cut.
 */
final class VectorTiles {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;

    /** Rows of x in {@link #fourBySix}. */
    static final int TILE_ROWS = 4;

    /** Rows of w in {@link #fourBySix}. */
    static final int TILE_WEIGHTS = 6;

    /** Rows of w in {@link #oneByEight}. */
    static final int LINE_WEIGHTS = 8;

    private VectorTiles() {}

    /** 4 rows of x times 6 rows of w: 24 sums, {@code 6·row + weight}. */
    static void fourBySix(
            float[] x, int xAt, int xStride, float[] w, int wAt, int wStride, int count, float[] sums, int sumsAt) {
        var a00 = FloatVector.fromArray(F, sums, sumsAt + 0 * LANES);
        var a01 = FloatVector.fromArray(F, sums, sumsAt + 1 * LANES);
        var a02 = FloatVector.fromArray(F, sums, sumsAt + 2 * LANES);
        var a03 = FloatVector.fromArray(F, sums, sumsAt + 3 * LANES);
        var a04 = FloatVector.fromArray(F, sums, sumsAt + 4 * LANES);
        var a05 = FloatVector.fromArray(F, sums, sumsAt + 5 * LANES);
        var a10 = FloatVector.fromArray(F, sums, sumsAt + 6 * LANES);
        var a11 = FloatVector.fromArray(F, sums, sumsAt + 7 * LANES);
        var a12 = FloatVector.fromArray(F, sums, sumsAt + 8 * LANES);
        var a13 = FloatVector.fromArray(F, sums, sumsAt + 9 * LANES);
        var a14 = FloatVector.fromArray(F, sums, sumsAt + 10 * LANES);
        var a15 = FloatVector.fromArray(F, sums, sumsAt + 11 * LANES);
        var a20 = FloatVector.fromArray(F, sums, sumsAt + 12 * LANES);
        var a21 = FloatVector.fromArray(F, sums, sumsAt + 13 * LANES);
        var a22 = FloatVector.fromArray(F, sums, sumsAt + 14 * LANES);
        var a23 = FloatVector.fromArray(F, sums, sumsAt + 15 * LANES);
        var a24 = FloatVector.fromArray(F, sums, sumsAt + 16 * LANES);
        var a25 = FloatVector.fromArray(F, sums, sumsAt + 17 * LANES);
        var a30 = FloatVector.fromArray(F, sums, sumsAt + 18 * LANES);
        var a31 = FloatVector.fromArray(F, sums, sumsAt + 19 * LANES);
        var a32 = FloatVector.fromArray(F, sums, sumsAt + 20 * LANES);
        var a33 = FloatVector.fromArray(F, sums, sumsAt + 21 * LANES);
        var a34 = FloatVector.fromArray(F, sums, sumsAt + 22 * LANES);
        var a35 = FloatVector.fromArray(F, sums, sumsAt + 23 * LANES);
        for (int k = 0; k < count; k += LANES) {
            var x0 = FloatVector.fromArray(F, x, xAt + k);
            var x1 = FloatVector.fromArray(F, x, xAt + 1 * xStride + k);
            var x2 = FloatVector.fromArray(F, x, xAt + 2 * xStride + k);
            var x3 = FloatVector.fromArray(F, x, xAt + 3 * xStride + k);
            var w0 = FloatVector.fromArray(F, w, wAt + k);
            a00 = w0.fma(x0, a00);
            a10 = w0.fma(x1, a10);
            a20 = w0.fma(x2, a20);
            a30 = w0.fma(x3, a30);
            var w1 = FloatVector.fromArray(F, w, wAt + 1 * wStride + k);
            a01 = w1.fma(x0, a01);
            a11 = w1.fma(x1, a11);
            a21 = w1.fma(x2, a21);
            a31 = w1.fma(x3, a31);
            var w2 = FloatVector.fromArray(F, w, wAt + 2 * wStride + k);
            a02 = w2.fma(x0, a02);
            a12 = w2.fma(x1, a12);
            a22 = w2.fma(x2, a22);
            a32 = w2.fma(x3, a32);
            var w3 = FloatVector.fromArray(F, w, wAt + 3 * wStride + k);
            a03 = w3.fma(x0, a03);
            a13 = w3.fma(x1, a13);
            a23 = w3.fma(x2, a23);
            a33 = w3.fma(x3, a33);
            var w4 = FloatVector.fromArray(F, w, wAt + 4 * wStride + k);
            a04 = w4.fma(x0, a04);
            a14 = w4.fma(x1, a14);
            a24 = w4.fma(x2, a24);
            a34 = w4.fma(x3, a34);
            var w5 = FloatVector.fromArray(F, w, wAt + 5 * wStride + k);
            a05 = w5.fma(x0, a05);
            a15 = w5.fma(x1, a15);
            a25 = w5.fma(x2, a25);
            a35 = w5.fma(x3, a35);
        }
        a00.intoArray(sums, sumsAt + 0 * LANES);
        a01.intoArray(sums, sumsAt + 1 * LANES);
        a02.intoArray(sums, sumsAt + 2 * LANES);
        a03.intoArray(sums, sumsAt + 3 * LANES);
        a04.intoArray(sums, sumsAt + 4 * LANES);
        a05.intoArray(sums, sumsAt + 5 * LANES);
        a10.intoArray(sums, sumsAt + 6 * LANES);
        a11.intoArray(sums, sumsAt + 7 * LANES);
        a12.intoArray(sums, sumsAt + 8 * LANES);
        a13.intoArray(sums, sumsAt + 9 * LANES);
        a14.intoArray(sums, sumsAt + 10 * LANES);
        a15.intoArray(sums, sumsAt + 11 * LANES);
        a20.intoArray(sums, sumsAt + 12 * LANES);
        a21.intoArray(sums, sumsAt + 13 * LANES);
        a22.intoArray(sums, sumsAt + 14 * LANES);
        a23.intoArray(sums, sumsAt + 15 * LANES);
        a24.intoArray(sums, sumsAt + 16 * LANES);
        a25.intoArray(sums, sumsAt + 17 * LANES);
        a30.intoArray(sums, sumsAt + 18 * LANES);
        a31.intoArray(sums, sumsAt + 19 * LANES);
        a32.intoArray(sums, sumsAt + 20 * LANES);
        a33.intoArray(sums, sumsAt + 21 * LANES);
        a34.intoArray(sums, sumsAt + 22 * LANES);
        a35.intoArray(sums, sumsAt + 23 * LANES);
    }

    /** One row of x times 8 rows of w: 8 sums. */
    static void oneByEight(float[] x, int xAt, float[] w, int wAt, int wStride, int count, float[] sums, int sumsAt) {
        var a00 = FloatVector.fromArray(F, sums, sumsAt + 0 * LANES);
        var a01 = FloatVector.fromArray(F, sums, sumsAt + 1 * LANES);
        var a02 = FloatVector.fromArray(F, sums, sumsAt + 2 * LANES);
        var a03 = FloatVector.fromArray(F, sums, sumsAt + 3 * LANES);
        var a04 = FloatVector.fromArray(F, sums, sumsAt + 4 * LANES);
        var a05 = FloatVector.fromArray(F, sums, sumsAt + 5 * LANES);
        var a06 = FloatVector.fromArray(F, sums, sumsAt + 6 * LANES);
        var a07 = FloatVector.fromArray(F, sums, sumsAt + 7 * LANES);
        for (int k = 0; k < count; k += LANES) {
            var x0 = FloatVector.fromArray(F, x, xAt + k);
            var w0 = FloatVector.fromArray(F, w, wAt + k);
            a00 = w0.fma(x0, a00);
            var w1 = FloatVector.fromArray(F, w, wAt + 1 * wStride + k);
            a01 = w1.fma(x0, a01);
            var w2 = FloatVector.fromArray(F, w, wAt + 2 * wStride + k);
            a02 = w2.fma(x0, a02);
            var w3 = FloatVector.fromArray(F, w, wAt + 3 * wStride + k);
            a03 = w3.fma(x0, a03);
            var w4 = FloatVector.fromArray(F, w, wAt + 4 * wStride + k);
            a04 = w4.fma(x0, a04);
            var w5 = FloatVector.fromArray(F, w, wAt + 5 * wStride + k);
            a05 = w5.fma(x0, a05);
            var w6 = FloatVector.fromArray(F, w, wAt + 6 * wStride + k);
            a06 = w6.fma(x0, a06);
            var w7 = FloatVector.fromArray(F, w, wAt + 7 * wStride + k);
            a07 = w7.fma(x0, a07);
        }
        a00.intoArray(sums, sumsAt + 0 * LANES);
        a01.intoArray(sums, sumsAt + 1 * LANES);
        a02.intoArray(sums, sumsAt + 2 * LANES);
        a03.intoArray(sums, sumsAt + 3 * LANES);
        a04.intoArray(sums, sumsAt + 4 * LANES);
        a05.intoArray(sums, sumsAt + 5 * LANES);
        a06.intoArray(sums, sumsAt + 6 * LANES);
        a07.intoArray(sums, sumsAt + 7 * LANES);
    }

    /** The sum of the lanes of the sum at {@code sumsAt}. */
    static float total(float[] sums, int sumsAt) {
        return VectorLanes.sum(FloatVector.fromArray(F, sums, sumsAt));
    }
}
