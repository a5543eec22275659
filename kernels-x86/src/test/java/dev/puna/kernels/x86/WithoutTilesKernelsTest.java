package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.ThreadTeam;

/** The contract on the paths of a processor without tiles. */
class WithoutTilesKernelsTest extends X86KernelsTest {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new X86Kernels(new ReferenceKernels(threads), WithoutTilesTrainingContractTest.withoutTiles());
    }

    /** Only what is kept in bf16 is multiplied in bf16. */
    @Override
    protected double attentionTolerance(DType dtype) {
        return dtype == DType.BF16 ? super.attentionTolerance(dtype) : 0;
    }
}
