package dev.puna.kernels.x86;

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
 * {@link PanelTile} on tile registers (AMX): sixteen rows of activations ({@link TokenTiles}) times one
 * {@link SidePanel} of sixteen rows of weights, a whole group of 32 (or 16) elements in one instruction:
 *
 * <pre>
 * for each unit of the {@link TileSchedule}: sixteen tokens, a side, some groups
 *   y[16 tokens][16 rows] = 0, or what an earlier unit left    (sixteen vector registers)
 *   for each group:
 *     store the dots of the product after                       (tilestored)
 *     dots = q[tokens][32] · bytes[32][16]                      (tdpbssd; three products ahead)
 *     for each token:
 *       y[token] = fma(dots[token] · scale, d[token], y[token])
 *       y[token] = fma(minimum, (d · Σq)[token], y[token])
 * </pre>
 *
 * <p>While tiles are in use, a core adds 512 bits on two ports but multiplies and converts them on one, and storing a
 * tile takes the other for sixteen cycles. So nothing is converted: {@code bits(1.5·2²³) + dot} is the float
 * {@code 1.5·2²³ + dot} for every dot product of bytes (less than 2²²), and
 * {@code fma(1.5·2²³ + dot, scale, −1.5·2²³·scale)} is {@code dot · scale} rounded once, for scales have at most 21
 * significant bits. A scale that is infinite gives NaN here.
 *
 * <p>The first products of a unit are ordered while those of the one before it are added up. The bytes of the panel are
 * signed, zero point already taken off. Reference: Intel's Architecture Instruction Set Extensions, chapter on AMX.
 */
final class AmxTile {
    /** Tiles of results that take turns; a unit has a multiple of so many products. */
    static final int RESULTS = 4;

    /** Products that are ordered before the one whose sums are added. */
    private static final int AHEAD = 3;

    /** Bytes that are asked for at a time. */
    static final int LINE = 64;

    private static final int ROW_BYTES = 64;

    private static final int BUFFER_BYTES = 16 * ROW_BYTES;

    static final int SCRATCH_BYTES = RESULTS * BUFFER_BYTES;

    /** Where the offsets of the units begin: tokens, sides, results. */
    static final int X = 0;

    static final int SIDES = 1;
    static final int Y = 2;
    static final int Y_STRIDE = 3;
    static final int SCRATCH = 4;
    static final int UNITS = 5;
    static final int UNIT_COUNT = 6;
    /** Memory that will be read next, and how many bytes of it to ask for with every fourth product: a line, or 0. */
    static final int NEXT = 7;

    static final int NEXT_STEP = 8;
    /** Room for the sums of units that others go on with. */
    static final int SUMS = 9;

    private static final Gp64 TOKENS = RAX;
    private static final Gp64 SIDE = RBX;
    /** Where the four products after these begin. */
    private static final Gp64 NEXT_TOKENS = R8;

    private static final Gp64 NEXT_SIDE = R9;
    private static final Gp64 UNIT = R15;
    private static final Gp64 FOURS_LEFT = R14;
    private static final Gp64 NEXT_LINE = R12;
    private static final Gp64 DOTS = R13;
    /** 32 and 64: bytes from row to row of the tokens, and of a side and the scratch. */
    private static final Gp64 TOKEN_BYTES = R11;

    private static final Gp64 LINE_BYTES = RBP;
    private static final Gp64 OUT = RSI;
    private static final Gp64 OUT_EIGHTH = RDX;

    private static final Vec SCALE = zmm(0);
    private static final Vec MINIMUM = zmm(1);
    /** {@code −1.5·2²³ · scale}. */
    private static final Vec START = zmm(2);

    private static final Vec START_BITS = zmm(3);
    private static final Vec MINUS_START = zmm(4);
    private static final int FIRST_DOT = 5;
    private static final int DOT_REGISTERS = 11;

    private static final float START_VALUE = 1.5f * (1 << 23);

    private AmxTile() {}

    private static Vec sum(int token) {
        return zmm(16 + token);
    }

    static Code code(int tokens, int scaledElements, boolean affine) {
        SidePanel.Shape panel = new SidePanel.Shape(scaledElements, affine);
        int tokenStep = TokenTiles.groupBytes(scaledElements);
        int groups = RESULTS / panel.halves();
        return Leaf.of(a -> {
            Label unit = a.label("unit");
            Label begun = a.label("begun");
            Label resume = a.label("resume");
            Label four = a.label("four");
            Label within = a.label("within");
            Label ends = a.label("ends");
            Label ended = a.label("ended");
            a.ldtilecfg(a.constant(configuration(tokens, scaledElements)));
            a.mov(TOKEN_BYTES, TokenTiles.ROW_BYTES);
            a.mov(LINE_BYTES, ROW_BYTES);
            a.mov(DOTS, argument(SCRATCH));
            a.mov(NEXT_LINE, argument(NEXT));
            a.vpbroadcastd(START_BITS, a.constant(START_VALUE));
            a.vpbroadcastd(MINUS_START, a.constant(-START_VALUE));
            a.mov(UNIT, argument(UNITS));
            loadPlace(a, 0, TOKENS, SIDE);
            for (int product = 0; product < AHEAD; product++) {
                multiply(a, panel, product, TOKENS, SIDE);
            }
            store(a, 0);

            a.bind(unit);
            a.mov(FOURS_LEFT, Memory.at(UNIT, TileSchedule.FOURS));
            a.cmp(Memory.at(UNIT, TileSchedule.RESUMES).bytes(8), 0);
            a.jne(resume);
            for (int token = 0; token < tokens; token++) {
                a.vxorps(sum(token), sum(token), sum(token));
            }
            a.jmp(begun);
            a.bind(resume);
            loadSums(a);
            for (int token = 0; token < tokens; token++) {
                a.vmovaps(sum(token), Memory.at(OUT, token * ROW_BYTES));
            }
            a.bind(begun);
            a.cmp(Memory.at(UNIT, TileSchedule.ENDS).bytes(8), 0);
            a.je(four);
            loadOut(a);
            for (int token = 0; token < tokens; token++) {
                a.prefetchw(SixteenRows.row(token, OUT, OUT_EIGHTH, 0));
            }

            a.align(32);
            a.bind(four);
            a.lea(NEXT_TOKENS, Memory.at(TOKENS, groups * tokenStep));
            a.lea(NEXT_SIDE, Memory.at(SIDE, groups * panel.groupBytes()));
            a.dec(FOURS_LEFT);
            a.jne(within);
            loadPlace(a, TileSchedule.UNIT_BYTES, NEXT_TOKENS, NEXT_SIDE);
            a.bind(within);
            a.prefetcht1(Memory.at(NEXT_LINE));
            a.add(NEXT_LINE, argument(NEXT_STEP));
            for (int product = 0; product < RESULTS; product++) {
                store(a, product + 1);
                if (product + AHEAD < RESULTS) {
                    multiply(a, panel, product + AHEAD, TOKENS, SIDE);
                } else {
                    multiply(a, panel, product + AHEAD - RESULTS, NEXT_TOKENS, NEXT_SIDE);
                }
                accumulate(a, tokens, panel, product);
            }
            a.mov(TOKENS, NEXT_TOKENS);
            a.mov(SIDE, NEXT_SIDE);
            a.test(FOURS_LEFT, FOURS_LEFT);
            a.jne(four);

            a.cmp(Memory.at(UNIT, TileSchedule.ENDS).bytes(8), 0);
            a.jne(ends);
            loadSums(a);
            for (int token = 0; token < tokens; token++) {
                a.vmovaps(Memory.at(OUT, token * ROW_BYTES), sum(token));
            }
            a.jmp(ended);
            a.bind(ends);
            loadOut(a);
            for (int token = 0; token < tokens; token++) {
                a.vmovups(SixteenRows.row(token, OUT, OUT_EIGHTH, 0), sum(token));
            }
            a.bind(ended);
            a.add(UNIT, TileSchedule.UNIT_BYTES);
            a.dec(argument(UNIT_COUNT).bytes(8));
            a.jne(unit);
            a.tilerelease();
        });
    }

    /** Where the tokens and the side of this unit or of a later one begin. */
    private static void loadPlace(Assembler a, int ofUnit, Gp64 tokens, Gp64 side) {
        a.mov(tokens, Memory.at(UNIT, ofUnit + TileSchedule.X));
        a.add(tokens, argument(X));
        a.mov(side, Memory.at(UNIT, ofUnit + TileSchedule.SIDE));
        a.add(side, argument(SIDES));
    }

    private static void loadSums(Assembler a) {
        a.mov(OUT, Memory.at(UNIT, TileSchedule.SUMS));
        a.add(OUT, argument(SUMS));
    }

    private static void loadOut(Assembler a) {
        a.mov(OUT, Memory.at(UNIT, TileSchedule.Y));
        a.add(OUT, argument(Y));
        a.mov(SixteenRows.STRIDE, argument(Y_STRIDE));
        a.lea(SixteenRows.STRIDE_3, Memory.at(SixteenRows.STRIDE, SixteenRows.STRIDE, 2));
        a.lea(SixteenRows.STRIDE_5, Memory.at(SixteenRows.STRIDE, SixteenRows.STRIDE, 4));
        a.lea(SixteenRows.STRIDE_7, Memory.at(SixteenRows.STRIDE_3, SixteenRows.STRIDE, 4));
        a.lea(OUT_EIGHTH, Memory.at(OUT, SixteenRows.STRIDE, 8));
    }

    /** Orders the integer products of four that begin at these places. */
    private static void multiply(Assembler a, SidePanel.Shape panel, int product, Gp64 ofTokens, Gp64 ofSide) {
        int group = product / panel.halves();
        int half = product % panel.halves();
        Tile dots = Tile.tmm(product);
        Tile tokens = Tile.tmm(RESULTS + product % 2);
        Tile weights = Tile.tmm(RESULTS + 2 + product % 2);
        int token = group * TokenTiles.groupBytes(panel.scaledElements()) + panel.scaledElements() * half;
        int weight = group * panel.groupBytes() + panel.scaledElements() * SixteenRows.ROWS * half;
        a.tileloadd(tokens, Memory.at(ofTokens, TOKEN_BYTES, 1, token));
        a.tileloadd(weights, Memory.at(ofSide, LINE_BYTES, 1, weight));
        a.tilezero(dots);
        a.tdpbssd(dots, tokens, weights);
    }

    private static void store(Assembler a, int product) {
        int result = product % RESULTS;
        a.tilestored(Memory.at(DOTS, LINE_BYTES, 1, result * BUFFER_BYTES), Tile.tmm(result));
    }

    private static void accumulate(Assembler a, int tokens, SidePanel.Shape panel, int product) {
        int half = product % panel.halves();
        int ofTokens = product / panel.halves() * TokenTiles.groupBytes(panel.scaledElements());
        int ofSide = product / panel.halves() * panel.groupBytes();
        a.vmovaps(SCALE, Memory.at(SIDE, ofSide + panel.scale(half)));
        a.vmulps(START, SCALE, MINUS_START);
        if (panel.affine()) {
            a.vmovaps(MINIMUM, Memory.at(SIDE, ofSide + panel.minimum(half)));
        }
        for (int token = 0; token < tokens; token++) {
            Vec dot = zmm(FIRST_DOT + token % DOT_REGISTERS);
            int lane = token * Float.BYTES;
            a.vpaddd(dot, START_BITS, Memory.at(DOTS, product * BUFFER_BYTES + token * ROW_BYTES));
            a.vfmadd132ps(dot, START, SCALE);
            a.vfmadd231ps(
                    sum(token),
                    dot,
                    Memory.at(TOKENS, ofTokens + TokenTiles.SCALES + lane).broadcast());
            if (panel.affine()) {
                a.vfmadd231ps(
                        sum(token),
                        MINIMUM,
                        Memory.at(TOKENS, ofTokens + TokenTiles.sums(half) + lane)
                                .broadcast());
            }
        }
    }

    /** Palette 1: results are tokens × 16 integers, left factors tokens × group bytes, right ones group/4 × 64 bytes. */
    private static byte[] configuration(int tokens, int scaledElements) {
        byte[] bytes = new byte[64];
        bytes[0] = 1;
        for (int tile = 0; tile < RESULTS + 4; tile++) {
            boolean result = tile < RESULTS;
            boolean left = !result && tile < RESULTS + 2;
            bytes[16 + 2 * tile] = (byte) (left ? scaledElements : ROW_BYTES);
            bytes[48 + tile] = (byte) (result || left ? tokens : scaledElements / 4);
        }
        return bytes;
    }
}
