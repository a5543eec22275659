package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.assembler.Feature;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ListingsTest {
    @Test
    void everyKernelReadsAsInstructions() {
        X86KernelsProvider provider = new X86KernelsProvider();
        assertThat(provider.kernelNames())
                .contains("attention-scores", "swiglu", "vector-product-q8_0", "rope-interleaved");
        for (String name : provider.kernelNames()) {
            assertThat(provider.listing(name).orElseThrow()).as(name).contains("ret");
        }
        assertThat(provider.listing("attention-scores").orElseThrow()).contains("vfmadd231ps zmm15");
        assertThat(provider.listing("no such kernel")).isEmpty();
    }

    /** The provider's probe promises that the processor has all that the kernels use. */
    @Test
    void noKernelNeedsMoreThanTheProbeAsksFor() {
        Set<Feature> base = EnumSet.of(Feature.BASE, Feature.AVX, Feature.AVX2, Feature.BMI1, Feature.POPCNT);
        for (var kernel : Listings.KERNELS.entrySet()) {
            Set<Feature> needed = kernel.getValue().get().features();
            needed.removeAll(base);
            if (kernel.getKey().startsWith("amx-")) {
                // Made only where the processor has tiles.
                needed.removeAll(EnumSet.of(Feature.AMXTILE, Feature.AMXINT8));
            }
            if (kernel.getKey().startsWith("rounded-")) {
                // Made only where the processor has bf16.
                needed.removeAll(EnumSet.of(Feature.AVX512BF16, Feature.AMXTILE, Feature.AMXBF16));
            }
            assertThat(X86KernelsProvider.NEEDED).as(kernel.getKey()).containsAll(needed);
        }
    }

    @Test
    void kernelsOf256BitsReadAsInstructions() {
        Avx2KernelsProvider provider = new Avx2KernelsProvider();
        assertThat(provider.kernelNames())
                .contains("attention-scores", "swiglu", "vector-product-q4_k", "vnni-tile-q8_0");
        for (String name : provider.kernelNames()) {
            assertThat(provider.listing(name).orElseThrow())
                    .as(name)
                    .contains("ret")
                    .doesNotContain("zmm");
        }
        assertThat(provider.listing("no such kernel")).isEmpty();
    }

    /** A processor that has AVX-512, as the one these tests may run on, would not notice an instruction of that. */
    @Test
    void noKernelOf256BitsNeedsMoreThanTheProbeAsksFor() {
        for (var kernel : Avx2Listings.KERNELS.entrySet()) {
            Set<Feature> allowed = EnumSet.of(Feature.BASE);
            allowed.addAll(Avx2KernelsProvider.NEEDED);
            if (kernel.getKey().startsWith("vnni-")) {
                allowed.add(Feature.AVXVNNI);
            }
            assertThat(allowed)
                    .as(kernel.getKey())
                    .containsAll(kernel.getValue().get().features());
        }
    }
}
