package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Up to six rows of activations at a time times panels of 32 rows of weights, int8 products with fp32 scales per group:
 *
 * <pre>
 * for each 6 tokens, for each panel:
 *   y[token][32] = 0
 *   for each group:
 *     dot[token][32] = −zeroPoint · Σq[token]
 *     for each 4 elements: dot[token] += bytes[32][4] · q[token][4]      (vpdpbusd)
 *     y[token] = fma(dot · scale, d[token], y)
 *     y[token] = fma(minimum, (d · Σq)[token], y)
 * </pre>
 *
 * Six tokens by two registers of rows use 24 accumulators; with operands that is 29 of 32 registers.
 */
final class PanelTile {
    static final int MAX_TOKENS = 6;

    static final int WEIGHTS = 0;
    static final int SCALES = 1;
    static final int MINIMA = 2;
    /** Bytes from one panel to the next; weights, scales and minima of a panel move together. */
    static final int PANEL_STRIDE = 3;

    static final int PANELS = 4;
    static final int GROUPS = 5;
    static final int Q = 6;
    static final int X_SCALES = 7;
    static final int X_STARTS = 8;
    static final int X_SUMS = 9;
    static final int X_STRIDE = 10;
    static final int Y = 11;
    static final int Y_STRIDE = 12;
    /** Bytes in y from the first sixteen rows to the second: 64 unless they overlap at the edge. */
    static final int Y_SECOND = 13;
    /** Sixes of tokens, and what leads from one to the next: in x, in y after all panels, in the panels back to the first. */
    static final int TILES = 14;

    static final int X_TILE = 15;
    static final int Y_TILE = 16;
    static final int PANEL_REWIND = 17;
    /** A working copy, which the kernel counts down. */
    private static final int PANELS_LEFT = 18;

    private static final Gp64 TOKEN_Q = RAX;
    private static final Gp64 TOKEN_SCALES = RBX;
    private static final Gp64 TOKEN_STARTS = RCX;
    private static final Gp64 TOKEN_SUMS = RDX;
    private static final Gp64 STRIDE = RSI;
    private static final Gp64 STRIDE_3 = R8;
    private static final Gp64 STRIDE_5 = R9;
    private static final Gp64 PANEL_WEIGHTS = R10;
    private static final Gp64 PANEL_SCALES = R11;
    private static final Gp64 PANEL_MINIMA = R12;
    private static final Gp64 GROUP_COUNT = R13;
    private static final Gp64 OUT = R14;
    private static final Gp64 OUT_SECOND = RBP;

    private static final Vec FIRST = zmm(24);
    private static final Vec SECOND = zmm(25);
    private static final Vec X = zmm(26);
    private static final Vec FIRST_SCALE = zmm(27);
    private static final Vec SECOND_SCALE = zmm(28);

    private PanelTile() {}

    private static Vec dot(int token, int side) {
        return zmm(2 * token + side);
    }

    private static Vec sum(int token, int side) {
        return zmm(12 + 2 * token + side);
    }

    /** {@code base + token · stride + displacement}. */
    private static Memory at(Gp64 base, int token, int displacement) {
        return switch (token) {
            case 0 -> Memory.at(base, displacement);
            case 1 -> Memory.at(base, STRIDE, 1, displacement);
            case 2 -> Memory.at(base, STRIDE, 2, displacement);
            case 3 -> Memory.at(base, STRIDE_3, 1, displacement);
            case 4 -> Memory.at(base, STRIDE, 4, displacement);
            default -> Memory.at(base, STRIDE_5, 1, displacement);
        };
    }

    private static void loadStrides(Assembler a, int slot) {
        a.mov(STRIDE, argument(slot));
        a.lea(STRIDE_3, Memory.at(STRIDE, STRIDE, 2));
        a.lea(STRIDE_5, Memory.at(STRIDE, STRIDE, 4));
    }

    /**
     * @param scaledElements 32 or 16
     * @param zeroPoint whether dot products begin at the activations' start values
     * @param affine whether there are minima
     */
    static Code code(int tokens, int scaledElements, boolean zeroPoint, boolean affine) {
        int halves = 32 / scaledElements;
        int perGroup = halves * Integer.BYTES;
        return Leaf.of(a -> {
            Label tile = a.label("tile");
            Label panel = a.label("panel");
            Label group = a.label("group");
            a.bind(tile);
            a.mov(OUT, argument(PANELS));
            a.mov(argument(PANELS_LEFT), OUT);
            a.mov(OUT, argument(Y));
            a.bind(panel);
            a.mov(PANEL_WEIGHTS, argument(WEIGHTS));
            a.mov(PANEL_SCALES, argument(SCALES));
            a.mov(PANEL_MINIMA, argument(MINIMA));
            loadStrides(a, X_STRIDE);
            a.mov(TOKEN_Q, argument(Q));
            a.mov(TOKEN_SCALES, argument(X_SCALES));
            a.mov(TOKEN_STARTS, argument(X_STARTS));
            a.mov(TOKEN_SUMS, argument(X_SUMS));
            a.mov(GROUP_COUNT, argument(GROUPS));
            for (int token = 0; token < tokens; token++) {
                for (int side = 0; side < 2; side++) {
                    a.vxorps(sum(token, side), sum(token, side), sum(token, side));
                }
            }
            a.align(32);
            a.bind(group);
            for (int half = 0; half < halves; half++) {
                begin(a, tokens, zeroPoint, half * Integer.BYTES);
                int steps = 8 / halves;
                for (int step = half * steps; step < (half + 1) * steps; step++) {
                    a.vmovdqa64(FIRST, Memory.at(PANEL_WEIGHTS, 128 * step));
                    a.vmovdqa64(SECOND, Memory.at(PANEL_WEIGHTS, 128 * step + 64));
                    for (int token = 0; token < tokens; token++) {
                        a.vpbroadcastd(X, at(TOKEN_Q, token, 4 * step));
                        a.vpdpbusd(dot(token, 0), FIRST, X);
                        a.vpdpbusd(dot(token, 1), SECOND, X);
                    }
                }
                accumulate(a, tokens, affine, half);
            }
            a.add(PANEL_WEIGHTS, Panel.GROUP_BYTES);
            a.add(PANEL_SCALES, (long) halves * Panel.ROWS * Float.BYTES);
            if (affine) {
                a.add(PANEL_MINIMA, (long) halves * Panel.ROWS * Float.BYTES);
            }
            a.add(TOKEN_Q, 32);
            a.add(TOKEN_SCALES, Float.BYTES);
            a.add(TOKEN_STARTS, perGroup);
            a.add(TOKEN_SUMS, perGroup);
            a.dec(GROUP_COUNT);
            a.jne(group);

            loadStrides(a, Y_STRIDE);
            a.mov(OUT_SECOND, OUT);
            a.add(OUT_SECOND, argument(Y_SECOND));
            for (int token = 0; token < tokens; token++) {
                a.vmovups(at(OUT, token, 0), sum(token, 0));
                a.vmovups(at(OUT_SECOND, token, 0), sum(token, 1));
            }
            a.comment("the next panel");
            a.add(OUT, Panel.ROWS * Float.BYTES);
            for (int slot : new int[] {WEIGHTS, SCALES, MINIMA}) {
                Leaf.advance(a, slot, PANEL_STRIDE, TOKEN_Q);
            }
            a.dec(argument(PANELS_LEFT).bytes(8));
            a.jne(panel);
            a.comment("the next six tokens");
            for (int slot : new int[] {WEIGHTS, SCALES, MINIMA}) {
                Leaf.advance(a, slot, PANEL_REWIND, TOKEN_Q);
            }
            for (int slot : new int[] {Q, X_SCALES, X_STARTS, X_SUMS}) {
                Leaf.advance(a, slot, X_TILE, TOKEN_Q);
            }
            Leaf.advance(a, Y, Y_TILE, TOKEN_Q);
            a.dec(argument(TILES).bytes(8));
            a.jne(tile);
        });
    }

    private static void begin(Assembler a, int tokens, boolean zeroPoint, int offset) {
        for (int token = 0; token < tokens; token++) {
            if (zeroPoint) {
                a.vpbroadcastd(dot(token, 0), at(TOKEN_STARTS, token, offset));
                a.vmovdqa64(dot(token, 1), dot(token, 0));
            } else {
                a.vpxord(dot(token, 0), dot(token, 0), dot(token, 0));
                a.vpxord(dot(token, 1), dot(token, 1), dot(token, 1));
            }
        }
    }

    private static void accumulate(Assembler a, int tokens, boolean affine, int half) {
        int offset = half * Panel.ROWS * Float.BYTES;
        a.vmovaps(FIRST_SCALE, Memory.at(PANEL_SCALES, offset));
        a.vmovaps(SECOND_SCALE, Memory.at(PANEL_SCALES, offset + 64));
        if (affine) {
            a.vmovaps(FIRST, Memory.at(PANEL_MINIMA, offset));
            a.vmovaps(SECOND, Memory.at(PANEL_MINIMA, offset + 64));
        }
        for (int token = 0; token < tokens; token++) {
            for (int side = 0; side < 2; side++) {
                a.vcvtdq2ps(dot(token, side), dot(token, side));
                a.vmulps(dot(token, side), dot(token, side), side == 0 ? FIRST_SCALE : SECOND_SCALE);
                a.vfmadd231ps(
                        sum(token, side),
                        dot(token, side),
                        at(TOKEN_SCALES, token, 0).broadcast());
                if (affine) {
                    a.vfmadd231ps(
                            sum(token, side),
                            side == 0 ? FIRST : SECOND,
                            at(TOKEN_SUMS, token, half * Float.BYTES).broadcast());
                }
            }
        }
    }
}
