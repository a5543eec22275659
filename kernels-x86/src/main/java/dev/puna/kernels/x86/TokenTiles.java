package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
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
 * Where {@link AmxTile} finds quantized activations: sixteen tokens together, and of these every group of 32 elements
 * together, so that a product walks straight through memory. The numbers are those of {@link QuantizedRows}.
 *
 * <p>Per sixteen tokens, per group: {@code i8 q [16][32]}, {@code f32 d [16]}, and per half or whole group that has a
 * scale of the weights {@code f32 d·Σq [16]}. A token that is missing is not written.
 */
final class TokenTiles {
    static final int TOKENS = 16;

    /** From token to token. */
    static final int ROW_BYTES = QuantizedRows.BLOCK;

    /** Where the scales are in a group. */
    static final int SCALES = TOKENS * ROW_BYTES;

    private static final int LINE = TOKENS * Float.BYTES;

    private TokenTiles() {}

    /** Where the sums of a half are in a group. */
    static int sums(int half) {
        return SCALES + LINE + LINE * half;
    }

    static int groupBytes(int scaledElements) {
        return sums(QuantizedRows.BLOCK / scaledElements);
    }

    /** Groups with those that fill up four products: of scale 0, so that they add nothing. */
    static long groups(long in, int scaledElements) {
        int together = AmxTile.RESULTS * scaledElements / QuantizedRows.BLOCK;
        return (in / QuantizedRows.BLOCK + together - 1) / together * together;
    }

    /** From sixteen tokens to the next. */
    static long tileBytes(long in, int scaledElements) {
        return groups(in, scaledElements) * groupBytes(scaledElements);
    }

    static long bytes(long tokens, long in, int scaledElements) {
        return (tokens + TOKENS - 1) / TOKENS * tileBytes(in, scaledElements);
    }

    static final int ROWS_IN = 0;
    static final int ROW_STRIDE = 1;
    static final int OUT = 2;
    /** Groups of 32 elements. */
    static final int GROUPS = 3;

    private static final Gp64 FIRST = SixteenRows.FIRST;
    private static final Gp64 EIGHTH = SixteenRows.EIGHTH;
    private static final Gp64 RECORD = RAX;
    private static final Gp64 GROUPS_LEFT = RBX;
    private static final Vec LOW = zmm(16);
    private static final Vec HIGH = zmm(17);
    private static final Vec FACTOR = zmm(18);
    private static final Vec SCALE = zmm(19);
    private static final Vec MAGNITUDE = zmm(20);
    private static final Vec LIMIT = zmm(21);
    private static final Vec INVERSE_LIMIT = zmm(22);
    private static final Vec ZERO = zmm(23);

    /**
     * <pre>
     * for each group:
     *   for each token: m[token] = the largest magnitudes of x[token], a vector   (as integers: NaN is the largest)
     *   max = the largest lane of each m
     *   d = max / 127;  factor = 127 / max, or 0
     *   for each token: q = round(x · factor[token])
     *   sums = d · Σq
     * </pre>
     */
    static Code code(int tokens, int scaledElements) {
        return Leaf.of(a -> {
            Label group = a.label("group");
            a.vpbroadcastd(MAGNITUDE, a.constant(0x7fffffff));
            a.vpbroadcastd(LIMIT, a.constant(127f));
            a.vpbroadcastd(INVERSE_LIMIT, a.constant(1 / 127f));
            a.vpxord(ZERO, ZERO, ZERO);
            a.mov(SixteenRows.STRIDE, argument(ROW_STRIDE));
            a.lea(SixteenRows.STRIDE_3, Memory.at(SixteenRows.STRIDE, SixteenRows.STRIDE, 2));
            a.lea(SixteenRows.STRIDE_5, Memory.at(SixteenRows.STRIDE, SixteenRows.STRIDE, 4));
            a.lea(SixteenRows.STRIDE_7, Memory.at(SixteenRows.STRIDE_3, SixteenRows.STRIDE, 4));
            a.mov(FIRST, argument(ROWS_IN));
            a.lea(EIGHTH, Memory.at(FIRST, SixteenRows.STRIDE, 8));
            a.mov(RECORD, argument(OUT));
            a.mov(GROUPS_LEFT, argument(GROUPS));
            a.bind(group);
            for (int token = 0; token < TOKENS; token++) {
                if (token < tokens) {
                    a.vpandd(LOW, MAGNITUDE, SixteenRows.row(token, 0));
                    a.vpandd(HIGH, MAGNITUDE, SixteenRows.row(token, LINE));
                    a.vpmaxud(zmm(token), LOW, HIGH);
                } else {
                    a.vmovdqa64(zmm(token), ZERO);
                }
            }
            combineLanes(a, Assembler::vpmaxud);
            a.vmulps(SCALE, zmm(0), INVERSE_LIMIT);
            a.vmovaps(Memory.at(RECORD, SCALES), SCALE);
            a.vdivps(FACTOR, LIMIT, zmm(0));
            a.vcmpps(Mask.K1, zmm(0), ZERO, 4); // unequal, or NaN
            a.vmovaps(FACTOR.maskz(Mask.K1), FACTOR);
            a.comment("where the sums will be");
            a.vmovaps(Memory.at(RECORD, sums(0)), FACTOR);
            for (int token = 0; token < tokens; token++) {
                a.vbroadcastss(FACTOR, Memory.at(RECORD, sums(0) + token * Float.BYTES));
                a.vmulps(LOW, FACTOR, SixteenRows.row(token, 0));
                a.vmulps(HIGH, FACTOR, SixteenRows.row(token, LINE));
                a.vcvtps2dq(LOW, LOW);
                a.vcvtps2dq(HIGH, HIGH);
                a.vpmovsdb(Memory.at(RECORD, token * ROW_BYTES), LOW);
                a.vpmovsdb(Memory.at(RECORD, token * ROW_BYTES + ROW_BYTES / 2), HIGH);
                if (scaledElements == QuantizedRows.BLOCK) {
                    a.vpaddd(zmm(token), LOW, HIGH);
                }
            }
            for (int half = 0; half < QuantizedRows.BLOCK / scaledElements; half++) {
                for (int token = 0; token < TOKENS; token++) {
                    if (token >= tokens) {
                        a.vmovdqa64(zmm(token), ZERO);
                    } else if (scaledElements < QuantizedRows.BLOCK) {
                        a.vpmovsxbd(zmm(token), Memory.at(RECORD, token * ROW_BYTES + half * scaledElements));
                    }
                }
                combineLanes(a, Assembler::vpaddd);
                a.vcvtdq2ps(zmm(0), zmm(0));
                a.vmulps(zmm(0), zmm(0), SCALE);
                a.vmovaps(Memory.at(RECORD, sums(half)), zmm(0));
            }
            a.add(FIRST, 2 * LINE);
            a.add(EIGHTH, 2 * LINE);
            a.add(RECORD, groupBytes(scaledElements));
            a.dec(GROUPS_LEFT);
            a.jne(group);
        });
    }

    private interface Combine {
        void emit(Assembler a, Vec to, Vec left, Vec right);
    }

    /** Lane {@code i} of register 0 becomes what all lanes of register {@code i} (0 to 15) combine to. */
    private static void combineLanes(Assembler a, Combine combine) {
        for (int pair = 0; pair < 16; pair += 2) {
            a.vpunpckldq(LOW, zmm(pair), zmm(pair + 1));
            a.vpunpckhdq(HIGH, zmm(pair), zmm(pair + 1));
            combine.emit(a, zmm(pair), LOW, HIGH);
        }
        for (int four = 0; four < 16; four += 4) {
            a.vpunpcklqdq(LOW, zmm(four), zmm(four + 2));
            a.vpunpckhqdq(HIGH, zmm(four), zmm(four + 2));
            combine.emit(a, zmm(four), LOW, HIGH);
        }
        for (int eight = 0; eight < 16; eight += 8) {
            a.vshufi32x4(LOW, zmm(eight), zmm(eight + 4), 0x44);
            a.vshufi32x4(HIGH, zmm(eight), zmm(eight + 4), 0xee);
            combine.emit(a, zmm(eight), LOW, HIGH);
        }
        a.vshufi32x4(LOW, zmm(0), zmm(8), 0x88);
        a.vshufi32x4(HIGH, zmm(0), zmm(8), 0xdd);
        combine.emit(a, zmm(0), LOW, HIGH);
    }
}
