package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LoraAdapter;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AdapterRegistryTest {
    private static final Path GOLDEN = Path.of("../model/src/test/resources/golden");

    private static LoraAdapter open(LlamaCheckpoint base, String name) throws IOException {
        return LoraAdapter.open(
                GOLDEN.resolve("lora").resolve(name),
                base.config(),
                base.weights().pairing());
    }

    @Test
    void whatWasTakenAwayLivesAsLongAsItIsUsed() throws IOException {
        try (LlamaCheckpoint base = LlamaCheckpoint.open(GOLDEN.resolve("llama-3"));
                AdapterRegistry registry = new AdapterRegistry()) {
            LoraAdapter one = open(base, "everything");
            LoraAdapter two = open(base, "patterns");
            registry.add("one", one);
            registry.add("two", two);
            assertThat(registry.names()).containsExactly("one", "two");
            assertThat(registry.get("one")).containsSame(one);
            assertThat(registry.hasRetired()).isFalse();

            assertThat(registry.retire("one")).isTrue();
            assertThat(registry.retire("one")).isFalse();
            assertThat(registry.get("one")).isEmpty();
            assertThat(registry.contains(one)).isFalse();
            assertThat(registry.contains(two)).isTrue();
            assertThat(registry.closeUnused(Set.of(one, two))).isEmpty();
            assertThat(registry.hasRetired()).isTrue();
            assertThat(registry.closeUnused(Set.of(two))).containsExactly(one);
            assertThat(registry.hasRetired()).isFalse();
            assertThat(registry.names()).containsExactly("two");
        }
    }

    @Test
    void aNameIsGivenOnceAndNothingComesInAfterTheEnd() throws IOException {
        try (LlamaCheckpoint base = LlamaCheckpoint.open(GOLDEN.resolve("llama-3"))) {
            AdapterRegistry registry = new AdapterRegistry();
            registry.add("one", open(base, "everything"));
            LoraAdapter other = open(base, "patterns");
            assertThatThrownBy(() -> registry.add("one", other))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("that name");
            registry.close();
            assertThat(registry.names()).isEmpty();
            LoraAdapter late = open(base, "patterns");
            assertThatThrownBy(() -> registry.add("late", late)).isInstanceOf(IllegalStateException.class);
        }
    }
}
