package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsProvider;
import dev.puna.tensor.ThreadTeam;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Machine code for processors with AVX2 and without AVX-512, assembled at run time. */
public final class Avx2KernelsProvider implements KernelsProvider {
    static final String NAME = "x86-avx2";

    static final Set<Feature> NEEDED = EnumSet.of(Feature.AVX, Feature.AVX2, Feature.FMA, Feature.F16C);

    /** For {@link java.util.ServiceLoader}. */
    public Avx2KernelsProvider() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 20;
    }

    @Override
    public Availability probe() {
        return X86KernelsProvider.availability(NEEDED, Avx2KernelsProvider::detail);
    }

    private static String detail(Processor processor) {
        String dots = processor.features().contains(Feature.AVXVNNI) ? " and int8 dot products" : "";
        return "AVX2 with FMA" + dots + ", the rest on the " + X86KernelsProvider.fallbackName() + " tier, on "
                + processor.brand();
    }

    @Override
    public Kernels create(ThreadTeam threads) {
        return new Avx2Kernels(X86KernelsProvider.fallback(threads), X86KernelsProvider.processor(this, NEEDED));
    }

    @Override
    public List<String> kernelNames() {
        return List.copyOf(Avx2Listings.KERNELS.keySet());
    }

    @Override
    public Optional<String> listing(String kernel) {
        return Optional.ofNullable(Avx2Listings.KERNELS.get(kernel))
                .map(code -> code.get().listing());
    }
}
