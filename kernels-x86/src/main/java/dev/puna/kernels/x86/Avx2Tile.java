package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Up to four rows of activations at a time times a panel of sixteen rows of weights, int8 products with fp32 scales per
 * group:
 *
 * <pre>
 * for each 4 tokens:
 *   y[token][16] = 0                                                  (in scratch)
 *   for each group:
 *     dot[token][16] = −zeroPoint · Σq[token] + Σ bytes[16] · q[token]
 *     y[token] = fma(dot, scale · d[token], y)
 *     y[token] = fma(minimum, (d · Σq)[token], y)
 * </pre>
 *
 * Four tokens by two registers of rows use eight accumulators. Without {@code vpdpbusd} four elements are multiplied in
 * three ways, after the largest byte of a format: up to 15, sums of a whole group fit 16 bits; up to 63, of two steps;
 * signed bytes are multiplied as magnitudes, and every step is widened.
 */
final class Avx2Tile {
    static final int MAX_TOKENS = 4;

    static final int WEIGHTS = 0;
    static final int SCALES = 1;
    static final int MINIMA = 2;
    static final int GROUPS = 3;
    static final int Q = 4;
    static final int X_SCALES = 5;
    static final int X_STARTS = 6;
    static final int X_SUMS = 7;
    static final int X_STRIDE = 8;
    static final int Y = 9;
    static final int Y_STRIDE = 10;
    /** Bytes in y from the first eight rows to the second: 32 unless they overlap at the edge. */
    static final int Y_SECOND = 11;
    /** Fours of tokens, and what leads from one to the next in x and in y. */
    static final int TILES = 12;

    static final int X_TILE = 13;
    static final int Y_TILE = 14;
    /** Memory for the sums: {@link #SCRATCH_BYTES}. */
    static final int SCRATCH = 15;

    static final int SCRATCH_BYTES = 2 * MAX_TOKENS * Avx2Panel.SIDE;

    private static final Gp64 TOKEN_Q = RAX;
    private static final Gp64 TOKEN_SCALES = RBX;
    private static final Gp64 TOKEN_STARTS = RCX;
    private static final Gp64 TOKEN_SUMS = RDX;
    private static final Gp64 STRIDE = RSI;
    private static final Gp64 STRIDE_3 = R8;
    private static final Gp64 PANEL_WEIGHTS = R10;
    private static final Gp64 PANEL_SCALES = R11;
    private static final Gp64 PANEL_MINIMA = R12;
    private static final Gp64 GROUP_COUNT = R13;
    private static final Gp64 OUT = R14;
    private static final Gp64 OUT_SECOND = R15;
    private static final Gp64 SUMS = RBP;

    private static final Vec[] W = {ymm(8), ymm(9)};
    private static final Vec[] NEXT_W = {ymm(10), ymm(11)};
    private static final Vec X = ymm(12);
    private static final Vec NEXT_X = ymm(13);
    private static final Vec T = ymm(14);
    private static final Vec U = ymm(15);

    private final Assembler a;
    private final Avx2Decoder decoder;
    private final Avx2Dot unit;
    private final int tokens;

    private Avx2Tile(Assembler a, Avx2Decoder decoder, Avx2Dot unit, int tokens) {
        this.a = a;
        this.decoder = decoder;
        this.unit = unit;
        this.tokens = tokens;
    }

    static Code code(Avx2Decoder decoder, Avx2Dot unit, int tokens) {
        return Leaf.of(a -> new Avx2Tile(a, decoder, unit, tokens).emit());
    }

    private static Vec dot(int token, int side) {
        return ymm(2 * token + side);
    }

    /** {@code base + token · stride + displacement}. */
    private static Memory at(Gp64 base, int token, int displacement) {
        return switch (token) {
            case 0 -> Memory.at(base, displacement);
            case 1 -> Memory.at(base, STRIDE, 1, displacement);
            case 2 -> Memory.at(base, STRIDE, 2, displacement);
            default -> Memory.at(base, STRIDE_3, 1, displacement);
        };
    }

    private static Memory sum(int token, int side) {
        return Memory.at(SUMS, (2 * token + side) * Avx2Panel.SIDE);
    }

    private void strides(int slot) {
        a.mov(STRIDE, argument(slot));
        a.lea(STRIDE_3, Memory.at(STRIDE, STRIDE, 2));
    }

    private void emit() {
        Label tile = a.label("tile");
        Label group = a.label("group");
        int halves = decoder.halves();
        a.mov(SUMS, argument(SCRATCH));
        a.bind(tile);
        a.mov(PANEL_WEIGHTS, argument(WEIGHTS));
        a.mov(PANEL_SCALES, argument(SCALES));
        a.mov(PANEL_MINIMA, argument(MINIMA));
        strides(X_STRIDE);
        a.mov(TOKEN_Q, argument(Q));
        a.mov(TOKEN_SCALES, argument(X_SCALES));
        a.mov(TOKEN_STARTS, argument(X_STARTS));
        a.mov(TOKEN_SUMS, argument(X_SUMS));
        a.mov(GROUP_COUNT, argument(GROUPS));
        a.vxorps(T, T, T);
        for (int token = 0; token < tokens; token++) {
            for (int side = 0; side < 2; side++) {
                a.vmovups(sum(token, side), T);
            }
        }
        a.align(32);
        a.bind(group);
        for (int half = 0; half < halves; half++) {
            int steps = 8 / halves;
            dots(half * steps, steps, half);
            accumulate(half);
        }
        a.add(PANEL_WEIGHTS, Avx2Panel.GROUP_BYTES);
        a.add(PANEL_SCALES, Avx2Panel.scaleBytes(decoder));
        if (decoder.affine()) {
            a.add(PANEL_MINIMA, Avx2Panel.scaleBytes(decoder));
        }
        a.add(TOKEN_Q, 32);
        a.add(TOKEN_SCALES, Float.BYTES);
        a.add(TOKEN_STARTS, (long) halves * Integer.BYTES);
        a.add(TOKEN_SUMS, (long) halves * Float.BYTES);
        a.dec(GROUP_COUNT);
        a.jne(group);

        strides(Y_STRIDE);
        a.mov(OUT, argument(Y));
        a.mov(OUT_SECOND, OUT);
        a.add(OUT_SECOND, argument(Y_SECOND));
        for (int token = 0; token < tokens; token++) {
            a.vmovups(T, sum(token, 0));
            a.vmovups(at(OUT, token, 0), T);
            a.vmovups(T, sum(token, 1));
            a.vmovups(at(OUT_SECOND, token, 0), T);
        }
        a.comment("the next four tokens");
        for (int slot : new int[] {Q, X_SCALES, X_STARTS, X_SUMS}) {
            Leaf.advance(a, slot, X_TILE, TOKEN_Q);
        }
        Leaf.advance(a, Y, Y_TILE, TOKEN_Q);
        a.dec(argument(TILES).bytes(8));
        a.jne(tile);
    }

    private Memory weights(int step, int side) {
        return Memory.at(PANEL_WEIGHTS, (2 * step + side) * Avx2Panel.SIDE);
    }

    /** The dot products of some steps of four elements, without the zero point's part. */
    private void dots(int first, int steps, int half) {
        boolean signed = decoder.signed();
        if (unit == Avx2Dot.VNNI) {
            begin();
            for (int step = first; step < first + steps; step++) {
                load(W, step);
                for (int token = 0; token < tokens; token++) {
                    a.vpbroadcastd(X, at(TOKEN_Q, token, 4 * step));
                    for (int side = 0; side < 2; side++) {
                        a.vexVpdpbusd(dot(token, side), W[side], X);
                    }
                }
            }
        } else if (signed) {
            begin();
            for (int step = first; step < first + steps; step++) {
                load(W, step);
                for (int side = 0; side < 2; side++) {
                    a.vpabsb(NEXT_W[side], W[side]);
                }
                for (int token = 0; token < tokens; token++) {
                    a.vpbroadcastd(X, at(TOKEN_Q, token, 4 * step));
                    for (int side = 0; side < 2; side++) {
                        Vec t = side == 0 ? T : U;
                        a.vpsignb(t, X, W[side]);
                        a.vpmaddubsw(t, NEXT_W[side], t);
                        a.vpmaddwd(t, t, Avx2Dot.ones(a));
                        a.vpaddd(dot(token, side), dot(token, side), t);
                    }
                }
            }
        } else if (decoder.largest() <= 15) {
            wordsOfAll(first, steps);
        } else {
            begin();
            wordsOfTwo(first, steps);
        }
        if (decoder.zeroPoint() != 0) {
            for (int token = 0; token < tokens; token++) {
                a.vpbroadcastd(T, at(TOKEN_STARTS, token, half * Integer.BYTES));
                for (int side = 0; side < 2; side++) {
                    a.vpaddd(dot(token, side), dot(token, side), T);
                }
            }
        }
    }

    private void begin() {
        for (int token = 0; token < tokens; token++) {
            for (int side = 0; side < 2; side++) {
                a.vpxor(dot(token, side), dot(token, side), dot(token, side));
            }
        }
    }

    private void load(Vec[] to, int step) {
        for (int side = 0; side < 2; side++) {
            a.vmovdqu(to[side], weights(step, side));
        }
    }

    /** 8 steps · 2 products · 15 · 127 = 30480: all fit 16 bits. */
    private void wordsOfAll(int first, int steps) {
        for (int step = first; step < first + steps; step++) {
            load(W, step);
            for (int token = 0; token < tokens; token++) {
                a.vpbroadcastd(X, at(TOKEN_Q, token, 4 * step));
                for (int side = 0; side < 2; side++) {
                    Vec t = side == 0 ? T : U;
                    if (step == first) {
                        a.vpmaddubsw(dot(token, side), W[side], X);
                    } else {
                        a.vpmaddubsw(t, W[side], X);
                        a.vpaddw(dot(token, side), dot(token, side), t);
                    }
                }
            }
        }
        for (int token = 0; token < tokens; token++) {
            for (int side = 0; side < 2; side++) {
                a.vpmaddwd(dot(token, side), dot(token, side), Avx2Dot.ones(a));
            }
        }
    }

    /** 2 steps · 2 products · 63 · 127 = 32004: two fit. */
    private void wordsOfTwo(int first, int steps) {
        for (int step = first; step < first + steps; step += 2) {
            load(W, step);
            load(NEXT_W, step + 1);
            for (int token = 0; token < tokens; token++) {
                a.vpbroadcastd(X, at(TOKEN_Q, token, 4 * step));
                a.vpbroadcastd(NEXT_X, at(TOKEN_Q, token, 4 * step + 4));
                for (int side = 0; side < 2; side++) {
                    a.vpmaddubsw(T, W[side], X);
                    a.vpmaddubsw(U, NEXT_W[side], NEXT_X);
                    a.vpaddw(T, T, U);
                    a.vpmaddwd(T, T, Avx2Dot.ones(a));
                    a.vpaddd(dot(token, side), dot(token, side), T);
                }
            }
        }
    }

    private void accumulate(int half) {
        int offset = half * 2 * Avx2Panel.SIDE;
        for (int token = 0; token < tokens; token++) {
            a.vbroadcastss(X, at(TOKEN_SCALES, token, 0));
            if (decoder.affine()) {
                a.vbroadcastss(NEXT_X, at(TOKEN_SUMS, token, half * Float.BYTES));
            }
            for (int side = 0; side < 2; side++) {
                int at = offset + side * Avx2Panel.SIDE;
                a.vcvtdq2ps(dot(token, side), dot(token, side));
                a.vmulps(T, X, Memory.at(PANEL_SCALES, at));
                a.vmovups(U, sum(token, side));
                a.vfmadd231ps(U, dot(token, side), T);
                if (decoder.affine()) {
                    a.vfmadd231ps(U, NEXT_X, Memory.at(PANEL_MINIMA, at));
                }
                a.vmovups(sum(token, side), U);
            }
        }
    }
}
