package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Weights as {@link VectorTiles} reads them: some rows of one slice, decoded once for a whole batch and turned over, so
 * that weight rows lie in the lanes. {@code [panel][chain][step][WIDTH]}. One instance per thread; it owns the scratch.
 */
final class VectorPanels {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final int CHAINS = VectorTiles.CHAINS;
    private static final int WIDTH = VectorTiles.WIDTH;

    /** Weight rows decoded together. */
    static final int ROWS = 128;

    /** Elements decoded at a time: a whole number of blocks of every DType. */
    private static final int PIECE = 256;

    /** Floats beyond a power of two, which keep rows out of each other's cache sets. */
    static final int PAD = 16;

    private static final int ROW = PIECE + PAD;

    private static final int FAR = LANES / 2;
    private static final int NEAR = LANES / 4;
    private static final VectorShuffle<Float> SWAP_FAR = swap(FAR);
    private static final VectorShuffle<Float> SWAP_NEAR = swap(NEAR);
    private static final VectorShuffle<Float> SWAP_2 = swap(2);
    private static final VectorShuffle<Float> SWAP_1 = swap(1);
    private static final VectorMask<Float> HAS_FAR = lanesWith(FAR);
    private static final VectorMask<Float> HAS_NEAR = lanesWith(NEAR);
    private static final VectorMask<Float> HAS_2 = lanesWith(2);
    private static final VectorMask<Float> HAS_1 = lanesWith(1);

    private final float[] rows = new float[LANES * ROW];
    private final short[] halves = new short[PIECE];
    private float[] panels = new float[0];
    private int steps;

    private static VectorShuffle<Float> swap(int bit) {
        return VectorShuffle.fromOp(F, lane -> (lane ^ bit) % LANES);
    }

    private static VectorMask<Float> lanesWith(int bit) {
        boolean[] lanes = new boolean[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            lanes[lane] = (lane & bit) != 0;
        }
        return VectorMask.fromArray(F, lanes, 0);
    }

    float[] floats() {
        return panels;
    }

    /** Elements of each chain, after {@link #load}. */
    int steps() {
        return steps;
    }

    /** Where a chain of a panel begins in {@link #floats}. */
    int at(int panel, int chain) {
        return (panel * CHAINS + chain) * (steps * WIDTH + PAD);
    }

    /**
     * Decodes a slice of some rows.
     *
     * @param first row
     * @param count rows, at most {@link #ROWS}; panels are filled up with zeros
     * @param from first element, the beginning of a slice
     * @param length elements
     */
    void load(Tensor w, long first, int count, int from, int length) {
        steps = (length + CHAINS - 1) / CHAINS;
        int panelCount = (count + WIDTH - 1) / WIDTH;
        if (panels.length < at(panelCount, 0)) {
            panels = new float[at(ROWS / WIDTH, 0)];
        }
        DType dtype = w.dtype();
        long rowBytes = w.rowBytes();
        for (int row = 0; row < panelCount * WIDTH; row += LANES) {
            for (int k = 0; k < length; k += PIECE) {
                int here = Math.min(PIECE, length - k);
                int padded = (here + CHAINS - 1) / CHAINS * CHAINS;
                for (int i = 0; i < LANES; i++) {
                    int filled = row + i < count ? here : 0;
                    if (filled > 0) {
                        long offset = (first + row + i) * rowBytes + dtype.byteSize(from + k);
                        VectorUnpack.unpack(dtype, w.data(), offset, filled, rows, i * ROW, halves);
                    }
                    Arrays.fill(rows, i * ROW + filled, i * ROW + padded, 0);
                }
                int to = at(row / WIDTH, 0) + k / CHAINS * WIDTH + row % WIDTH;
                for (int step = 0; step < padded / CHAINS; step++) {
                    for (int chain = 0; chain < CHAINS; chain += LANES) {
                        transpose(
                                rows,
                                step * CHAINS + chain,
                                panels,
                                to + chain * (steps * WIDTH + PAD) + step * WIDTH,
                                steps * WIDTH + PAD);
                    }
                }
            }
        }
    }

    /** LANES rows of LANES floats become columns; {@code from} is used up. */
    private static void transpose(float[] from, int at, float[] to, int toAt, int toRow) {
        if (LANES == 4) {
            outer(from, at, ROW, to, toAt, toRow);
            return;
        }
        for (int i = 0; i < NEAR; i++) {
            outer(from, at + i * ROW, NEAR * ROW, from, at + i * ROW, NEAR * ROW);
        }
        if (LANES == 8) {
            for (int i = 0; i < 8; i += 2) {
                pair(from, at + i * ROW, to, toAt + i * toRow, toRow);
            }
        } else {
            for (int i = 0; i < LANES; i += 4) {
                inner(from, at + i * ROW, to, toAt + i * toRow, toRow);
            }
        }
    }

    /** Four rows exchange what is FAR and NEAR from the diagonal. */
    private static void outer(float[] from, int at, int row, float[] to, int toAt, int toRow) {
        var a = FloatVector.fromArray(F, from, at);
        var b = FloatVector.fromArray(F, from, at + row);
        var c = FloatVector.fromArray(F, from, at + 2 * row);
        var d = FloatVector.fromArray(F, from, at + 3 * row);
        var e = a.blend(c.rearrange(SWAP_FAR), HAS_FAR);
        var g = a.rearrange(SWAP_FAR).blend(c, HAS_FAR);
        var f = b.blend(d.rearrange(SWAP_FAR), HAS_FAR);
        var h = b.rearrange(SWAP_FAR).blend(d, HAS_FAR);
        e.blend(f.rearrange(SWAP_NEAR), HAS_NEAR).intoArray(to, toAt);
        e.rearrange(SWAP_NEAR).blend(f, HAS_NEAR).intoArray(to, toAt + toRow);
        g.blend(h.rearrange(SWAP_NEAR), HAS_NEAR).intoArray(to, toAt + 2 * toRow);
        g.rearrange(SWAP_NEAR).blend(h, HAS_NEAR).intoArray(to, toAt + 3 * toRow);
    }

    /** Four rows exchange what is 2 and 1 from the diagonal. */
    private static void inner(float[] from, int at, float[] to, int toAt, int toRow) {
        var a = FloatVector.fromArray(F, from, at);
        var b = FloatVector.fromArray(F, from, at + ROW);
        var c = FloatVector.fromArray(F, from, at + 2 * ROW);
        var d = FloatVector.fromArray(F, from, at + 3 * ROW);
        var e = a.blend(c.rearrange(SWAP_2), HAS_2);
        var g = a.rearrange(SWAP_2).blend(c, HAS_2);
        var f = b.blend(d.rearrange(SWAP_2), HAS_2);
        var h = b.rearrange(SWAP_2).blend(d, HAS_2);
        e.blend(f.rearrange(SWAP_1), HAS_1).intoArray(to, toAt);
        e.rearrange(SWAP_1).blend(f, HAS_1).intoArray(to, toAt + toRow);
        g.blend(h.rearrange(SWAP_1), HAS_1).intoArray(to, toAt + 2 * toRow);
        g.rearrange(SWAP_1).blend(h, HAS_1).intoArray(to, toAt + 3 * toRow);
    }

    /** Two rows exchange what is 1 from the diagonal. */
    private static void pair(float[] from, int at, float[] to, int toAt, int toRow) {
        var a = FloatVector.fromArray(F, from, at);
        var b = FloatVector.fromArray(F, from, at + ROW);
        a.blend(b.rearrange(SWAP_1), HAS_1).intoArray(to, toAt);
        a.rearrange(SWAP_1).blend(b, HAS_1).intoArray(to, toAt + toRow);
    }

    // ---- the rows that meet them

    /** Groups of {@link VectorTiles#ROWS} rows. */
    static int groups(long rows) {
        return Math.toIntExact((rows + VectorTiles.ROWS - 1) / VectorTiles.ROWS);
    }

    /** Floats that the rows of x take when packed. */
    static int packedLength(int groups, int in) {
        int slices = (in + VectorTiles.SLICE - 1) / VectorTiles.SLICE;
        return Math.multiplyExact(slices, sliceLength(groups));
    }

    private static int sliceLength(int groups) {
        return Math.multiplyExact(CHAINS, chainLength(groups, VectorTiles.SLICE / CHAINS));
    }

    private static int chainLength(int groups, int steps) {
        return Math.addExact(Math.multiplyExact(groups, steps * VectorTiles.ROWS), PAD);
    }

    /** Where the steps of a group begin: {@code [slice][chain][group][step][ROWS]}. */
    static int packedAt(int groups, int slice, int steps, int chain, int group) {
        return slice * sliceLength(groups) + chain * chainLength(groups, steps) + group * steps * VectorTiles.ROWS;
    }

    /** Packs one group of rows of x, with zeros up to whole steps and whole groups; {@code scratch} is for these rows. */
    static void pack(Tensor x, int group, int groups, float[] scratch, float[] packed) {
        int in = (int) x.columns();
        int first = group * VectorTiles.ROWS;
        int count = (int) Math.min(VectorTiles.ROWS, x.rows() - first);
        for (int from = 0; from < in; from += VectorTiles.SLICE) {
            int length = Math.min(VectorTiles.SLICE, in - from);
            int steps = (length + CHAINS - 1) / CHAINS;
            for (int r = 0; r < VectorTiles.ROWS; r++) {
                int at = r * (VectorTiles.SLICE + PAD);
                int filled = r < count ? length : 0;
                if (filled > 0) {
                    long offset = ((long) (first + r) * in + from) * Float.BYTES;
                    MemorySegment.copy(x.data(), F32_LE, offset, scratch, at, filled);
                }
                Arrays.fill(scratch, at + filled, at + steps * CHAINS, 0);
            }
            int slice = from / VectorTiles.SLICE;
            int to = packedAt(groups, slice, steps, 0, group);
            int chainStride = chainLength(groups, steps);
            for (int step = 0; step < steps; step++) {
                interleave(scratch, step * CHAINS, packed, to + step * VectorTiles.ROWS, chainStride);
            }
        }
    }

    /** Floats of scratch for {@link #pack}. */
    static int packScratch() {
        return VectorTiles.ROWS * (VectorTiles.SLICE + PAD);
    }

    private static void interleave(float[] rows, int at, float[] packed, int to, int chainStride) {
        for (int chain = 0; chain < CHAINS; chain++) {
            for (int r = 0; r < VectorTiles.ROWS; r++) {
                packed[to + chain * chainStride + r] = rows[at + chain + r * (VectorTiles.SLICE + PAD)];
            }
        }
    }
}
