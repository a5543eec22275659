package dev.puna.formats;

import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;

/**
 * A tensor on its way into a file: its description at once, because every format puts descriptions before data, and its
 * bytes when the writer asks for them. A writer asks each tensor exactly once and one after the other, so a model that
 * does not fit into memory can be converted tensor by tensor.
 *
 * @param name the name in the file
 * @param dtype the type in the file
 * @param shape slowest dimension first
 * @param producer gives exactly {@code dtype.byteSize(shape.elementCount())} little-endian bytes
 */
public record OutgoingTensor(String name, DType dtype, Shape shape, Producer producer) {
    /** Gives a tensor's bytes to a writer. */
    @FunctionalInterface
    public interface Producer {
        void produce(ByteSink sink) throws IOException;
    }

    public OutgoingTensor {
        if (name.isEmpty()) {
            throw new IllegalArgumentException("a tensor needs a name");
        }
        if (shape.columns() % dtype.blockSize() != 0) {
            throw new IllegalArgumentException("tensor \"" + name + "\": " + dtype + " rows come in blocks of "
                    + dtype.blockSize() + " elements: shape " + shape);
        }
    }

    /** A tensor that is in memory already. */
    public static OutgoingTensor of(String name, Tensor tensor) {
        return new OutgoingTensor(name, tensor.dtype(), tensor.shape(), sink -> sink.accept(tensor.data()));
    }

    /** The tensor {@code name} of {@code source}, unchanged, under the same name. */
    public static OutgoingTensor of(TensorSource source, String name) {
        TensorDescription description = source.describe(name);
        return new OutgoingTensor(name, description.requireDType(), description.shape(), sink -> {
            try (Arena arena = Arena.ofConfined()) {
                sink.accept(source.tensor(name, arena).data());
            }
        });
    }

    public long byteSize() {
        return dtype.byteSize(shape.elementCount());
    }
}
