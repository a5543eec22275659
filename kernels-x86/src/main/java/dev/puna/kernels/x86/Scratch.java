package dev.puna.kernels.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Native memory of one user that grows to the largest size asked for; what it held is lost when it grows. */
final class Scratch implements AutoCloseable {
    private static final int PAGE = 4096;

    private Arena arena = Arena.ofShared();
    private MemorySegment memory = MemorySegment.NULL;

    /** The address of at least {@code bytes} bytes, aligned to a page, valid until the next call. */
    long address(long bytes) {
        return memory(bytes).address();
    }

    /** The same as memory of at least that size. */
    MemorySegment memory(long bytes) {
        if (memory.byteSize() < bytes) {
            arena.close();
            arena = Arena.ofShared();
            memory = arena.allocate(bytes + bytes / 4 + PAGE, PAGE);
        }
        return memory;
    }

    /** What lies at an address that was made from {@link #address}'s. */
    MemorySegment at(long address, long bytes) {
        return memory.asSlice(address - memory.address(), bytes);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
        memory = MemorySegment.NULL;
    }
}
