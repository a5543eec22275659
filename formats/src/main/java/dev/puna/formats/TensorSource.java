package dev.puna.formats;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.SequencedSet;

/**
 * Named tensors in one or more mapped files. The source owns the mapping: every tensor it lends is a view that dies
 * with {@link #close()}. Safe for use by several threads until then.
 */
public interface TensorSource extends AutoCloseable {
    /** The file or directory that was opened. */
    Path path();

    /** The names, in the order in which the tensors lie in the files. */
    SequencedSet<String> names();

    default boolean contains(String name) {
        return names().contains(name);
    }

    /**
     * Type, shape and size of a tensor without touching its bytes; also of types that Puna cannot compute with.
     *
     * @throws ConfigurationException if there is no such tensor
     */
    TensorDescription describe(String name);

    /**
     * The tensor: a view of the mapping, at whatever alignment the file gives; row-major, slowest dimension first. A
     * tensor that has to be put together from several pieces (Meta's model-parallel shards) is copied once into memory
     * of the source and kept until it is closed.
     *
     * @throws ConfigurationException if there is no such tensor, or its type is one that Puna does not know
     */
    Tensor tensor(String name);

    /**
     * As {@link #tensor(String)}, but memory for a tensor that has to be put together comes from {@code arena}: a
     * conversion gives each tensor an arena of its own, and never holds the whole model.
     */
    default Tensor tensor(String name, Arena arena) {
        return tensor(name);
    }

    /** Bytes of all tensors. */
    default long byteSize() {
        long bytes = 0;
        for (String name : names()) {
            bytes += describe(name).byteSize();
        }
        return bytes;
    }

    /** Unmaps the files; idempotent. */
    @Override
    void close();
}
