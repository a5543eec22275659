package dev.puna.kernels.x86;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.TrainingContract;
import dev.puna.tensor.ThreadTeam;

class Avx2TrainingContractTest extends TrainingContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new Avx2KernelsProvider().create(threads);
    }
}
