package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Vec.ymm;
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
 * for each 8 rows of w:
 *   y = 0
 *   for each block:
 *     scales and minima of its groups to scratch
 *     for each group of 32 (or 16) elements:
 *       dot = −zeroPoint · Σq + Σ byte · q               (exact, int32, a row per lane)
 *       y   = fma(dot, scale · d, y)
 *       y   = fma(minimum, d · Σq, y)                    (where the format has minima)
 * </pre>
 *
 * The order of roundings per output is the one of {@link Avx2Tile}. The same place of the next eight rows is asked for
 * meanwhile: some kilobytes ahead, for rows follow each other in memory.
 */
final class Avx2VectorProduct {
    static final int W = 0;
    static final int W_STRIDE = 1;
    /** Number of eights of rows. */
    static final int EIGHTS = 2;
    /** Blocks in a row of w. */
    static final int BLOCKS = 3;

    static final int Q = 4;
    static final int SCALES = 5;
    static final int STARTS = 6;
    static final int SUMS = 7;
    static final int Y = 8;
    /** Memory for a block's scales and minima: {@link #SCRATCH_BYTES}. */
    static final int SCRATCH = 9;

    private static final int LINE = Avx2Rows.ROWS * Float.BYTES;
    /** A block has at most sixteen scales. */
    private static final int MINIMA_AT = 16 * LINE;

    static final int SCRATCH_BYTES = 2 * MINIMA_AT;

    private static final Gp64 ROW_Q = R11;
    private static final Gp64 ROW_SCALES = RAX;
    private static final Gp64 ROW_STARTS = RBX;
    private static final Gp64 ROW_SUMS = RBP;
    /** Row 0 of the next eight, at the same block. */
    private static final Gp64 AHEAD = R12;

    private static final Gp64 BLOCK_COUNT = R13;
    private static final Gp64 BLOCK_SCALES = R14;
    private static final Gp64 BLOCK_MINIMA = R15;

    private static final Vec WEIGHTS = ymm(9);
    private static final Vec T = ymm(10);
    private static final Vec X = ymm(12);
    private static final Vec SUM = ymm(14);

    private Avx2VectorProduct() {}

    static Code code(Avx2Decoder decoder, Avx2Dot dot) {
        int groups = decoder.groups();
        int blockBytes = decoder.dtype().bytesPerBlock();
        return Leaf.of(a -> {
            Label rows = a.label("rows");
            Label block = a.label("block");
            a.mov(Avx2Rows.STRIDE, argument(W_STRIDE));
            Avx2Rows.prepare(a);
            decoder.prepare(a);
            a.mov(BLOCK_SCALES, argument(SCRATCH));
            a.lea(BLOCK_MINIMA, Memory.at(BLOCK_SCALES, MINIMA_AT));
            a.bind(rows);
            a.mov(Avx2Rows.FIRST, argument(W));
            a.lea(AHEAD, Memory.at(Avx2Rows.FIRST, Avx2Rows.STRIDE, 8));
            a.mov(argument(W), AHEAD);
            a.mov(ROW_Q, argument(Q));
            a.mov(ROW_SCALES, argument(SCALES));
            a.mov(ROW_STARTS, argument(STARTS));
            a.mov(ROW_SUMS, argument(SUMS));
            a.vxorps(SUM, SUM, SUM);
            a.mov(BLOCK_COUNT, argument(BLOCKS));
            a.align(32);
            a.bind(block);
            decoder.scales(a, BLOCK_SCALES, BLOCK_MINIMA, LINE);
            for (int group = 0; group < groups; group++) {
                a.comment("group " + group);
                prefetch(a, group, groups, blockBytes);
                a.vmovdqu(X, Memory.at(ROW_Q, 32 * group));
                for (int row = 0; row < Avx2Rows.ROWS; row++) {
                    decoder.weights(a, group, row, WEIGHTS);
                    dot.emit(a, decoder.signed(), ymm(row), WEIGHTS, X);
                }
                Avx2Rows.sums(a, decoder.halves() == 2);
                accumulate(a, decoder, group);
            }
            int perGroup = decoder.halves() * Integer.BYTES;
            a.add(Avx2Rows.FIRST, blockBytes);
            a.add(AHEAD, blockBytes);
            a.add(ROW_Q, 32L * groups);
            a.add(ROW_SCALES, (long) Float.BYTES * groups);
            a.add(ROW_STARTS, (long) perGroup * groups);
            a.add(ROW_SUMS, (long) perGroup * groups);
            a.dec(BLOCK_COUNT);
            a.jne(block);
            a.mov(ROW_Q, argument(Y));
            a.vmovups(Memory.at(ROW_Q), SUM);
            a.add(ROW_Q, LINE);
            a.mov(argument(Y), ROW_Q);
            a.dec(argument(EIGHTS).bytes(8));
            a.jne(rows);
        });
    }

    /** This group's share of the cache lines that a block of every row touches. */
    private static void prefetch(Assembler a, int group, int groups, int blockBytes) {
        int lines = (blockBytes + 63) / 64;
        for (int line = lines * group / groups; line < lines * (group + 1) / groups; line++) {
            for (int row = 0; row < Avx2Rows.ROWS; row++) {
                a.prefetcht1(Avx2Rows.row(row, AHEAD, 64 * line));
            }
        }
    }

    private static void accumulate(Assembler a, Avx2Decoder decoder, int group) {
        for (int half = 0; half < decoder.halves(); half++) {
            int index = group * decoder.halves() + half;
            Vec dot = ymm(half);
            if (decoder.zeroPoint() != 0) {
                a.vpbroadcastd(T, Memory.at(ROW_STARTS, Integer.BYTES * index));
                a.vpaddd(dot, dot, T);
            }
            a.vcvtdq2ps(dot, dot);
            a.vbroadcastss(T, Memory.at(ROW_SCALES, Float.BYTES * group));
            a.vmulps(T, T, Memory.at(BLOCK_SCALES, LINE * index));
            a.vfmadd231ps(SUM, dot, T);
            if (decoder.affine()) {
                a.vbroadcastss(T, Memory.at(ROW_SUMS, Float.BYTES * index));
                a.vfmadd231ps(SUM, T, Memory.at(BLOCK_MINIMA, LINE * index));
            }
        }
    }
}
