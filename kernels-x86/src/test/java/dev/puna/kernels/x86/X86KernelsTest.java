package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsContract;
import dev.puna.tensor.DType;
import dev.puna.tensor.ThreadTeam;

class X86KernelsTest extends KernelsContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new X86KernelsProvider().create(threads);
    }

    /** Quantized weights meet activations of eight bits: half a step of 1/127 of the largest of 32. */
    @Override
    protected double matmulTolerance(DType dtype, int in) {
        return super.matmulTolerance(dtype, in) + (dtype.isQuantized() ? 8 * 0.51 / 127 : 0);
    }

    /** Factors of 8 bits for what is kept in bf16; where tiles multiply, of 16 for F16 and Q8_0. */
    @Override
    protected double attentionTolerance(DType dtype) {
        return switch (dtype) {
            case BF16 -> 0x1p-8;
            case F16, Q8_0 -> 0x1p-15;
            default -> 0;
        };
    }
}
