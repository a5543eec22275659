package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;

/** The Vector API tier: any processor that the JDK's compiler knows vectors of. */
public final class VectorKernelsProvider implements KernelsProvider {
    private static final String MODULE = "jdk.incubator.vector";

    /** For {@link java.util.ServiceLoader}. */
    public VectorKernelsProvider() {}

    @Override
    public String name() {
        return "vector";
    }

    @Override
    public int preference() {
        return 10;
    }

    @Override
    public Availability probe() {
        if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
            return new Availability.Refused(
                    "the module " + MODULE + " is not there: start with --add-modules " + MODULE);
        }
        return VectorKernels.probe();
    }

    @Override
    public Kernels create(ThreadTeam threads) {
        if (probe() instanceof Availability.Refused(String reason)) {
            throw new IllegalStateException("vector kernels: " + reason);
        }
        return new VectorKernels(threads);
    }
}
