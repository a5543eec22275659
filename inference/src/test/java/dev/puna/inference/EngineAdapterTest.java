package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.formats.Safetensors;
import dev.puna.model.LoraAdapter;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Adapters per request, held against what PEFT generates (tools/golden/inference.py). */
@Timeout(60)
class EngineAdapterTest {
    private static final Path GOLDEN = Path.of("../model/src/test/resources/golden");
    private static final Path MODEL = GOLDEN.resolve("llama-3");
    private static final List<String> NAMES = List.of("everything", "queries-and-values", "patterns");
    private static final EngineOptions OPTIONS = EngineOptions.defaults()
            .withModel(LlamaOptions.defaults().withThreads(2))
            .withPageLength(4);
    private static final GenerationOptions GREEDY =
            GenerationOptions.DEFAULT.withSampling(Sampling.GREEDY).withMaxTokens(32);

    @Test
    void severalAdaptersInOneBatchGiveWhatPeftGives() throws IOException {
        try (Engine engine = Engine.load(MODEL, OPTIONS.withLookupTokens(2))) {
            for (String name : NAMES) {
                engine.loadAdapter(name, GOLDEN.resolve("lora").resolve(name));
            }
            assertThat(engine.adapterNames()).isEqualTo(NAMES);
            Random random = new Random(2);
            List<String> asked = new ArrayList<>();
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                int which = random.nextInt(NAMES.size() + 1);
                String name = which == NAMES.size() ? "" : NAMES.get(which);
                // the same prompt for all: nothing of one adapter's keys and values may serve another
                EngineRequest request = EngineRequest.of(ids(MODEL, "prompt"), GREEDY);
                if (!name.isEmpty()) {
                    request = request.withAdapter(engine.adapter(name).orElseThrow());
                }
                asked.add(name);
                generations.add(EngineTest.accept(engine.submit(request)));
            }
            for (int i = 0; i < asked.size(); i++) {
                String name = asked.get(i);
                int[] expected = name.isEmpty()
                        ? Arrays.copyOf(ids(MODEL, "greedy"), 32)
                        : ids(GOLDEN.resolve("lora").resolve(name), "greedy");
                assertThat(generations.get(i).await().first().ids()).isEqualTo(expected);
            }
            assertThat(engine.counters().reusedTokens()).isPositive();
        }
    }

    @Test
    void anAdapterLivesAsLongAsItIsUsed() throws Exception {
        try (Engine engine = Engine.load(MODEL, OPTIONS)) {
            LoraAdapter adapter = engine.loadAdapter("a", GOLDEN.resolve("lora/everything"));
            int[] prompt = ids(MODEL, "prompt");
            EngineRequest request = EngineRequest.of(prompt, GREEDY).withAdapter(adapter);
            List<Generation> running = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                running.add(EngineTest.accept(engine.submit(request)));
            }
            assertThat(engine.unloadAdapter("a")).isTrue();
            assertThat(engine.unloadAdapter("a")).isFalse();
            assertThat(engine.adapter("a")).isEmpty();
            assertThatThrownBy(() -> engine.submit(request))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("not loaded");
            for (Generation generation : running) {
                assertThat(generation.await().first().ids())
                        .isEqualTo(ids(GOLDEN.resolve("lora/everything"), "greedy"));
            }
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            assertThat(engine.counters().failed()).isZero();
        }
    }

    @Test
    void refusesWhatDoesNotFit() throws IOException {
        try (Engine engine = Engine.load(MODEL, OPTIONS);
                Engine other = Engine.load(MODEL, OPTIONS)) {
            assertThatThrownBy(() -> engine.loadAdapter("x", GOLDEN.resolve("lora/other-base")))
                    .isInstanceOf(ConfigurationException.class);
            LoraAdapter adapter = other.loadAdapter("x", GOLDEN.resolve("lora/everything"));
            assertThatThrownBy(() -> other.loadAdapter("x", GOLDEN.resolve("lora/patterns")))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("that name");
            assertThatThrownBy(() -> engine.submit(
                            EngineRequest.of(new int[] {4}, GREEDY).withAdapter(adapter)))
                    .isInstanceOf(ConfigurationException.class);
        }
    }

    private static int[] ids(Path directory, String tensor) throws IOException {
        try (Safetensors file = Safetensors.open(directory.resolve("golden.safetensors"))) {
            return Arrays.stream(file.tensor(tensor).data().toArray(Tensor.I64_LE))
                    .mapToInt(Math::toIntExact)
                    .toArray();
        }
    }
}
