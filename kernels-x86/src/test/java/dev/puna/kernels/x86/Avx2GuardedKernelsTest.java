package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.ThreadTeam;

/** The same with AVX2 alone. */
class Avx2GuardedKernelsTest extends GuardedKernelsTest {
    @Override
    Kernels create(ThreadTeam threads) {
        return new Avx2Kernels(new ReferenceKernels(threads), Avx2WithoutVnniKernelsTest.withoutVnni());
    }
}
