package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.kernels.TrainingContract;
import dev.puna.tensor.ThreadTeam;
import java.util.EnumSet;
import java.util.Set;

/** What a processor with bf16 dot products and no tiles runs, as Zen 4 and 5 do. */
class WithoutTilesTrainingContractTest extends TrainingContract {
    @Override
    protected Kernels create(ThreadTeam threads) {
        return new X86Kernels(new ReferenceKernels(threads), withoutTiles());
    }

    /** This processor, as if it had no tiles. */
    static Processor withoutTiles() {
        Processor here = (Processor) Processor.detect();
        Set<Feature> features = EnumSet.copyOf(here.features());
        features.removeAll(EnumSet.of(Feature.AMXTILE, Feature.AMXBF16, Feature.AMXINT8));
        return new Processor(here.vendor(), here.brand(), features, here.caches());
    }
}
