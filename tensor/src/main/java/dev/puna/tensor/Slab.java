package dev.puna.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One piece of zeroed off-heap memory for everything that lives equally long, handed out in slices until the slab is
 * closed. Slices begin on 64-byte boundaries. Closing is idempotent; a closed slab's tensors throw when touched.
 */
public final class Slab implements AutoCloseable {
    /** A cache line, and the width of an AVX-512 register. */
    public static final int ALIGNMENT = 64;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private long used;

    public Slab(long bytes) {
        this.memory = arena.allocate(Math.max(bytes, ALIGNMENT), ALIGNMENT);
    }

    /** Bytes that a tensor takes in a slab: its size rounded up to the alignment. */
    public static long bytesFor(DType dtype, long... dims) {
        return roundUp(dtype.byteSize(Shape.of(dims).elementCount()));
    }

    /** @throws IllegalStateException if the slab is too small: its owner has counted wrong */
    public Tensor allocate(DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        long bytes = dtype.byteSize(shape.elementCount());
        if (bytes > memory.byteSize() - used) {
            throw new IllegalStateException("slab of " + memory.byteSize() + " bytes has " + (memory.byteSize() - used)
                    + " left, " + dtype + " " + shape + " takes " + bytes);
        }
        Tensor tensor = new Tensor(memory.asSlice(used, bytes), dtype, shape);
        used += roundUp(bytes);
        return tensor;
    }

    public long byteSize() {
        return memory.byteSize();
    }

    /** All of it, whatever was handed out: for owners that reuse one piece of memory under many shapes. */
    public MemorySegment whole() {
        return memory;
    }

    private static long roundUp(long bytes) {
        return Math.addExact(bytes, ALIGNMENT - 1) & -ALIGNMENT;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
