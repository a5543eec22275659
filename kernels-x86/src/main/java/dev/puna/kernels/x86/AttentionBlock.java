package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.xmm;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Generators of attention's inner part: some queries meet a block of {@link #KEYS} keys and values, all fp32 in the
 * cache, and carry their softmax along (Milakov and Gimelshein 2018; Dao et al. 2022).
 *
 * <p>What a query computes is the same sequence of operations whatever the other queries of the tile are, and however
 * many: so its bits do not depend on them. A value that a query does not see is never read for it, so that a NaN there
 * stays there.
 */
final class AttentionBlock {
    /** Positions per block; blocks begin at multiples of it. */
    static final int KEYS = 64;

    /** Queries per tile: with four registers of keys each, 24 accumulators. */
    static final int MAX_QUERIES = 6;

    private static final int REGISTERS = KEYS / 16;

    /** Queries, their results: fp32 rows of {@link #padded} elements. */
    static final int Q = 0;

    static final int RESULT = 1;

    /** fp32 (D, KEYS). */
    static final int KEYS_ACROSS = 2;

    /** fp32 (KEYS, padded D). */
    static final int VALUES = 3;

    /** Keys that the queries see, 1 to {@link #KEYS}. */
    static final int VISIBLE = 4;

    /** fp32 per query: largest score so far, and the sum of exponentials below it. */
    static final int MAXIMA = 5;

    static final int TOTALS = 6;

    /** fp32 (queries, KEYS), scratch. */
    static final int WEIGHTS = 7;

    /** How many tiles of the same number of queries follow each other. */
    static final int TILES = 8;

    private static final Gp64 QUERY = RSI;
    private static final Gp64 ACROSS = RDX;
    private static final Gp64 VALUE = RBX;
    private static final Gp64 RESULTS = RCX;
    private static final Gp64 WEIGHT = R8;
    private static final Gp64 MAXIMUM = R9;
    private static final Gp64 TOTAL = R10;
    private static final Gp64 COUNTER = R11;
    private static final Gp64 SEEN = R12;
    private static final Gp64 POINTER = RAX;
    private static final Gp64 TILE = R13;

    private AttentionBlock() {}

    /** Elements of a row in scratch: whole registers. */
    static int padded(int headSize) {
        return (headSize + 15) & -16;
    }

    /**
     * <pre>
     * s[i][t] = Σ q[i][d] · k[t][d]                 for all t of the block, d in order
     * m = max(maxima[i], max over visible s[i][t]);  c = exp(maxima[i] − m);  maxima[i] = m
     * p[i][t] = exp(s[i][t] − m), 0 where not visible
     * totals[i] = totals[i] · c + Σ p[i][t]
     * result[i] = result[i] · c + Σ p[i][t] · v[t]   for visible t in order
     * </pre>
     */
    static Code code(int queries, int headSize) {
        int row = padded(headSize) * Float.BYTES;
        return Leaf.of(a -> {
            Label tile = a.label("tile");
            a.mov(QUERY, argument(Q));
            a.mov(RESULTS, argument(RESULT));
            a.mov(VALUE, argument(VALUES));
            a.mov(WEIGHT, argument(WEIGHTS));
            a.mov(MAXIMUM, argument(MAXIMA));
            a.mov(TOTAL, argument(TOTALS));
            a.mov(SEEN, argument(VISIBLE));
            a.mov(TILE, argument(TILES));
            a.mov(POINTER, -1);
            a.bzhi(POINTER, POINTER, SEEN);
            for (int i = 0; i < REGISTERS; i++) {
                a.kmovq(Mask.k(1 + i), POINTER);
                a.shr(POINTER, 16);
            }
            a.align(16);
            a.bind(tile);
            scores(a, queries, headSize, row);
            softmax(a, queries);
            for (int d = 0; d < row; d += 64 * REGISTERS) {
                gather(a, queries, row, d, Math.min(REGISTERS, (row - d) / 64));
            }
            a.add(QUERY, queries * (long) row);
            a.add(RESULTS, queries * (long) row);
            a.add(MAXIMUM, queries * 4L);
            a.add(TOTAL, queries * 4L);
            a.dec(TILE);
            a.jne(tile);
        });
    }

    private static Vec accumulator(int query, int register) {
        return zmm(query * REGISTERS + register);
    }

    private static void scores(Assembler a, int queries, int headSize, int row) {
        Label loop = a.label("scores");
        zero(a, queries, REGISTERS);
        a.mov(ACROSS, argument(KEYS_ACROSS));
        a.mov(POINTER, QUERY);
        a.mov(COUNTER, headSize);
        a.align(16);
        a.bind(loop);
        for (int r = 0; r < REGISTERS; r++) {
            a.vmovups(zmm(28 + r), Memory.at(ACROSS, 64 * r));
        }
        for (int i = 0; i < queries; i++) {
            Vec q = zmm(24 + i % 4);
            a.vbroadcastss(q, Memory.at(POINTER, i * row));
            for (int r = 0; r < REGISTERS; r++) {
                a.vfmadd231ps(accumulator(i, r), q, zmm(28 + r));
            }
        }
        a.add(ACROSS, (long) KEYS * Float.BYTES);
        a.add(POINTER, Float.BYTES);
        a.dec(COUNTER);
        a.jne(loop);
    }

    private static void zero(Assembler a, int queries, int registers) {
        for (int i = 0; i < queries; i++) {
            for (int r = 0; r < registers; r++) {
                a.vpxord(accumulator(i, r), accumulator(i, r), accumulator(i, r));
            }
        }
    }

    /** Behind the weights of a whole tile: what each query's earlier results are multiplied by. */
    private static Memory correction(int i) {
        return Memory.at(WEIGHT, (KEYS * MAX_QUERIES + i) * Float.BYTES);
    }

    /** The scores of all queries, in the accumulators, become weights in memory; step by step, so that queries overlap. */
    private static void softmax(Assembler a, int queries) {
        Vec lowest = zmm(24);
        a.vbroadcastss(lowest, a.constant(Float.NEGATIVE_INFINITY));
        for (int i = 0; i < queries; i++) {
            Vec max = zmm(25 + i % 2 * 3);
            Vec t = zmm(26 + i % 2 * 3);
            Vec before = zmm(27 + i % 2 * 3);
            for (int r = 0; r < REGISTERS; r++) {
                a.vblendmps(accumulator(i, r).mask(Mask.k(1 + r)), lowest, accumulator(i, r));
            }
            a.vmaxps(max, accumulator(i, 0), accumulator(i, 1));
            a.vmaxps(t, accumulator(i, 2), accumulator(i, 3));
            a.vmaxps(max, max, t);
            Reduction.emit(a, max, t, Assembler::vmaxps);
            a.vmovss(before.xmm(), Memory.at(MAXIMUM, 4 * i));
            a.vmaxss(max.xmm(), max.xmm(), before.xmm());
            a.vmovss(Memory.at(MAXIMUM, 4 * i), max.xmm());
            a.vsubss(before.xmm(), before.xmm(), max.xmm());
            a.vmovss(correction(i), before.xmm());
        }
        for (int i = 0; i < queries; i++) {
            for (int r = 0; r < REGISTERS; r++) {
                Vec weight = accumulator(i, r);
                a.vsubps(weight, weight, Memory.at(MAXIMUM, 4 * i).broadcast());
                Exponential.emit(a, weight, zmm(24 + 2 * r), zmm(25 + 2 * r));
                a.vmovups(Memory.at(WEIGHT, (KEYS * i + 16 * r) * Float.BYTES), weight);
            }
        }
        // All corrections at once, whether the tile has so many queries or not.
        a.vmovups(zmm(24), correction(0));
        Exponential.emit(a, zmm(24), zmm(25), zmm(26));
        a.vmovups(correction(0), zmm(24));
        for (int i = 0; i < queries; i++) {
            Vec sum = zmm(24 + i % 4 * 2);
            Vec t = zmm(25 + i % 4 * 2);
            a.vaddps(sum, accumulator(i, 0), accumulator(i, 1));
            a.vaddps(t, accumulator(i, 2), accumulator(i, 3));
            a.vaddps(sum, sum, t);
            Reduction.emit(a, sum, t, Assembler::vaddps);
            a.vmovss(t.xmm(), Memory.at(TOTAL, 4 * i));
            a.vfmadd231ss(sum.xmm(), t.xmm(), correction(i));
            a.vmovss(Memory.at(TOTAL, 4 * i), sum.xmm());
        }
    }

    /** Elements {@code d …} bytes of the values, {@code registers} of them. */
    private static void gather(Assembler a, int queries, int row, int d, int registers) {
        Label loop = a.label("values");
        for (int i = 0; i < queries; i++) {
            a.vbroadcastss(zmm(24), correction(i));
            for (int r = 0; r < registers; r++) {
                a.vmulps(accumulator(i, r), zmm(24), Memory.at(RESULTS, i * row + d + 64 * r));
            }
        }
        a.mov(COUNTER, SEEN);
        a.mov(POINTER, WEIGHT);
        a.lea(ACROSS, Memory.at(VALUE, d));
        a.align(16);
        a.bind(loop);
        for (int r = 0; r < registers; r++) {
            a.vmovups(zmm(28 + r), Memory.at(ACROSS, 64 * r));
        }
        for (int i = 0; i < queries; i++) {
            Vec p = zmm(24 + i % 4);
            a.vbroadcastss(p, Memory.at(POINTER, KEYS * Float.BYTES * i));
            for (int r = 0; r < registers; r++) {
                a.vfmadd231ps(accumulator(i, r), p, zmm(28 + r));
            }
        }
        a.add(ACROSS, row);
        a.add(POINTER, Float.BYTES);
        a.dec(COUNTER);
        a.jne(loop);
        for (int i = 0; i < queries; i++) {
            for (int r = 0; r < registers; r++) {
                a.vmovups(Memory.at(RESULTS, i * row + d + 64 * r), accumulator(i, r));
            }
        }
    }

    /** Arguments of {@link #across}. */
    static final int FROM = 0;

    static final int TO = 1;

    /**
     * fp32 (KEYS, padded D) to (padded D, KEYS), by squares of sixteen: pairs of rows, pairs of pairs, then quarters of
     * registers.
     */
    static Code across(int headSize) {
        int row = padded(headSize) * Float.BYTES;
        return Leaf.of(a -> {
            Label columns = a.label("columns");
            Label rows = a.label("rows");
            a.mov(RDX, argument(FROM));
            a.mov(RCX, argument(TO));
            a.mov(R8, KEYS / 16);
            a.bind(rows);
            a.mov(RSI, RDX);
            a.mov(RBX, RCX);
            a.mov(R9, row / 64);
            a.bind(columns);
            for (int i = 0; i < 16; i++) {
                a.vmovups(zmm(i), Memory.at(RSI, i * row));
            }
            for (int i = 0; i < 16; i += 2) {
                a.vunpcklps(zmm(16 + i), zmm(i), zmm(i + 1));
                a.vunpckhps(zmm(17 + i), zmm(i), zmm(i + 1));
            }
            for (int i = 0; i < 16; i += 4) {
                a.vunpcklpd(zmm(i), zmm(16 + i), zmm(18 + i));
                a.vunpckhpd(zmm(i + 1), zmm(16 + i), zmm(18 + i));
                a.vunpcklpd(zmm(i + 2), zmm(17 + i), zmm(19 + i));
                a.vunpckhpd(zmm(i + 3), zmm(17 + i), zmm(19 + i));
            }
            // Register 4g + c now holds column c, 4 + c, 8 + c, 12 + c of rows 4g … 4g + 3.
            for (int c = 0; c < 4; c++) {
                a.vshuff32x4(zmm(16 + c), zmm(c), zmm(4 + c), 0x88);
                a.vshuff32x4(zmm(20 + c), zmm(c), zmm(4 + c), 0xdd);
                a.vshuff32x4(zmm(24 + c), zmm(8 + c), zmm(12 + c), 0x88);
                a.vshuff32x4(zmm(28 + c), zmm(8 + c), zmm(12 + c), 0xdd);
            }
            for (int c = 0; c < 4; c++) {
                a.vshuff32x4(zmm(c), zmm(16 + c), zmm(24 + c), 0x88);
                a.vshuff32x4(zmm(8 + c), zmm(16 + c), zmm(24 + c), 0xdd);
                a.vshuff32x4(zmm(4 + c), zmm(20 + c), zmm(28 + c), 0x88);
                a.vshuff32x4(zmm(12 + c), zmm(20 + c), zmm(28 + c), 0xdd);
            }
            for (int i = 0; i < 16; i++) {
                a.vmovups(Memory.at(RBX, i * KEYS * Float.BYTES), zmm(i));
            }
            a.add(RSI, 64);
            a.add(RBX, 16L * KEYS * Float.BYTES);
            a.dec(R9);
            a.jne(columns);
            a.add(RDX, 16L * row);
            a.add(RCX, 64);
            a.dec(R8);
            a.jne(rows);
        });
    }

    /** Arguments of {@link #begin}. */
    static final int COUNT = 2;

    /** Before the first block: {@code COUNT} results (at {@code RESULT}) and totals of zero, maxima of −∞. */
    static Code begin(int headSize) {
        int row = padded(headSize) * Float.BYTES;
        return Leaf.of(a -> {
            Label loop = a.label("query");
            a.mov(RESULTS, argument(RESULT));
            a.mov(MAXIMUM, argument(MAXIMA));
            a.mov(TOTAL, argument(TOTALS));
            a.mov(COUNTER, argument(COUNT));
            a.vpxord(zmm(0), zmm(0), zmm(0));
            a.vmovss(xmm(1), a.constant(Float.NEGATIVE_INFINITY));
            a.bind(loop);
            for (int d = 0; d < row; d += 64) {
                a.vmovups(Memory.at(RESULTS, d), zmm(0));
            }
            a.vmovss(Memory.at(TOTAL), xmm(0));
            a.vmovss(Memory.at(MAXIMUM), xmm(1));
            a.add(RESULTS, row);
            a.add(TOTAL, Float.BYTES);
            a.add(MAXIMUM, Float.BYTES);
            a.dec(COUNTER);
            a.jne(loop);
        });
    }

    /** Arguments of {@link #end}, besides {@link #RESULT} and {@link #TOTALS}. */
    static final int Y = 0;

    static final int GROUP = 2;
    static final int POSITIONS = 3;
    static final int Y_STRIDE = 4;

    /** After the last block: {@code y = result / total}, {@code GROUP} heads side by side for each position. */
    static Code end(int headSize) {
        int row = padded(headSize) * Float.BYTES;
        return Leaf.of(a -> {
            Label position = a.label("position");
            Label head = a.label("head");
            a.mov(RDX, argument(Y));
            a.mov(RESULTS, argument(RESULT));
            a.mov(TOTAL, argument(TOTALS));
            a.mov(R8, argument(POSITIONS));
            a.mov(R9, -1);
            a.mov(COUNTER, headSize % 16);
            a.bzhi(R9, R9, COUNTER);
            a.kmovq(Mask.K1, R9);
            a.bind(position);
            a.mov(RSI, RDX);
            a.mov(R9, argument(GROUP));
            a.bind(head);
            a.vbroadcastss(zmm(0), Memory.at(TOTAL));
            for (int d = 0; d < headSize; d += 16) {
                Memory to = Memory.at(RSI, d * Float.BYTES);
                a.vmovups(zmm(1), Memory.at(RESULTS, d * Float.BYTES));
                a.vdivps(zmm(1), zmm(1), zmm(0));
                a.vmovups(d + 16 > headSize ? to.mask(Mask.K1) : to, zmm(1));
            }
            a.add(RSI, headSize * (long) Float.BYTES);
            a.add(RESULTS, row);
            a.add(TOTAL, Float.BYTES);
            a.dec(R9);
            a.jne(head);
            a.add(RDX, argument(Y_STRIDE));
            a.dec(R8);
            a.jne(position);
        });
    }
}
