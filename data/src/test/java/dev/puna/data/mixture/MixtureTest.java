package dev.puna.data.mixture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.data.shard.TokenSampler;
import dev.puna.data.shard.TokenShard;
import dev.puna.data.shard.TokenShardWriter;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MixtureTest {
    @TempDir
    Path folder;

    private static Path recipe(String name) {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.exists(at.resolve("recipes/data").resolve(name))) {
                return at.resolve("recipes/data").resolve(name);
            }
        }
        throw new AssertionError("recipes/data/" + name);
    }

    @Test
    void llama1sTable() throws IOException {
        Mixture mixture = Mixture.read(recipe("mixture-llama1.yaml"));
        double[] epochs = {1.10, 1.06, 0.64, 2.45, 2.23, 1.06, 1.03};
        double[] shares = {67, 15, 4.5, 4.5, 4.5, 2.5, 2};
        List<Mixture.Row> rows = mixture.plan();
        for (int i = 0; i < epochs.length; i++) {
            assertThat(rows.get(i).share()).isCloseTo(shares[i] / 100, within(1e-9));
            assertThat(rows.get(i).epochs()).isCloseTo(epochs[i], within(0.005));
        }
        assertThat(rows.stream().mapToLong(Mixture.Row::tokens).sum()).isEqualTo(1_400_000_000_000L);
        assertThat(mixture.table()).contains("wikipedia").contains("63.0B").contains("2.45");
    }

    @Test
    void llama3sTable() throws IOException {
        assertThat(Mixture.read(recipe("mixture-llama3.yaml")).plan())
                .extracting(Mixture.Row::share)
                .containsExactly(0.5, 0.25, 0.17, 0.08);
    }

    @Test
    void shardsBesideTheRecipeAreCountedAndSampled() throws IOException {
        for (String name : List.of("a-0", "a-1", "b-0")) {
            try (TokenShardWriter writer =
                    new TokenShardWriter(folder.resolve("tokens").resolve(name), 100)) {
                writer.add(new int[101]);
            }
        }
        Path recipe = folder.resolve("mix.yaml");
        Files.writeString(
                recipe,
                "tokens: 404\nsources:\n  - {name: a, share: 3, shards: 'tokens/a-*.idx'}\n"
                        + "  - {name: b, share: 1, shards: 'tokens/b-*.idx'}\n");
        Mixture mixture = Mixture.read(recipe);
        assertThat(mixture.plan()).extracting(Mixture.Row::uniqueTokens).containsExactly(202L, 101L);
        assertThat(mixture.plan()).extracting(Mixture.Row::epochs).containsExactly(1.5, 1.0);
        List<TokenShard> opened = new ArrayList<>();
        TokenSampler sampler = mixture.sampler(10, 1, opened);
        assertThat(sampler.samplesPerEpoch(0)).isEqualTo(20);
        assertThat(sampler.drawn(1, 400)).isEqualTo(100);
        opened.forEach(TokenShard::close);
    }

    @Test
    void mistakesAreNamed() throws IOException {
        Path recipe = folder.resolve("bad.yaml");
        Files.writeString(recipe, "tokens: many\nsources: [{name: a, share: 1}]\n");
        assertThatThrownBy(() -> Mixture.read(recipe))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("tokens");
        Files.writeString(recipe, "tokens: 5\nsources: [{name: a, share: -1}]\n");
        assertThatThrownBy(() -> Mixture.read(recipe)).hasMessageContaining("share of a");
        Files.writeString(recipe, "tokens: [\n");
        assertThatThrownBy(() -> Mixture.read(recipe)).hasMessageContaining("not YAML");
    }
}
