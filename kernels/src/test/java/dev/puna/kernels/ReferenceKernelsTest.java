package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;

class ReferenceKernelsTest extends KernelsContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new ReferenceKernels(threads);
    }
}
