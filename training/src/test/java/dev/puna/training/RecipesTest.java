package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.model.LlamaPreset;
import dev.puna.tensor.ConfigurationException;
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
    void aPresetFillsWhatIsNotGiven() throws IOException {
        Recipe recipe = Recipe.parse(
                "model: {preset: llama-3.2-1b, contextLength: 8192}", List.of("model.vocabularySize=32000"));
        assertThat(recipe.config())
                .isEqualTo(LlamaPreset.LLAMA_3_2_1B
                        .config()
                        .withContextLength(8192)
                        .withVocabularySize(32_000));
        assertThat(recipe.toYaml()).contains("width: 2048").contains("contextLength: 8192");
        assertThat(Recipe.parse(recipe.toYaml(), List.of())).isEqualTo(recipe);
    }

    @Test
    void aShapeBesideAPresetIsRefused() {
        assertThatThrownBy(() -> Recipe.parse("model: {preset: llama-1-7b}", List.of("model.width=288")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("model.width=288")
                .hasMessageContaining("llama-1-7b has 4096");
    }

    /** What a resolved recipe was when a preset hid the fields beside it: checkpoints and runs of then go on. */
    @Test
    void defaultsBesideAPresetInAResolvedRecipeWereNotMeant() throws IOException {
        String old = """
                name: run
                model:
                  preset: llama-3.2-1b
                  start: somewhere
                  vocabularySize: 32000
                  width: 288
                  layerCount: 6
                  headCount: 6
                  kvHeadCount: 6
                  feedForwardWidth: 768
                  contextLength: 256
                  normEpsilon: 1.0E-5
                  ropeBase: 10000.0
                  tiedHead: true
                  vocabularyUsed: 0
                """;
        Recipe recipe = Recipe.parse(old, List.of());
        assertThat(recipe.config()).isEqualTo(LlamaPreset.LLAMA_3_2_1B.config());
        assertThat(recipe.model().start()).isEqualTo("somewhere");
        assertThat(recipe).isEqualTo(Recipe.parse("model: {preset: llama-3.2-1b, start: somewhere}", List.of()));
        assertThat(Recipe.parse(old, List.of("model.contextLength=4096")).config())
                .isEqualTo(LlamaPreset.LLAMA_3_2_1B.config().withContextLength(4096));
        assertThatThrownBy(() -> Recipe.parse(old, List.of("model.width=288")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("model.width=288");
    }

    @Test
    void aWindowOfOneStepIsRefused() {
        assertThatThrownBy(() -> Recipe.parse("name: run", List.of("guards.window=1")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("guards.window=1");
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
