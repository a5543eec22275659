package dev.puna.model;

import dev.puna.kernels.RopeTable;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * The cosines and sines of a model, computed as far as positions are used. An angle is the fp32 product of position and
 * frequency, as in every trained checkpoint: at position 131,071 it is off by up to 0.004 rad, and a better angle would
 * be another model.
 */
final class RopeAngles implements AutoCloseable {
    private static final int FIRST_POSITIONS = 512;

    private final float[] frequencies;
    private final int headSize;
    private final int limit;
    private Slab slab = new Slab(0);
    private RopeTable table;

    RopeAngles(LlamaConfig config) {
        this.headSize = config.headSize();
        this.limit = config.contextLength();
        this.frequencies = config.ropeScaling().frequencies(config.ropeBase(), headSize);
        this.table = allocate(slab, 0);
    }

    /** A table of at least {@code positions}; the one before is then closed. */
    RopeTable upTo(int positions) {
        int known = Math.toIntExact(table.positions());
        if (positions <= known) {
            return table;
        }
        int grown = Math.max(positions, Math.min(limit, Math.max(2 * known, FIRST_POSITIONS)));
        Slab larger = new Slab(2 * Slab.bytesFor(DType.F32, grown, headSize / 2));
        RopeTable next = allocate(larger, grown);
        MemorySegment.copy(
                table.cos().data(), 0, next.cos().data(), 0, table.cos().data().byteSize());
        MemorySegment.copy(
                table.sin().data(), 0, next.sin().data(), 0, table.sin().data().byteSize());
        long index = (long) known * frequencies.length;
        for (int position = known; position < grown; position++) {
            for (float frequency : frequencies) {
                float angle = position * frequency;
                next.cos().setFloat(index, (float) Math.cos(angle));
                next.sin().setFloat(index, (float) Math.sin(angle));
                index++;
            }
        }
        slab.close();
        slab = larger;
        table = next;
        return table;
    }

    private RopeTable allocate(Slab memory, int positions) {
        Tensor cos = memory.allocate(DType.F32, positions, headSize / 2);
        Tensor sin = memory.allocate(DType.F32, positions, headSize / 2);
        return new RopeTable(cos, sin, headSize);
    }

    @Override
    public void close() {
        slab.close();
    }
}
