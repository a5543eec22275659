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

    /** The Llama 3 Herd of Models, §3.4.1: 4 million tokens a batch at 4,096, then 8 at 8,192, then 16. */
    @Test
    void llama3BeginsWithShorterSequences() throws IOException {
        for (String name : List.of("llama-3-8b", "llama-3-70b", "llama-3.1-405b")) {
            Recipe recipe = Recipe.read(Path.of("..", "recipes", name + ".yaml"), List.of());
            assertThat(recipe.stageAfter(0)).isEqualTo(new Recipe.Stage(1024, 4096));
            assertThat(recipe.stageAfter(252_000_000)).isEqualTo(new Recipe.Stage(1024, 8192));
            assertThat(recipe.stageAfter(2_870_000_000_000L)).isEqualTo(new Recipe.Stage(2048, 8192));
            assertThat(recipe.stageAfter(0).tokens()).isEqualTo(4 << 20);
            assertThat(recipe.rows()).isEqualTo(8192);
        }
        Recipe largest = Recipe.read(Path.of("..", "recipes", "llama-3.1-405b.yaml"), List.of());
        LrSchedule schedule = LrSchedule.of(largest.schedule(), largest.steps());
        assertThat(schedule.lr(8_000)).isEqualTo(8e-5);
        assertThat(schedule.lr(1_200_000)).isCloseTo(8e-7, org.assertj.core.api.Assertions.within(1e-15));
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
