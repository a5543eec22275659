package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.RAX;
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
 * Weights of 32 rows, unpacked once for a whole batch: unsigned bytes in the order in which {@link PanelTile} reads
 * them, and fp32 scales and minima. Two sixteens of rows lie side by side.
 *
 * <p>Per group of 32 elements: {@code u8 [8][2][16][4]} (four consecutive elements of 16 rows fill a register);
 * {@code f32 scale [32/scaledElements][2][16]}, {@code f32 minimum} likewise.
 */
final class Panel {
    static final int ROWS = 32;

    /** Bytes of weights per group of 32 elements. */
    static final int GROUP_BYTES = 32 * ROWS;

    static final int W = 0;
    static final int W_STRIDE = 1;
    static final int BLOCKS = 2;
    static final int WEIGHTS = 3;
    static final int SCALES = 4;
    static final int MINIMA = 5;

    private static final Gp64 WEIGHTS_OUT = R11;
    private static final Gp64 SCALES_OUT = RAX;
    private static final Gp64 MINIMA_OUT = RBX;
    private static final Gp64 BLOCK_COUNT = R13;
    private static final Vec SCALE = zmm(17);
    private static final Vec ZERO_POINT = zmm(18);

    private Panel() {}

    /** Bytes of scales (or of minima) per group. */
    static int scaleBytes(BlockDecoder decoder) {
        return 32 / decoder.scaledElements() * ROWS * Float.BYTES;
    }

    static long weightBytes(long in) {
        return in / 32 * GROUP_BYTES;
    }

    static long scalesBytes(BlockDecoder decoder, long in) {
        return in / 32 * scaleBytes(decoder);
    }

    /** Bytes of a whole panel: weights, scales, minima. */
    static long bytes(BlockDecoder decoder, long in) {
        return weightBytes(in) + scalesBytes(decoder, in) * (decoder.affine() ? 2 : 1);
    }

    /** Where a kernel that unpacks sixteen rows puts what belongs to a group of the block it is at. */
    interface Destination {
        /** Once: pointers into registers. */
        void begin(Assembler a);

        /** Elements {@code 4·four …} of all rows. */
        Memory weights(int group, int four);

        Memory scale(int group, int half);

        Memory minimum(int group, int half);

        /** To the next block. */
        void advance(Assembler a);
    }

    /** Unpacks sixteen rows into one side of a panel; the pointers already point to that side. */
    static Code code(BlockDecoder decoder) {
        int halves = 32 / decoder.scaledElements();
        int sideBytes = SixteenRows.ROWS * Float.BYTES;
        return code(decoder, false, new Destination() {
            @Override
            public void begin(Assembler a) {
                a.mov(WEIGHTS_OUT, argument(WEIGHTS));
                a.mov(SCALES_OUT, argument(SCALES));
                a.mov(MINIMA_OUT, argument(MINIMA));
            }

            @Override
            public Memory weights(int group, int four) {
                return Memory.at(WEIGHTS_OUT, group * GROUP_BYTES + four * 2 * sideBytes);
            }

            @Override
            public Memory scale(int group, int half) {
                return Memory.at(SCALES_OUT, (group * halves + half) * 2 * sideBytes);
            }

            @Override
            public Memory minimum(int group, int half) {
                return Memory.at(MINIMA_OUT, (group * halves + half) * 2 * sideBytes);
            }

            @Override
            public void advance(Assembler a) {
                a.add(WEIGHTS_OUT, (long) decoder.groups() * GROUP_BYTES);
                a.add(SCALES_OUT, (long) decoder.groups() * scaleBytes(decoder));
                a.add(MINIMA_OUT, (long) decoder.groups() * scaleBytes(decoder));
            }
        });
    }

    /**
     * Unpacks sixteen rows.
     *
     * @param signed whether the zero point is taken off the bytes
     */
    static Code code(BlockDecoder decoder, boolean signed, Destination to) {
        SixteenRows layout = decoder.layout();
        RowsAhead ahead = decoder.ahead();
        int halves = 32 / decoder.scaledElements();
        return Leaf.of(a -> {
            Label block = a.label("block");
            a.mov(SixteenRows.STRIDE, argument(W_STRIDE));
            layout.prepare(a);
            decoder.prepare(a);
            a.vpbroadcastd(ZERO_POINT, a.constant(0x01010101 * decoder.zeroPoint()));
            a.mov(SixteenRows.FIRST, argument(W));
            a.lea(SixteenRows.EIGHTH, Memory.at(SixteenRows.FIRST, SixteenRows.STRIDE, 8));
            ahead.beginRows(a);
            to.begin(a);
            a.mov(BLOCK_COUNT, argument(BLOCKS));
            a.bind(block);
            decoder.beginBlock(a);
            for (int group = 0; group < decoder.groups(); group++) {
                a.comment("group " + group);
                ahead.ask(a, group);
                unpack(a, decoder, group);
                Vec[] fours = layout.transpose(a);
                for (int i = 0; i < fours.length; i++) {
                    if (signed && decoder.zeroPoint() != 0) {
                        a.vpsubb(fours[i], fours[i], ZERO_POINT);
                    }
                    a.vmovdqa64(to.weights(group, i), fours[i]);
                }
                for (int half = 0; half < halves; half++) {
                    decoder.scale(a, group, half, SCALE);
                    a.vmovaps(to.scale(group, half), SCALE);
                    if (decoder.affine()) {
                        decoder.minimum(a, group, half, SCALE);
                        a.vmovaps(to.minimum(group, half), SCALE);
                    }
                }
            }
            int blockBytes = decoder.dtype().bytesPerBlock();
            a.add(SixteenRows.FIRST, blockBytes);
            a.add(SixteenRows.EIGHTH, blockBytes);
            ahead.advance(a);
            to.advance(a);
            a.dec(BLOCK_COUNT);
            a.jne(block);
        });
    }

    /** The bytes of a group into registers 0 to 7, as {@link SixteenRows#transpose} takes them. */
    static void unpack(Assembler a, BlockDecoder decoder, int group) {
        switch (decoder.layout()) {
            case HALVES -> {
                for (int j = 0; j < 8; j++) {
                    decoder.halves(a, group, j, zmm(j));
                }
            }
            case QUARTERS -> {
                for (int j = 0; j < 4; j++) {
                    decoder.quarters(a, group, j, zmm(j), zmm(4 + j));
                }
            }
        }
    }
}
