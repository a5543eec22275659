package dev.puna.formats;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Where a writer takes the bytes of a tensor from its producer, in row-major order, in pieces of any size. */
@FunctionalInterface
public interface ByteSink {
    /** Takes all bytes of {@code piece}; the piece may be reused when this returns. */
    void accept(MemorySegment piece) throws IOException;
}
