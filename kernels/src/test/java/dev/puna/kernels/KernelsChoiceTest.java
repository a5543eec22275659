package dev.puna.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.kernels.KernelsChoice.Candidate;
import dev.puna.kernels.KernelsProvider.Availability;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.ThreadTeam;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KernelsChoiceTest {
    private record Tier(String name, int preference, Availability probe) implements KernelsProvider {
        @Override
        public Kernels create(ThreadTeam threads) {
            throw new AssertionError("choosing makes nothing");
        }
    }

    private static Candidate available(String name, int preference) {
        Tier tier = new Tier(name, preference, new Availability.Available("fine"));
        return new Candidate(tier, tier.probe());
    }

    private static Candidate refused(String name, int preference) {
        Tier tier = new Tier(name, preference, new Availability.Refused("no AVX2"));
        return new Candidate(tier, tier.probe());
    }

    private final List<Candidate> candidates =
            List.of(available("reference", 0), refused("x86", 30), available("vector", 10));

    @Test
    void autoTakesTheMostPreferredThatIsAvailable() {
        KernelsChoice choice = KernelsChoice.choose("auto", candidates);
        assertThat(choice.chosen().name()).isEqualTo("vector");
        assertThat(choice.reasons())
                .containsExactly("x86: refused, no AVX2", "vector: chosen, fine", "reference: available, fine");
    }

    @Test
    void aNameMeansThatTierOrNone() {
        assertThat(KernelsChoice.choose("reference", candidates).chosen().name())
                .isEqualTo("reference");
        assertThatThrownBy(() -> KernelsChoice.choose("x86", candidates))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("no AVX2");
        assertThatThrownBy(() -> KernelsChoice.choose("cuda", candidates))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("auto, x86, vector, reference");
        assertThatThrownBy(() -> KernelsChoice.choose("auto", List.of(refused("x86", 30))))
                .isInstanceOf(ConfigurationException.class);
    }

    @Test
    void theOptionGoesBeforeTheEnvironment() {
        assertThat(KernelsChoice.requested(Optional.of("x86"), Map.of("PUNA_KERNELS", "vector")))
                .isEqualTo("x86");
        assertThat(KernelsChoice.requested(Optional.empty(), Map.of("PUNA_KERNELS", "vector")))
                .isEqualTo("vector");
        assertThat(KernelsChoice.requested(Optional.empty(), Map.of())).isEqualTo("auto");
    }

    @Test
    void bothOwnTiersAreFoundOnThisMachine() {
        assertThat(KernelsChoice.onThisMachine("auto").considered())
                .extracting(Candidate::name)
                .contains("vector", "reference");
        try (ThreadTeam threads = new ThreadTeam("choice", 1);
                Kernels kernels = Kernels.open("reference", threads)) {
            assertThat(kernels.tier()).isEqualTo("reference");
        }
    }
}
