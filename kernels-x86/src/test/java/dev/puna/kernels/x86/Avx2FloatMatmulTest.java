package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.ThreadTeam;

/** The same on 256-bit registers. */
class Avx2FloatMatmulTest extends FloatMatmulTest {
    @Override
    Kernels create(ThreadTeam threads) {
        return new Avx2Kernels(new ReferenceKernels(threads), Avx2WithoutVnniKernelsTest.withoutVnni());
    }
}
