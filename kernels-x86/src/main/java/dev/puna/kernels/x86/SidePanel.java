package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R11;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Memory;

/**
 * Weights of sixteen rows, unpacked for {@link AmxTile}: what it reads of a group lies together.
 *
 * <p>Per group of 32 elements: {@code i8 [8][16][4]} (four consecutive elements of each row in a line), zero point taken
 * off; {@code f32 scale [32/scaledElements][16]}, and {@code f32 minimum} likewise where the format has minima.
 */
final class SidePanel {
    static final int W = Panel.W;
    static final int W_STRIDE = Panel.W_STRIDE;
    static final int BLOCKS = Panel.BLOCKS;
    static final int SIDE = Panel.WEIGHTS;

    private static final int LINE = 64;
    private static final Gp64 OUT = R11;

    /** The layout of a group. */
    record Shape(int scaledElements, boolean affine) {
        static Shape of(BlockDecoder decoder) {
            return new Shape(decoder.scaledElements(), decoder.affine());
        }

        int halves() {
            return QuantizedRows.BLOCK / scaledElements;
        }

        int scale(int half) {
            return (8 + half) * LINE;
        }

        int minimum(int half) {
            return (8 + halves() + half) * LINE;
        }

        int groupBytes() {
            return (8 + halves() * (affine ? 2 : 1)) * LINE;
        }
    }

    private SidePanel() {}

    /** Bytes of a side, groups that fill up included. */
    static long bytes(BlockDecoder decoder, long in) {
        return TokenTiles.groups(in, decoder.scaledElements())
                * Shape.of(decoder).groupBytes();
    }

    /** Bytes of a side that are unpacked weights. */
    static long filledBytes(BlockDecoder decoder, long in) {
        return in / QuantizedRows.BLOCK * Shape.of(decoder).groupBytes();
    }

    static Code code(BlockDecoder decoder) {
        Shape shape = Shape.of(decoder);
        return Panel.code(decoder, true, new Panel.Destination() {
            @Override
            public void begin(Assembler a) {
                a.mov(OUT, argument(SIDE));
            }

            @Override
            public Memory weights(int group, int four) {
                return Memory.at(OUT, group * shape.groupBytes() + four * LINE);
            }

            @Override
            public Memory scale(int group, int half) {
                return Memory.at(OUT, group * shape.groupBytes() + shape.scale(half));
            }

            @Override
            public Memory minimum(int group, int half) {
                return Memory.at(OUT, group * shape.groupBytes() + shape.minimum(half));
            }

            @Override
            public void advance(Assembler a) {
                a.add(OUT, (long) decoder.groups() * shape.groupBytes());
            }
        });
    }
}
