package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Weights of sixteen rows, unpacked once for a whole batch: bytes in the order in which {@link Avx2Tile} reads them, and
 * fp32 scales and minima. Two eights of rows lie side by side.
 *
 * <p>Per group of 32 elements: {@code u8 [8][2][8][4]} (four consecutive elements of 8 rows fill a register);
 * {@code f32 scale [32/scaledElements][2][8]}, {@code f32 minimum} likewise.
 */
final class Avx2Panel {
    static final int ROWS = 2 * Avx2Rows.ROWS;

    /** Bytes of one side's register. */
    static final int SIDE = 32;

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

    private Avx2Panel() {}

    /** Bytes of scales (or of minima) per group. */
    static int scaleBytes(Avx2Decoder decoder) {
        return decoder.halves() * ROWS * Float.BYTES;
    }

    static long weightBytes(long in) {
        return in / 32 * GROUP_BYTES;
    }

    static long scalesBytes(Avx2Decoder decoder, long in) {
        return in / 32 * scaleBytes(decoder);
    }

    /** Bytes of a whole panel: weights, scales, minima. */
    static long bytes(Avx2Decoder decoder, long in) {
        return weightBytes(in) + scalesBytes(decoder, in) * (decoder.affine() ? 2 : 1);
    }

    /** Unpacks eight rows into one side of a panel; the pointers already point to that side. */
    static Code code(Avx2Decoder decoder) {
        int groups = decoder.groups();
        int blockBytes = decoder.dtype().bytesPerBlock();
        return Leaf.of(a -> {
            Label block = a.label("block");
            a.mov(Avx2Rows.STRIDE, argument(W_STRIDE));
            Avx2Rows.prepare(a);
            decoder.prepare(a);
            a.mov(Avx2Rows.FIRST, argument(W));
            a.mov(WEIGHTS_OUT, argument(WEIGHTS));
            a.mov(SCALES_OUT, argument(SCALES));
            a.mov(MINIMA_OUT, argument(MINIMA));
            a.mov(BLOCK_COUNT, argument(BLOCKS));
            a.align(32);
            a.bind(block);
            decoder.scales(a, SCALES_OUT, MINIMA_OUT, 2 * SIDE);
            for (int group = 0; group < groups; group++) {
                a.comment("group " + group);
                for (int row = 0; row < Avx2Rows.ROWS; row++) {
                    decoder.weights(a, group, row, ymm(row));
                }
                Vec[] fours = Transposition.emit(a, SIDE);
                for (int i = 0; i < fours.length; i++) {
                    a.vmovups(Memory.at(WEIGHTS_OUT, group * GROUP_BYTES + i * 2 * SIDE), fours[i]);
                }
            }
            a.add(Avx2Rows.FIRST, blockBytes);
            a.add(WEIGHTS_OUT, (long) groups * GROUP_BYTES);
            a.add(SCALES_OUT, (long) groups * scaleBytes(decoder));
            a.add(MINIMA_OUT, (long) groups * scaleBytes(decoder));
            a.dec(BLOCK_COUNT);
            a.jne(block);
        });
    }
}
