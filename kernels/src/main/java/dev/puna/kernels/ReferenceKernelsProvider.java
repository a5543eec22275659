package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;

/** The plain tier: serves everywhere, and is asked last. */
public final class ReferenceKernelsProvider implements KernelsProvider {
    /** For {@link java.util.ServiceLoader}. */
    public ReferenceKernelsProvider() {}

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public int preference() {
        return 0;
    }

    @Override
    public Availability probe() {
        return new Availability.Available("plain Java, sums in double precision: the truth, not fast");
    }

    @Override
    public Kernels create(ThreadTeam threads) {
        return new ReferenceKernels(threads);
    }
}
