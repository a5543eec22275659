package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;
import java.util.List;
import java.util.Optional;

/**
 * A tier of kernels that is found at run time by {@link java.util.ServiceLoader}. Whether it can serve here is a value
 * with a reason, never an exception.
 */
public interface KernelsProvider {
    /** The name on the command line: {@code x86}, {@code x86-avx2}, {@code vector}, {@code reference}. */
    String name();

    /** Larger is preferred by {@code auto}. Reference 0, vector 10, x86-avx2 20, x86 30. */
    int preference();

    Availability probe();

    /** @throws IllegalStateException when {@link #probe} refuses */
    Kernels create(ThreadTeam threads);

    /** Names of the kernels whose instructions {@link #listing} shows; none where a compiler makes them. */
    default List<String> kernelNames() {
        return List.of();
    }

    /** The instructions of a kernel for human eyes, or empty if there is none of that name. Needs no such processor. */
    default Optional<String> listing(String kernel) {
        return Optional.empty();
    }

    /** Whether a tier can serve on this machine. */
    sealed interface Availability {
        /** It can; {@code detail} says with what, e.g. {@code "AVX-512 BF16, VNNI"}. */
        record Available(String detail) implements Availability {}

        /** It cannot, because of {@code reason}. */
        record Refused(String reason) implements Availability {}
    }
}
