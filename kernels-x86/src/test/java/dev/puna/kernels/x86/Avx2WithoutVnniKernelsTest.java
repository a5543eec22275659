package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.ThreadTeam;
import java.util.EnumSet;
import java.util.Set;

/** The contract on the paths of a processor without int8 dot products, such as Haswell and Zen 2. */
class Avx2WithoutVnniKernelsTest extends Avx2KernelsTest {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new Avx2Kernels(new ReferenceKernels(threads), withoutVnni());
    }

    /** This processor, as if it had nothing beyond AVX2. */
    static Processor withoutVnni() {
        Processor here = (Processor) Processor.detect();
        Set<Feature> features = EnumSet.copyOf(Avx2KernelsProvider.NEEDED);
        return new Processor(here.vendor(), here.brand(), features, here.caches());
    }
}
