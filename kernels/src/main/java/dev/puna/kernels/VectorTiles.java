package dev.puna.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner loop of the product of several rows: a tile of sums that stay in registers, weights in the lanes.
 *
 * <p><b>The order of a sum</b> is the same here and in {@link VectorLines}, whatever the width of the vectors. Elements
 * come in slices of {@link #SLICE}. Within a slice, chain {@code c} adds up the products of elements {@code c},
 * {@code c + 16}, {@code c + 32}, … by fused multiply-adds, from zero. The sums of the chains are added, in order, to the
 * total of the slices before. For one row, chains are lanes; here they come one after the other: each costs a load, an
 * addition and a store of the sums, and so a slice must be long.
 *
 * <p>Twelve rows and two vectors of weights are 24 running sums: with 14 loads per 24 multiply-adds the multipliers are
 * the limit. Where there are only sixteen registers six rows do, twice. A method holds one loop and little more: with
 * two loops, or two additions behind it, the compiler stops inlining and makes objects of vectors, at a hundredth of the
 * speed.
 */
final class VectorTiles {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;

    /** Sums of a slice that run side by side. */
    static final int CHAINS = 16;

    /** Elements after which chains are added up. */
    static final int SLICE = 128 * CHAINS;

    /** Rows of x in a tile; x lies packed as {@code [step][ROWS]}. */
    static final int ROWS = 12;

    /** Rows of w in a tile; w lies packed as {@code [step][WIDTH]}. */
    static final int WIDTH = 2 * LANES;

    /** Rows of w in {@link #oneByEight}. */
    static final int LINE_WEIGHTS = 8;

    /** AVX2 has sixteen registers, AVX-512 and NEON 32. */
    private static final boolean MANY_REGISTERS =
            LANES == 16 || (LANES == 4 && System.getProperty("os.arch", "").equals("aarch64"));

    private VectorTiles() {}

    /**
     * Adds one chain of {@link #ROWS} rows of x times {@link #WIDTH} rows of w to their sums.
     *
     * @param rows how many of the rows count; the others are zero
     * @param stride from one row of sums to the next
     */
    static void multiply(
            float[] x, int xAt, int rows, float[] w, int wAt, int steps, float[] sums, int at, int stride) {
        if (MANY_REGISTERS && rows > 6) {
            twelve(x, xAt, w, wAt, steps, sums, at, stride);
        } else {
            six(x, xAt, w, wAt, steps, sums, at, stride);
            if (rows > 6) {
                six(x, xAt + 6, w, wAt, steps, sums, at + 6 * stride, stride);
            }
        }
    }

    private static void twelve(float[] x, int xAt, float[] w, int wAt, int steps, float[] sums, int at, int stride) {
        var a000 = FloatVector.zero(F);
        var a001 = FloatVector.zero(F);
        var a010 = FloatVector.zero(F);
        var a011 = FloatVector.zero(F);
        var a020 = FloatVector.zero(F);
        var a021 = FloatVector.zero(F);
        var a030 = FloatVector.zero(F);
        var a031 = FloatVector.zero(F);
        var a040 = FloatVector.zero(F);
        var a041 = FloatVector.zero(F);
        var a050 = FloatVector.zero(F);
        var a051 = FloatVector.zero(F);
        var a060 = FloatVector.zero(F);
        var a061 = FloatVector.zero(F);
        var a070 = FloatVector.zero(F);
        var a071 = FloatVector.zero(F);
        var a080 = FloatVector.zero(F);
        var a081 = FloatVector.zero(F);
        var a090 = FloatVector.zero(F);
        var a091 = FloatVector.zero(F);
        var a100 = FloatVector.zero(F);
        var a101 = FloatVector.zero(F);
        var a110 = FloatVector.zero(F);
        var a111 = FloatVector.zero(F);
        for (int k = 0; k < steps; k++) {
            int xk = xAt + k * ROWS;
            int wk = wAt + k * WIDTH;
            var w0 = FloatVector.fromArray(F, w, wk + 0 * LANES);
            var w1 = FloatVector.fromArray(F, w, wk + 1 * LANES);
            var x00 = FloatVector.broadcast(F, x[xk + 0]);
            a000 = w0.fma(x00, a000);
            a001 = w1.fma(x00, a001);
            var x01 = FloatVector.broadcast(F, x[xk + 1]);
            a010 = w0.fma(x01, a010);
            a011 = w1.fma(x01, a011);
            var x02 = FloatVector.broadcast(F, x[xk + 2]);
            a020 = w0.fma(x02, a020);
            a021 = w1.fma(x02, a021);
            var x03 = FloatVector.broadcast(F, x[xk + 3]);
            a030 = w0.fma(x03, a030);
            a031 = w1.fma(x03, a031);
            var x04 = FloatVector.broadcast(F, x[xk + 4]);
            a040 = w0.fma(x04, a040);
            a041 = w1.fma(x04, a041);
            var x05 = FloatVector.broadcast(F, x[xk + 5]);
            a050 = w0.fma(x05, a050);
            a051 = w1.fma(x05, a051);
            var x06 = FloatVector.broadcast(F, x[xk + 6]);
            a060 = w0.fma(x06, a060);
            a061 = w1.fma(x06, a061);
            var x07 = FloatVector.broadcast(F, x[xk + 7]);
            a070 = w0.fma(x07, a070);
            a071 = w1.fma(x07, a071);
            var x08 = FloatVector.broadcast(F, x[xk + 8]);
            a080 = w0.fma(x08, a080);
            a081 = w1.fma(x08, a081);
            var x09 = FloatVector.broadcast(F, x[xk + 9]);
            a090 = w0.fma(x09, a090);
            a091 = w1.fma(x09, a091);
            var x10 = FloatVector.broadcast(F, x[xk + 10]);
            a100 = w0.fma(x10, a100);
            a101 = w1.fma(x10, a101);
            var x11 = FloatVector.broadcast(F, x[xk + 11]);
            a110 = w0.fma(x11, a110);
            a111 = w1.fma(x11, a111);
        }
        int to00 = at + 0 * stride;
        FloatVector.fromArray(F, sums, to00 + 0 * LANES).add(a000).intoArray(sums, to00 + 0 * LANES);
        FloatVector.fromArray(F, sums, to00 + 1 * LANES).add(a001).intoArray(sums, to00 + 1 * LANES);
        int to01 = at + 1 * stride;
        FloatVector.fromArray(F, sums, to01 + 0 * LANES).add(a010).intoArray(sums, to01 + 0 * LANES);
        FloatVector.fromArray(F, sums, to01 + 1 * LANES).add(a011).intoArray(sums, to01 + 1 * LANES);
        int to02 = at + 2 * stride;
        FloatVector.fromArray(F, sums, to02 + 0 * LANES).add(a020).intoArray(sums, to02 + 0 * LANES);
        FloatVector.fromArray(F, sums, to02 + 1 * LANES).add(a021).intoArray(sums, to02 + 1 * LANES);
        int to03 = at + 3 * stride;
        FloatVector.fromArray(F, sums, to03 + 0 * LANES).add(a030).intoArray(sums, to03 + 0 * LANES);
        FloatVector.fromArray(F, sums, to03 + 1 * LANES).add(a031).intoArray(sums, to03 + 1 * LANES);
        int to04 = at + 4 * stride;
        FloatVector.fromArray(F, sums, to04 + 0 * LANES).add(a040).intoArray(sums, to04 + 0 * LANES);
        FloatVector.fromArray(F, sums, to04 + 1 * LANES).add(a041).intoArray(sums, to04 + 1 * LANES);
        int to05 = at + 5 * stride;
        FloatVector.fromArray(F, sums, to05 + 0 * LANES).add(a050).intoArray(sums, to05 + 0 * LANES);
        FloatVector.fromArray(F, sums, to05 + 1 * LANES).add(a051).intoArray(sums, to05 + 1 * LANES);
        int to06 = at + 6 * stride;
        FloatVector.fromArray(F, sums, to06 + 0 * LANES).add(a060).intoArray(sums, to06 + 0 * LANES);
        FloatVector.fromArray(F, sums, to06 + 1 * LANES).add(a061).intoArray(sums, to06 + 1 * LANES);
        int to07 = at + 7 * stride;
        FloatVector.fromArray(F, sums, to07 + 0 * LANES).add(a070).intoArray(sums, to07 + 0 * LANES);
        FloatVector.fromArray(F, sums, to07 + 1 * LANES).add(a071).intoArray(sums, to07 + 1 * LANES);
        int to08 = at + 8 * stride;
        FloatVector.fromArray(F, sums, to08 + 0 * LANES).add(a080).intoArray(sums, to08 + 0 * LANES);
        FloatVector.fromArray(F, sums, to08 + 1 * LANES).add(a081).intoArray(sums, to08 + 1 * LANES);
        int to09 = at + 9 * stride;
        FloatVector.fromArray(F, sums, to09 + 0 * LANES).add(a090).intoArray(sums, to09 + 0 * LANES);
        FloatVector.fromArray(F, sums, to09 + 1 * LANES).add(a091).intoArray(sums, to09 + 1 * LANES);
        int to10 = at + 10 * stride;
        FloatVector.fromArray(F, sums, to10 + 0 * LANES).add(a100).intoArray(sums, to10 + 0 * LANES);
        FloatVector.fromArray(F, sums, to10 + 1 * LANES).add(a101).intoArray(sums, to10 + 1 * LANES);
        int to11 = at + 11 * stride;
        FloatVector.fromArray(F, sums, to11 + 0 * LANES).add(a110).intoArray(sums, to11 + 0 * LANES);
        FloatVector.fromArray(F, sums, to11 + 1 * LANES).add(a111).intoArray(sums, to11 + 1 * LANES);
    }

    private static void six(float[] x, int xAt, float[] w, int wAt, int steps, float[] sums, int at, int stride) {
        var a000 = FloatVector.zero(F);
        var a001 = FloatVector.zero(F);
        var a010 = FloatVector.zero(F);
        var a011 = FloatVector.zero(F);
        var a020 = FloatVector.zero(F);
        var a021 = FloatVector.zero(F);
        var a030 = FloatVector.zero(F);
        var a031 = FloatVector.zero(F);
        var a040 = FloatVector.zero(F);
        var a041 = FloatVector.zero(F);
        var a050 = FloatVector.zero(F);
        var a051 = FloatVector.zero(F);
        for (int k = 0; k < steps; k++) {
            int xk = xAt + k * ROWS;
            int wk = wAt + k * WIDTH;
            var w0 = FloatVector.fromArray(F, w, wk + 0 * LANES);
            var w1 = FloatVector.fromArray(F, w, wk + 1 * LANES);
            var x00 = FloatVector.broadcast(F, x[xk + 0]);
            a000 = w0.fma(x00, a000);
            a001 = w1.fma(x00, a001);
            var x01 = FloatVector.broadcast(F, x[xk + 1]);
            a010 = w0.fma(x01, a010);
            a011 = w1.fma(x01, a011);
            var x02 = FloatVector.broadcast(F, x[xk + 2]);
            a020 = w0.fma(x02, a020);
            a021 = w1.fma(x02, a021);
            var x03 = FloatVector.broadcast(F, x[xk + 3]);
            a030 = w0.fma(x03, a030);
            a031 = w1.fma(x03, a031);
            var x04 = FloatVector.broadcast(F, x[xk + 4]);
            a040 = w0.fma(x04, a040);
            a041 = w1.fma(x04, a041);
            var x05 = FloatVector.broadcast(F, x[xk + 5]);
            a050 = w0.fma(x05, a050);
            a051 = w1.fma(x05, a051);
        }
        int to00 = at + 0 * stride;
        FloatVector.fromArray(F, sums, to00 + 0 * LANES).add(a000).intoArray(sums, to00 + 0 * LANES);
        FloatVector.fromArray(F, sums, to00 + 1 * LANES).add(a001).intoArray(sums, to00 + 1 * LANES);
        int to01 = at + 1 * stride;
        FloatVector.fromArray(F, sums, to01 + 0 * LANES).add(a010).intoArray(sums, to01 + 0 * LANES);
        FloatVector.fromArray(F, sums, to01 + 1 * LANES).add(a011).intoArray(sums, to01 + 1 * LANES);
        int to02 = at + 2 * stride;
        FloatVector.fromArray(F, sums, to02 + 0 * LANES).add(a020).intoArray(sums, to02 + 0 * LANES);
        FloatVector.fromArray(F, sums, to02 + 1 * LANES).add(a021).intoArray(sums, to02 + 1 * LANES);
        int to03 = at + 3 * stride;
        FloatVector.fromArray(F, sums, to03 + 0 * LANES).add(a030).intoArray(sums, to03 + 0 * LANES);
        FloatVector.fromArray(F, sums, to03 + 1 * LANES).add(a031).intoArray(sums, to03 + 1 * LANES);
        int to04 = at + 4 * stride;
        FloatVector.fromArray(F, sums, to04 + 0 * LANES).add(a040).intoArray(sums, to04 + 0 * LANES);
        FloatVector.fromArray(F, sums, to04 + 1 * LANES).add(a041).intoArray(sums, to04 + 1 * LANES);
        int to05 = at + 5 * stride;
        FloatVector.fromArray(F, sums, to05 + 0 * LANES).add(a050).intoArray(sums, to05 + 0 * LANES);
        FloatVector.fromArray(F, sums, to05 + 1 * LANES).add(a051).intoArray(sums, to05 + 1 * LANES);
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
