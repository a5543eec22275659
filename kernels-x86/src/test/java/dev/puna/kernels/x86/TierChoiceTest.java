package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsChoice;
import dev.puna.kernels.KernelsChoice.Candidate;
import dev.puna.kernels.KernelsProvider.Availability;
import dev.puna.kernels.KernelsProvider.Availability.Refused;
import dev.puna.tensor.ThreadTeam;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class TierChoiceTest {
    @Test
    void bothTiersAreFoundTheLargerRegistersFirst() {
        assertThat(KernelsChoice.onThisMachine("reference").considered())
                .extracting(Candidate::name)
                .containsSubsequence("x86", "x86-avx2", "vector", "reference");
    }

    @Test
    void aNameChoosesTheTier() {
        try (ThreadTeam team = new ThreadTeam("choice", 1);
                Kernels kernels = Kernels.open("x86-avx2", team)) {
            assertThat(kernels.tier()).isEqualTo("x86-avx2");
        }
    }

    @Test
    void withoutAvx512ThatOfAvx2Serves() {
        Candidate wide = new Candidate(new X86KernelsProvider(), new Refused("the processor lacks [AVX512F]"));
        Avx2KernelsProvider avx2 = new Avx2KernelsProvider();
        KernelsChoice choice = KernelsChoice.choose("auto", List.of(new Candidate(avx2, avx2.probe()), wide));
        assertThat(choice.chosen().name()).isEqualTo("x86-avx2");
        assertThat(choice.reasons().getLast()).contains("x86-avx2: chosen, AVX2", "the rest on the ");
    }

    @Test
    void whatTheProcessorLacksIsTheReason() {
        EnumSet<Feature> missing = EnumSet.allOf(Feature.class);
        missing.removeAll(((Processor) Processor.detect()).features());
        for (Feature feature : missing) {
            Availability availability = X86KernelsProvider.availability(EnumSet.of(feature), Processor::brand);
            assertThat(availability).isEqualTo(new Refused("the processor lacks [" + feature + "]"));
        }
        assertThat(Avx2KernelsProvider.NEEDED).contains(Feature.AVX2, Feature.FMA, Feature.F16C);
    }
}
