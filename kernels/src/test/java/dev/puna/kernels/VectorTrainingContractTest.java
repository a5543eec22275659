package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;

class VectorTrainingContractTest extends TrainingContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new VectorKernels(threads);
    }
}
