package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.tensor.ThreadTeam;

/** The same with AVX2 and, where the processor has them, its int8 dot products. */
class Avx2VnniGuardedKernelsTest extends GuardedKernelsTest {
    @Override
    Kernels create(ThreadTeam threads) {
        return new Avx2KernelsProvider().create(threads);
    }
}
