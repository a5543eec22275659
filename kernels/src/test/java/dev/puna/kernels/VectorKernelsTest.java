package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;

class VectorKernelsTest extends KernelsContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new VectorKernels(threads);
    }
}
