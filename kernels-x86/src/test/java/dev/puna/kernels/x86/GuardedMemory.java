package dev.puna.kernels.x86;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Memory between two inaccessible pages, laid against one of them: a byte read or written outside ends the process.
 * What one call of {@link #reset} follows is used again after the next.
 */
@SuppressWarnings("restricted")
final class GuardedMemory implements AutoCloseable {
    /** On which side the memory touches an inaccessible page. */
    enum Side {
        BEFORE,
        AFTER
    }

    private static final long PAGE = 4096;
    private static final int PROT_NONE = 0;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle MMAP =
            bind("mmap", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MPROTECT =
            bind("mprotect", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MUNMAP = bind("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));

    private final MemorySegment[] regions;
    private final long usable;
    private int next;

    /**
     * @param regionCount how many pieces of memory exist at a time
     * @param largest bytes of the largest
     */
    GuardedMemory(int regionCount, long largest) {
        usable = (largest + PAGE - 1) / PAGE * PAGE;
        regions = new MemorySegment[regionCount];
        try {
            for (int i = 0; i < regionCount; i++) {
                long size = usable + 2 * PAGE;
                MemorySegment whole = (MemorySegment)
                        MMAP.invokeExact(MemorySegment.NULL, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
                if (whole.address() == -1) {
                    throw new IllegalStateException("mmap of " + size + " bytes failed");
                }
                regions[i] = whole.reinterpret(size);
                protect(regions[i].asSlice(0, PAGE));
                protect(regions[i].asSlice(PAGE + usable, PAGE));
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static void protect(MemorySegment page) throws Throwable {
        int status = (int) MPROTECT.invokeExact(page, page.byteSize(), PROT_NONE);
        if (status != 0) {
            throw new IllegalStateException("mprotect failed");
        }
    }

    /** All regions are free again. */
    void reset() {
        next = 0;
    }

    MemorySegment allocate(long bytes, Side side) {
        if (bytes > usable) {
            throw new IllegalArgumentException(bytes + " bytes in regions of " + usable);
        }
        MemorySegment region = regions[next++];
        return region.asSlice(side == Side.BEFORE ? PAGE : PAGE + usable - bytes, bytes);
    }

    Tensor tensor(DType dtype, Side side, long... dims) {
        Shape shape = Shape.of(dims);
        return new Tensor(allocate(dtype.byteSize(shape.elementCount()), side), dtype, shape);
    }

    @Override
    public void close() {
        try {
            for (MemorySegment region : regions) {
                int status = (int) MUNMAP.invokeExact(region, region.byteSize());
                if (status != 0) {
                    throw new IllegalStateException("munmap failed");
                }
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static MethodHandle bind(String name, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(LINKER.defaultLookup().find(name).orElseThrow(), descriptor);
    }
}
