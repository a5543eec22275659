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
 * A few rows of activations times a quantized matrix that is streamed once, in the file's own layout; unpacked weights
 * never leave the registers:
 *
 * <pre>
 * for each 16 rows of w:
 *   y[tokens][16] = 0                                  (in the first cache)
 *   for each block, for each group of 32 (or 16) elements:
 *     bytes[32/4][16][4] = unpacked and transposed     (eight registers)
 *     for each token:
 *       dot = −zeroPoint · Σq[token] + Σ bytes · q[token]
 *       y[token] = fma(dot · scale, d[token], y[token])
 *       y[token] = fma(minimum, (d · Σq)[token], y[token])
 * </pre>
 *
 * The order of roundings is the one of {@link PanelTile} and {@link QuantizedVectorProduct}. Activations come in the
 * records of {@link QuantizedRows}, in the order in which they are used.
 */
final class QuantizedFewRows {
    static final int W = 0;
    static final int W_STRIDE = 1;
    /** Number of sixteens of rows of w. */
    static final int SIXTEENS = 2;
    /** Blocks in a row of w. */
    static final int BLOCKS = 3;

    static final int X = 4;
    static final int TOKENS = 5;
    /** Room for sixteen sums of every token. */
    static final int SUMS = 6;

    static final int Y = 7;
    static final int Y_STRIDE = 8;

    private static final int SUM_BYTES = SixteenRows.ROWS * Float.BYTES;

    private static final Gp64 RECORD = RAX;
    private static final Gp64 TOKENS_LEFT = RBX;
    private static final Gp64 TOKEN_SUMS = RBP;
    private static final Gp64 OUT = R11;
    private static final Gp64 BLOCK_COUNT = R13;

    /** Products of the first and of the last 16 elements: two chains, or two groups. */
    private static final Vec[] DOTS = {zmm(12), zmm(13)};

    private static final Vec SUM = zmm(15);
    private static final Vec[] SCALES = {zmm(16), zmm(17)};
    private static final Vec[] MINIMA = {zmm(18), zmm(19)};

    private QuantizedFewRows() {}

    /** Bytes of scratch for the sums. */
    static long sumBytes(int tokens) {
        return (long) tokens * SUM_BYTES;
    }

    static Code code(BlockDecoder decoder) {
        SixteenRows layout = decoder.layout();
        RowsAhead ahead = decoder.ahead();
        int blockBytes = decoder.dtype().bytesPerBlock();
        return Leaf.of(a -> {
            Label rows = a.label("rows");
            Label clear = a.label("clear");
            Label block = a.label("block");
            Label store = a.label("store");
            a.mov(SixteenRows.STRIDE, argument(W_STRIDE));
            layout.prepare(a);
            decoder.prepare(a);
            a.mov(SixteenRows.FIRST, argument(W));
            ahead.begin(a);
            a.bind(rows);
            a.lea(SixteenRows.EIGHTH, Memory.at(SixteenRows.FIRST, SixteenRows.STRIDE, 8));
            ahead.beginRows(a);
            a.vxorps(SUM, SUM, SUM);
            firstToken(a);
            a.bind(clear);
            a.vmovaps(Memory.at(TOKEN_SUMS), SUM);
            nextToken(a, clear);
            a.mov(RECORD, argument(X));
            a.mov(BLOCK_COUNT, argument(BLOCKS));
            a.align(32);
            a.bind(block);
            decoder.beginBlock(a);
            for (int group = 0; group < decoder.groups(); group++) {
                a.comment("group " + group);
                ahead.ask(a, group);
                group(a, decoder, group);
            }
            a.add(SixteenRows.FIRST, blockBytes);
            a.add(SixteenRows.EIGHTH, blockBytes);
            ahead.advance(a);
            a.dec(BLOCK_COUNT);
            a.jne(block);

            a.mov(OUT, argument(Y));
            firstToken(a);
            a.bind(store);
            a.vmovaps(SUM, Memory.at(TOKEN_SUMS));
            a.vmovups(Memory.at(OUT), SUM);
            a.add(OUT, argument(Y_STRIDE));
            nextToken(a, store);
            a.add(argument(Y).bytes(8), SUM_BYTES);
            a.comment("EIGHTH is at the end of row 8: seven rows further the next sixteen begin");
            a.lea(SixteenRows.FIRST, Memory.at(SixteenRows.EIGHTH, SixteenRows.STRIDE_7, 1));
            a.dec(argument(SIXTEENS).bytes(8));
            a.jne(rows);
        });
    }

    private static void firstToken(Assembler a) {
        a.mov(TOKENS_LEFT, argument(TOKENS));
        a.mov(TOKEN_SUMS, argument(SUMS));
    }

    private static void nextToken(Assembler a, Label loop) {
        a.add(TOKEN_SUMS, SUM_BYTES);
        a.dec(TOKENS_LEFT);
        a.jne(loop);
    }

    private static void group(Assembler a, BlockDecoder decoder, int group) {
        int halves = 32 / decoder.scaledElements();
        for (int half = 0; half < halves; half++) {
            decoder.scale(a, group, half, SCALES[half]);
            if (decoder.affine()) {
                decoder.minimum(a, group, half, MINIMA[half]);
            }
        }
        Panel.unpack(a, decoder, group);
        Vec[] fours = decoder.layout().transpose(a);
        Label token = a.label("token-" + group);
        firstToken(a);
        a.align(32);
        a.bind(token);
        for (int half = 0; half < 2; half++) {
            Vec dot = DOTS[half];
            if (half < halves && decoder.zeroPoint() != 0) {
                a.vpbroadcastd(dot, Memory.at(RECORD, QuantizedRows.RECORD_STARTS + Integer.BYTES * half));
            } else {
                a.vpxord(dot, dot, dot);
            }
            for (int i = 4 * half; i < 4 * half + 4; i++) {
                a.vpdpbusd(dot, fours[i], Memory.at(RECORD, Integer.BYTES * i).broadcast());
            }
        }
        if (halves == 1) {
            a.vpaddd(DOTS[0], DOTS[0], DOTS[1]);
        }
        a.vmovaps(SUM, Memory.at(TOKEN_SUMS));
        for (int half = 0; half < halves; half++) {
            a.vcvtdq2ps(DOTS[half], DOTS[half]);
            a.vmulps(DOTS[half], DOTS[half], SCALES[half]);
            a.vfmadd231ps(
                    SUM,
                    DOTS[half],
                    Memory.at(RECORD, QuantizedRows.RECORD_SCALE).broadcast());
            if (decoder.affine()) {
                a.vfmadd231ps(
                        SUM,
                        MINIMA[half],
                        Memory.at(RECORD, QuantizedRows.RECORD_SUMS + Float.BYTES * half)
                                .broadcast());
            }
        }
        a.vmovaps(Memory.at(TOKEN_SUMS), SUM);
        a.add(RECORD, QuantizedRows.RECORD_BYTES);
        nextToken(a, token);
    }
}
