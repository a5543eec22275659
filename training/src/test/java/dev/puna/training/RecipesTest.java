package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The recipes of the repository resolve, and what they resolve to reads back as itself. */
class RecipesTest {
    @Test
    void allResolve() throws IOException {
        List<Path> files;
        try (Stream<Path> entries = Files.list(Path.of("..", "recipes"))) {
            files = entries.filter(file -> file.getFileName().toString().startsWith("llama-"))
                    .toList();
        }
        assertThat(files).hasSize(16);
        for (Path file : files) {
            Recipe recipe = Recipe.read(file, List.of());
            assertThat(Recipe.parse(recipe.toYaml(), List.of())).isEqualTo(recipe);
            assertThat(Files.readAllLines(file).getFirst()).startsWith("# => 6 * ");
            assertThat(recipe.memory()).hasSize(3);
        }
    }

    @Test
    void settingsChangeFields() throws IOException {
        Recipe recipe = Recipe.read(
                Path.of("..", "recipes", "llama-15m.yaml"), List.of("schedule.lr=1e-3", "optimizer.noDecay=[embed]"));
        assertThat(recipe.schedule().lr()).isEqualTo(1e-3);
        assertThat(recipe.optimizer().decays("model.embed_tokens.weight", true)).isFalse();
        assertThat(recipe.optimizer().decays("model.layers.0.mlp.up_proj.weight", true))
                .isTrue();
        assertThat(recipe.optimizer().decays("model.norm.weight", false)).isFalse();
    }
}
