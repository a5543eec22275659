package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
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
import dev.puna.assembler.Tile;
import dev.puna.assembler.Vec;

/**
 * {@link PanelTile} on tile registers (AMX): up to sixteen rows of activations at a time times the sixteen rows of one
 * side of a panel, a whole group of 32 (or 16) elements in one instruction:
 *
 * <pre>
 * for each 16 tokens, for each panel, for each side:
 *   y[16 tokens][16 rows] = 0                               (sixteen vector registers)
 *   for each group:
 *     dots = q[tokens][32] · bytes[32][16]                  (tdpbssd; stored to scratch)
 *     while the tile unit works on it, for the products two before:
 *       y[token] = fma(dots[token], scale · d[token], y[token])
 *       y[token] = fma(minimum, (d · Σq)[token], y[token])
 * </pre>
 *
 * The bytes of the panel are signed here, zero point already taken off; the integers, and with them every bit of the
 * result, are those of {@link PanelTile}. Reference: Intel's Architecture Instruction Set Extensions, chapter on AMX.
 */
final class AmxTile {
    static final int MAX_TOKENS = 16;

    /** Sixteen rows of sixteen integers, 128 bytes apart. */
    private static final int BUFFER_BYTES = 16 * 128;

    /** A ring of four buffers: results are used two products after they were ordered. */
    static final int SCRATCH_BYTES = 4 * BUFFER_BYTES;

    /** So that the end of the ring shows in one bit of the address. */
    static final int SCRATCH_ALIGNMENT = 2 * SCRATCH_BYTES;

    static final int WEIGHTS = 0;
    static final int SCALES = 1;
    static final int MINIMA = 2;
    static final int SIDES = 3;
    static final int GROUPS = 4;
    static final int Q = 5;
    static final int X_SCALES = 6;
    static final int X_SUMS = 7;
    static final int X_STRIDE = 8;
    static final int Y = 9;
    static final int Y_STRIDE = 10;
    static final int SCRATCH = 11;
    /** What is added to the panel's pointers to reach the next side, and the side after that. */
    static final int PANEL_STEP = 12;

    static final int PANEL_STEP_AFTER = 13;
    /** The same for y. */
    static final int Y_STEP = 14;

    static final int Y_STEP_AFTER = 15;
    /** Sixteens of tokens, and what leads from one to the next: in x, in y after all sides, in the panels back to the first. */
    static final int TILES = 16;

    static final int X_TILE = 17;
    static final int Y_TILE = 18;
    static final int PANEL_REWIND = 19;
    /** Working copies, which the kernel moves. */
    private static final int NEXT_Q = 20;

    private static final int NEXT_MINIMA = 21;
    private static final int SIDES_LEFT = 22;

    /** Rows 0 and 8 of per-token values, and their distance and its multiples. */
    private static final Gp64 FIRST = RSI;

    private static final Gp64 EIGHTH = RDX;
    private static final Gp64 STRIDE = RCX;
    private static final Gp64 STRIDE_3 = R8;
    private static final Gp64 STRIDE_5 = R9;
    private static final Gp64 STRIDE_7 = R10;
    private static final Gp64 TEMPORARY = R11;
    private static final Gp64 PANEL_WEIGHTS = RAX;
    private static final Gp64 PANEL_SCALES = RBX;
    /** 128: bytes from row to row of a side of a panel, and of the scratch. */
    private static final Gp64 ROW_BYTES = RBP;

    private static final Gp64 SUMS_EIGHTH = R12;
    private static final Gp64 DOTS = R13;
    private static final Gp64 GROUP_COUNT = R14;
    private static final Gp64 SUMS_FIRST = R15;

    /** Two sets of tiles that take turns, so that a product need not wait for the store of the one before. */
    private static final int TILE_SETS = 2;

    private static final Vec SCALE = zmm(0);
    private static final Vec MINIMUM = zmm(1);

    private AmxTile() {}

    private static Vec sum(int token) {
        return zmm(16 + token);
    }

    static Code code(int tokens, int scaledElements, boolean affine) {
        int halves = 32 / scaledElements;
        return Leaf.of(a -> {
            Label tile = a.label("tile");
            Label side = a.label("side");
            Label group = a.label("group");
            Label last = a.label("last");
            Label only = a.label("only");
            Label rest = a.label("rest");
            a.ldtilecfg(a.constant(configuration(tokens, scaledElements)));
            a.mov(ROW_BYTES, 128);
            a.bind(tile);
            a.mov(TEMPORARY, argument(SIDES));
            a.mov(argument(SIDES_LEFT), TEMPORARY);
            a.bind(side);
            loadStrides(a, X_STRIDE);
            a.mov(FIRST, argument(X_SCALES));
            a.lea(EIGHTH, Memory.at(FIRST, STRIDE, 8));
            a.mov(SUMS_FIRST, argument(X_SUMS));
            a.lea(SUMS_EIGHTH, Memory.at(SUMS_FIRST, STRIDE, 8));
            a.mov(PANEL_WEIGHTS, argument(WEIGHTS));
            a.mov(PANEL_SCALES, argument(SCALES));
            a.mov(TEMPORARY, argument(MINIMA));
            a.mov(argument(NEXT_MINIMA), TEMPORARY);
            a.mov(TEMPORARY, argument(Q));
            a.mov(argument(NEXT_Q), TEMPORARY);
            a.mov(GROUP_COUNT, argument(GROUPS));
            a.mov(DOTS, argument(SCRATCH));
            for (int token = 0; token < tokens; token++) {
                a.vxorps(sum(token), sum(token), sum(token));
            }
            for (int half = 0; half < halves; half++) {
                multiply(a, scaledElements, half, half);
                store(a, half);
            }
            a.dec(GROUP_COUNT);
            if (halves == 1) {
                a.je(only);
                multiply(a, scaledElements, 0, 1);
                store(a, 1);
                a.dec(GROUP_COUNT);
                a.je(last);
                a.comment("one alone if the number is odd, then two at a time");
                a.test(GROUP_COUNT, 1);
                a.je(group);
                step(a, tokens, scaledElements, affine, 0, 0);
                advance(a, affine, halves);
                a.dec(GROUP_COUNT);
            }
            a.je(last);
            a.align(32);
            a.bind(group);
            if (halves == 1) {
                step(a, tokens, scaledElements, affine, 0, 0);
                advance(a, affine, halves);
                step(a, tokens, scaledElements, affine, 0, 1);
                advance(a, affine, halves);
                a.sub(GROUP_COUNT, 2);
            } else {
                step(a, tokens, scaledElements, affine, 0, 0);
                step(a, tokens, scaledElements, affine, 1, 1);
                advance(a, affine, halves);
                a.dec(GROUP_COUNT);
            }
            a.jne(group);
            a.bind(last);
            toTwoBefore(a);
            accumulate(a, tokens, affine, 0);
            if (halves == 1) {
                advance(a, affine, halves);
                a.jmp(rest);
                a.bind(only);
                toTwoBefore(a);
                a.bind(rest);
            }
            toNext(a);
            accumulate(a, tokens, affine, halves - 1);

            a.mov(FIRST, argument(Y));
            loadStrides(a, Y_STRIDE);
            a.lea(EIGHTH, Memory.at(FIRST, STRIDE, 8));
            for (int token = 0; token < tokens; token++) {
                a.vmovups(SixteenRows.row(token, FIRST, EIGHTH, 0), sum(token));
            }
            a.comment("the other side, or the next panel");
            for (int slot : new int[] {WEIGHTS, SCALES, MINIMA}) {
                Leaf.advance(a, slot, PANEL_STEP, TEMPORARY);
            }
            Leaf.advance(a, Y, Y_STEP, TEMPORARY);
            exchange(a, PANEL_STEP, PANEL_STEP_AFTER);
            exchange(a, Y_STEP, Y_STEP_AFTER);
            a.dec(argument(SIDES_LEFT).bytes(8));
            a.jne(side);
            a.comment("the next sixteen tokens");
            for (int slot : new int[] {WEIGHTS, SCALES, MINIMA}) {
                Leaf.advance(a, slot, PANEL_REWIND, TEMPORARY);
            }
            for (int slot : new int[] {Q, X_SCALES, X_SUMS}) {
                Leaf.advance(a, slot, X_TILE, TEMPORARY);
            }
            Leaf.advance(a, Y, Y_TILE, TEMPORARY);
            a.dec(argument(TILES).bytes(8));
            a.jne(tile);
            a.tilerelease();
        });
    }

    /** Orders the next product, and adds the one two before. */
    private static void step(Assembler a, int tokens, int scaledElements, boolean affine, int half, int set) {
        multiply(a, scaledElements, half, set);
        toTwoBefore(a);
        accumulate(a, tokens, affine, half);
        toTwoBefore(a);
        store(a, set);
    }

    /** Palette 1: C is tokens × 16 integers, A tokens × group bytes, B group/4 × 64 bytes. */
    private static byte[] configuration(int tokens, int scaledElements) {
        byte[] bytes = new byte[64];
        bytes[0] = 1;
        int[] columnBytes = {64, scaledElements, 64};
        int[] rows = {tokens, tokens, scaledElements / 4};
        for (int tile = 0; tile < 3 * TILE_SETS; tile++) {
            bytes[16 + 2 * tile] = (byte) columnBytes[tile % 3];
            bytes[48 + tile] = (byte) rows[tile % 3];
        }
        return bytes;
    }

    private static void exchange(Assembler a, int slot, int other) {
        a.mov(TEMPORARY, argument(slot));
        a.mov(STRIDE, argument(other));
        a.mov(argument(slot), STRIDE);
        a.mov(argument(other), TEMPORARY);
    }

    private static void loadStrides(Assembler a, int slot) {
        a.mov(STRIDE, argument(slot));
        a.lea(STRIDE_3, Memory.at(STRIDE, STRIDE, 2));
        a.lea(STRIDE_5, Memory.at(STRIDE, STRIDE, 4));
        a.lea(STRIDE_7, Memory.at(STRIDE_3, STRIDE, 4));
    }

    /** Integer products of the next group (or half of one); after its last half the pointers move on. */
    private static void multiply(Assembler a, int scaledElements, int half, int set) {
        Tile c = Tile.tmm(3 * set);
        Tile x = Tile.tmm(3 * set + 1);
        Tile weights = Tile.tmm(3 * set + 2);
        a.mov(TEMPORARY, argument(NEXT_Q));
        a.tileloadd(x, Memory.at(TEMPORARY, STRIDE, 1, scaledElements * half));
        a.tileloadd(weights, Memory.at(PANEL_WEIGHTS, ROW_BYTES, 1, scaledElements * Panel.ROWS * half));
        a.tilezero(c);
        a.tdpbssd(c, x, weights);
        if (scaledElements * (half + 1) == 32) {
            a.add(TEMPORARY, 32);
            a.mov(argument(NEXT_Q), TEMPORARY);
            a.add(PANEL_WEIGHTS, Panel.GROUP_BYTES);
        }
    }

    /** The products into the buffer, and on to the next one. */
    private static void store(Assembler a, int set) {
        a.tilestored(Memory.at(DOTS, ROW_BYTES, 1), Tile.tmm(3 * set));
        toNext(a);
    }

    private static void toNext(Assembler a) {
        a.add(DOTS, BUFFER_BYTES);
        a.and(DOTS, ~SCRATCH_BYTES);
    }

    /** From a buffer of the ring to the one two before it, which is also the one two after it. */
    private static void toTwoBefore(Assembler a) {
        a.xor(DOTS, 2 * BUFFER_BYTES);
    }

    private static void accumulate(Assembler a, int tokens, boolean affine, int half) {
        int offset = half * Panel.ROWS * Float.BYTES;
        a.vmovaps(SCALE, Memory.at(PANEL_SCALES, offset));
        if (affine) {
            a.mov(TEMPORARY, argument(NEXT_MINIMA));
            a.vmovaps(MINIMUM, Memory.at(TEMPORARY, offset));
        }
        for (int token = 0; token < tokens; token++) {
            Vec dot = zmm(2 + token % 7);
            Vec product = zmm(9 + token % 7);
            a.vcvtdq2ps(dot, Memory.at(DOTS, 128 * token));
            a.vmulps(product, SCALE, SixteenRows.row(token, FIRST, EIGHTH, 0).broadcast());
            a.vfmadd231ps(sum(token), dot, product);
            if (affine) {
                a.vfmadd231ps(
                        sum(token),
                        MINIMUM,
                        SixteenRows.row(token, SUMS_FIRST, SUMS_EIGHTH, Float.BYTES * half)
                                .broadcast());
            }
        }
    }

    private static void advance(Assembler a, boolean affine, int halves) {
        int scaleBytes = halves * Panel.ROWS * Float.BYTES;
        a.add(PANEL_SCALES, scaleBytes);
        a.add(FIRST, Float.BYTES);
        a.add(EIGHTH, Float.BYTES);
        if (affine) {
            a.mov(TEMPORARY, argument(NEXT_MINIMA));
            a.add(TEMPORARY, scaleBytes);
            a.mov(argument(NEXT_MINIMA), TEMPORARY);
            a.add(SUMS_FIRST, (long) halves * Float.BYTES);
            a.add(SUMS_EIGHTH, (long) halves * Float.BYTES);
        }
    }
}
