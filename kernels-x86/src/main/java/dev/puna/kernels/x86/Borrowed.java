package dev.puna.kernels.x86;

import dev.puna.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Tensors that machine code can reach. Those on the Java heap, which only tests and small tables are, are copied to
 * native memory for the duration of a call, and results back.
 */
final class Borrowed implements AutoCloseable {
    private record Copy(Tensor from, Tensor to) {}

    private final List<Copy> outputs = new ArrayList<>(0);
    private @Nullable Arena arena;

    Tensor input(Tensor tensor) {
        if (tensor.data().isNative()) {
            return tensor;
        }
        Tensor copy = allocate(tensor);
        MemorySegment.copy(tensor.data(), 0, copy.data(), 0, tensor.data().byteSize());
        return copy;
    }

    /** A tensor to write, which may also be read. */
    Tensor output(Tensor tensor) {
        Tensor reachable = input(tensor);
        if (!tensor.data().isNative()) {
            outputs.add(new Copy(reachable, tensor));
        }
        return reachable;
    }

    private Tensor allocate(Tensor like) {
        if (arena == null) {
            arena = Arena.ofShared();
        }
        return new Tensor(
                arena.allocate(Math.max(like.data().byteSize(), 1), 64)
                        .asSlice(0, like.data().byteSize()),
                like.dtype(),
                like.shape());
    }

    @Override
    public void close() {
        for (Copy copy : outputs) {
            MemorySegment.copy(
                    copy.from.data(), 0, copy.to.data(), 0, copy.to.data().byteSize());
        }
        if (arena != null) {
            arena.close();
        }
    }
}
