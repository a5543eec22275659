package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;

class ReferenceTrainingContractTest extends TrainingContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new ReferenceKernels(threads);
    }
}
