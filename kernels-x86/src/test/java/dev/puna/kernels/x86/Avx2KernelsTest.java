package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsContract;
import dev.puna.tensor.DType;
import dev.puna.tensor.ThreadTeam;

class Avx2KernelsTest extends KernelsContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new Avx2KernelsProvider().create(threads);
    }

    /** Quantized weights meet activations of eight bits: half a step of 1/127 of the largest of 32. */
    @Override
    protected double matmulTolerance(DType dtype, int in) {
        return super.matmulTolerance(dtype, in) + (dtype.isQuantized() ? 8 * 0.51 / 127 : 0);
    }
}
