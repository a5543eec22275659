package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.assembler.Refusal;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsProvider;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.kernels.VectorKernelsProvider;
import dev.puna.tensor.ThreadTeam;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** Machine code for processors with AVX-512 and its int8 dot product, assembled at run time. */
public final class X86KernelsProvider implements KernelsProvider {
    static final Set<Feature> NEEDED = EnumSet.of(
            Feature.AVX512F,
            Feature.AVX512VL,
            Feature.AVX512BW,
            Feature.AVX512DQ,
            Feature.AVX512VNNI,
            Feature.FMA,
            Feature.F16C,
            Feature.BMI2);

    /** For {@link java.util.ServiceLoader}. */
    public X86KernelsProvider() {}

    @Override
    public String name() {
        return "x86";
    }

    @Override
    public int preference() {
        return 30;
    }

    @Override
    public Availability probe() {
        return availability(NEEDED, processor -> "AVX-512 with int8 dot products on " + processor.brand());
    }

    /** Whether generated code that needs these features can run here; {@code detail} says with what. */
    static Availability availability(Set<Feature> needed, Function<Processor, String> detail) {
        return switch (Processor.detect()) {
            case Refusal refusal -> new Availability.Refused(refusal.reason());
            case Processor processor
            when !processor.missing(needed).isEmpty() ->
                new Availability.Refused("the processor lacks " + processor.missing(needed));
            case Processor processor ->
                ArgumentBlock.mayCall()
                        ? new Availability.Available(detail.apply(processor))
                        : new Availability.Refused("native access is denied to the kernels; start Java with"
                                + " --enable-native-access=dev.puna.assembler,dev.puna.kernels.x86");
        };
    }

    @Override
    public Kernels create(ThreadTeam threads) {
        return new X86Kernels(fallback(threads), processor(this, NEEDED));
    }

    /** The processor at hand, which has these features. */
    static Processor processor(KernelsProvider provider, Set<Feature> needed) {
        if (Processor.detect() instanceof Processor processor
                && processor.missing(needed).isEmpty()) {
            return processor;
        }
        throw new IllegalStateException(provider.name() + " kernels: " + provider.probe());
    }

    /** The tier that {@link #fallback} makes. */
    static String fallbackName() {
        return new VectorKernelsProvider().probe() instanceof Availability.Available ? "vector" : "reference";
    }

    /** What computes the operations that have no generated code. */
    static Kernels fallback(ThreadTeam threads) {
        VectorKernelsProvider vector = new VectorKernelsProvider();
        return switch (vector.probe()) {
            case Availability.Available _ -> vector.create(threads);
            case Availability.Refused _ -> new ReferenceKernels(threads);
        };
    }

    @Override
    public List<String> kernelNames() {
        return List.copyOf(Listings.KERNELS.keySet());
    }

    @Override
    public Optional<String> listing(String kernel) {
        return Optional.ofNullable(Listings.KERNELS.get(kernel))
                .map(code -> code.get().listing());
    }
}
