package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * One row of activations times a quantized matrix, streamed in the file's own layout:
 *
 * <pre>
 * for each 16 rows of w:
 *   y = 0
 *   for each block, for each group of 32 (or 16) elements:
 *     dot = −zeroPoint · Σq + Σ byte · q                 (exact, int32, a row per lane)
 *     y   = fma(dot · scale, d, y)
 *     y   = fma(minimum, d · Σq, y)                      (where the format has minima)
 * </pre>
 *
 * The order of roundings per output is the one of {@link PanelTile}, so that a row gives the same bits alone and in a
 * batch. Memory is asked ahead by {@link RowsAhead}.
 */
final class QuantizedVectorProduct {
    static final int W = 0;
    static final int W_STRIDE = 1;
    /** Number of sixteens of rows. */
    static final int SIXTEENS = 2;
    /** Blocks in a row of w. */
    static final int BLOCKS = 3;

    static final int Q = 4;
    static final int SCALES = 5;
    static final int STARTS = 6;
    static final int SUMS = 7;
    static final int Y = 8;

    private static final Gp64 ROW_Q = R11;
    private static final Gp64 ROW_SCALES = RAX;
    private static final Gp64 ROW_STARTS = RBX;
    private static final Gp64 ROW_SUMS = RBP;
    private static final Gp64 BLOCK_COUNT = R13;

    private static final Vec X_LOW = zmm(14);
    private static final Vec X_HIGH = zmm(15);
    private static final Vec SUM = zmm(16);
    private static final Vec SCALE = zmm(17);
    private static final Vec MINIMUM = zmm(18);

    private QuantizedVectorProduct() {}

    static Code code(BlockDecoder decoder) {
        SixteenRows layout = decoder.layout();
        int groups = decoder.groups();
        int blockBytes = decoder.dtype().bytesPerBlock();
        RowsAhead ahead = decoder.ahead();
        return Leaf.of(a -> {
            Label rows = a.label("rows");
            Label block = a.label("block");
            a.mov(SixteenRows.STRIDE, argument(W_STRIDE));
            layout.prepare(a);
            decoder.prepare(a);
            a.mov(SixteenRows.FIRST, argument(W));
            ahead.begin(a);
            a.bind(rows);
            a.lea(SixteenRows.EIGHTH, Memory.at(SixteenRows.FIRST, SixteenRows.STRIDE, 8));
            ahead.beginRows(a);
            a.mov(ROW_Q, argument(Q));
            a.mov(ROW_SCALES, argument(SCALES));
            a.mov(ROW_STARTS, argument(STARTS));
            a.mov(ROW_SUMS, argument(SUMS));
            a.vxorps(SUM, SUM, SUM);
            a.mov(BLOCK_COUNT, argument(BLOCKS));
            a.align(32);
            a.bind(block);
            decoder.beginBlock(a);
            for (int group = 0; group < groups; group++) {
                a.comment("group " + group);
                ahead.ask(a, group);
                integerDots(a, decoder, group);
                accumulate(a, decoder, group);
            }
            a.add(SixteenRows.FIRST, blockBytes);
            a.add(SixteenRows.EIGHTH, blockBytes);
            ahead.advance(a);
            int perGroup = 32 / decoder.scaledElements() * Integer.BYTES;
            a.add(ROW_Q, 32L * groups);
            a.add(ROW_SCALES, (long) Float.BYTES * groups);
            a.add(ROW_STARTS, (long) perGroup * groups);
            a.add(ROW_SUMS, (long) perGroup * groups);
            a.dec(BLOCK_COUNT);
            a.jne(block);
            a.mov(ROW_Q, argument(Y));
            a.vmovups(Memory.at(ROW_Q), SUM);
            a.add(ROW_Q, SixteenRows.ROWS * Float.BYTES);
            a.mov(argument(Y), ROW_Q);
            a.comment("EIGHTH is at the end of row 8: seven rows further the next sixteen begin");
            a.lea(SixteenRows.FIRST, Memory.at(SixteenRows.EIGHTH, SixteenRows.STRIDE_7, 1));
            a.mov(ROW_Q, argument(SIXTEENS));
            a.dec(ROW_Q);
            a.mov(argument(SIXTEENS), ROW_Q);
            a.jne(rows);
        });
    }

    /** Leaves the sums of the 32-bit products, a row per lane, in register 0 (and 1 for the second half group). */
    private static void integerDots(Assembler a, BlockDecoder decoder, int group) {
        switch (decoder.layout()) {
            case HALVES -> {
                a.vbroadcasti64x4(X_LOW, Memory.at(ROW_Q, 32 * group));
                for (int j = 0; j < 8; j++) {
                    Vec weights = zmm(12 + j % 2);
                    decoder.halves(a, group, j, weights);
                    a.vpxord(zmm(j), zmm(j), zmm(j));
                    a.vpdpbusd(zmm(j), weights, X_LOW);
                }
            }
            case QUARTERS -> {
                a.vbroadcasti32x4(X_LOW, Memory.at(ROW_Q, 32 * group));
                a.vbroadcasti32x4(X_HIGH, Memory.at(ROW_Q, 32 * group + 16));
                for (int j = 0; j < 4; j++) {
                    decoder.quarters(a, group, j, zmm(12), zmm(13));
                    a.vpxord(zmm(j), zmm(j), zmm(j));
                    a.vpdpbusd(zmm(j), zmm(12), X_LOW);
                    a.vpdpbusd(zmm(j), zmm(13), X_HIGH);
                }
            }
        }
        if (decoder.scaledElements() == 32) {
            decoder.layout().sumGroup(a);
        } else {
            decoder.layout().sumHalfGroups(a);
        }
    }

    private static void accumulate(Assembler a, BlockDecoder decoder, int group) {
        int halves = 32 / decoder.scaledElements();
        for (int half = 0; half < halves; half++) {
            int offset = Integer.BYTES * (group * halves + half);
            Vec dot = zmm(half);
            if (decoder.zeroPoint() != 0) {
                a.vpaddd(dot, dot, Memory.at(ROW_STARTS, offset).broadcast());
            }
            a.vcvtdq2ps(dot, dot);
            decoder.scale(a, group, half, SCALE);
            a.vmulps(dot, dot, SCALE);
            a.vfmadd231ps(SUM, dot, Memory.at(ROW_SCALES, Float.BYTES * group).broadcast());
            if (decoder.affine()) {
                decoder.minimum(a, group, half, MINIMUM);
                a.vfmadd231ps(SUM, MINIMUM, Memory.at(ROW_SUMS, offset).broadcast());
            }
        }
    }
}
