package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsContract;
import dev.puna.tensor.ThreadTeam;

class Avx2KernelsTest extends KernelsContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new Avx2KernelsProvider().create(threads);
    }
}
