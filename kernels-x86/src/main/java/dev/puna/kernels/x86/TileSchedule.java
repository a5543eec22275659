package dev.puna.kernels.x86;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The order in which {@link AmxTile} goes through some tiles of tokens and some sides of weights: units of sixteen
 * tokens, a side and a block of groups, so few that the tokens stay in the first cache while all sides pass, and a side
 * while the tokens do.
 *
 * <pre>
 * for each block of groups, for each side, for each tile of tokens: a unit
 * </pre>
 *
 * A unit is five numbers: where its tokens, its side and its results begin, as offsets, how many times four products it
 * has, and whether an earlier unit has left sums. After the last unit come the places of one more, where products are
 * ordered that nobody uses.
 */
final class TileSchedule {
    static final int X = 0;
    static final int SIDE = 8;
    static final int Y = 16;
    static final int FOURS = 24;
    static final int RESUMES = 32;
    static final int ENDS = 40;
    static final int SUMS = 48;
    static final int UNIT_BYTES = 56;

    private static final int SUM_BYTES = TokenTiles.TOKENS * SixteenRows.ROWS * Float.BYTES;

    /** Tiles of tokens that one schedule takes together. */
    static final int TILES = 3;

    /** Groups of a block: three tiles of them and a side are 20 KiB. */
    private static final int GROUPS = 8;

    /**
     * @param tiles tiles of tokens
     * @param sides sides of weights
     * @param in elements of a row
     * @param yStride bytes from row to row of the results
     */
    record Shape(int tiles, int sides, long in, int scaledElements, boolean affine, long yStride) {
        long blocks() {
            return (groups() + GROUPS - 1) / GROUPS;
        }

        private long groups() {
            return TokenTiles.groups(in, scaledElements);
        }

        int units() {
            return Math.toIntExact(blocks() * tiles * sides);
        }
    }

    private TileSchedule() {}

    /** Bytes for the sums of units that others go on with. */
    static long sumBytes(int sides) {
        return (long) TILES * sides * SUM_BYTES;
    }

    static MemorySegment of(Shape shape, Arena arena) {
        SidePanel.Shape panel = new SidePanel.Shape(shape.scaledElements, shape.affine);
        long tokenBytes = TokenTiles.groupBytes(shape.scaledElements);
        long groups = shape.groups();
        MemorySegment units = arena.allocate((long) (shape.units() + 1) * UNIT_BYTES, 64);
        long at = 0;
        for (long block = 0; block < shape.blocks(); block++) {
            long first = block * GROUPS;
            long count = Math.min(GROUPS, groups - first);
            for (int side = 0; side < shape.sides; side++) {
                for (int tile = 0; tile < shape.tiles; tile++) {
                    units.set(JAVA_LONG, at + X, (tile * groups + first) * tokenBytes);
                    units.set(JAVA_LONG, at + SIDE, (side * groups + first) * panel.groupBytes());
                    units.set(
                            JAVA_LONG,
                            at + Y,
                            (long) tile * TokenTiles.TOKENS * shape.yStride
                                    + (long) side * SixteenRows.ROWS * Float.BYTES);
                    units.set(JAVA_LONG, at + FOURS, count * panel.halves() / AmxTile.RESULTS);
                    units.set(JAVA_LONG, at + RESUMES, block == 0 ? 0 : 1);
                    units.set(JAVA_LONG, at + ENDS, block == shape.blocks() - 1 ? 1 : 0);
                    units.set(JAVA_LONG, at + SUMS, (long) (side * shape.tiles + tile) * SUM_BYTES);
                    at += UNIT_BYTES;
                }
            }
        }
        return units;
    }
}
