package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.formats.Safetensors;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.RopePairing;
import dev.puna.model.convert.Conversion;
import dev.puna.model.convert.ConversionListener;
import dev.puna.model.convert.ConversionTarget;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Adapters held against PEFT, with the directories of tools/golden/inference.py. */
class LoraAdapterTest {
    private static final Path LORA = Golden.DIRECTORY.resolve("lora");

    @ParameterizedTest
    @CsvSource({
        "everything, llama-3, 14",
        "queries-and-values, llama-3, 2",
        "patterns, llama-3, 14",
        "other-base, llama-2-gqa, 21",
        "bf16, llama-3, 14",
        "f16, llama-3, 14"
    })
    void computesWhatPeftComputes(String name, String base, int modules) throws IOException {
        try (LlamaCheckpoint checkpoint = Golden.of(base).open();
                LoraAdapter adapter = LoraAdapter.open(LORA.resolve(name), checkpoint.config(), RopePairing.HALVES)) {
            assertThat(adapter.moduleCount()).isEqualTo(modules);
            float[] expected = logits(name);
            float[] actual = forward(checkpoint, "reference", List.of(Optional.of(adapter)), prompt(name))[0];
            for (int i = 0; i < expected.length; i++) {
                // fp32 sums in another order than PyTorch's
                assertThat(actual[i]).isCloseTo(expected[i], within(2e-4f));
            }
        }
    }

    @Test
    void theRowsOfTheBaseMayBeOrderedAsInGguf(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("base.gguf");
        try (LlamaCheckpoint source = Golden.of("llama-3").open();
                ThreadTeam team = new ThreadTeam("test", 1);
                Kernels kernels = Kernels.open("reference", team)) {
            Conversion.convert(source, file, ConversionTarget.GgufFile.usual(), kernels, ConversionListener.NONE);
        }
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(file);
                LoraAdapter adapter =
                        LoraAdapter.open(LORA.resolve("everything"), checkpoint.config(), RopePairing.INTERLEAVED)) {
            float[] expected = logits("everything");
            float[] actual = forward(checkpoint, "reference", List.of(Optional.of(adapter)), prompt("everything"))[0];
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], within(2e-4f));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"reference", "vector", "auto"})
    void aRowDependsOnItsOwnAdapterOnly(String tier) throws IOException {
        try (LlamaCheckpoint checkpoint = Golden.of("llama-3").open();
                LoraAdapter first = open("everything", checkpoint);
                LoraAdapter second = open("patterns", checkpoint)) {
            List<Optional<LoraAdapter>> mixed = List.of(
                    Optional.of(first), Optional.empty(), Optional.of(second), Optional.of(second), Optional.of(first));
            int[] prompt = prompt("everything");
            float[][] together = forward(checkpoint, tier, mixed, prompt);
            for (int i = 0; i < mixed.size(); i++) {
                assertThat(together[i]).isEqualTo(forward(checkpoint, tier, List.of(mixed.get(i)), prompt)[0]);
            }
            assertThat(together[0]).isNotEqualTo(together[1]);
            assertThat(together[0]).isNotEqualTo(together[2]);
        }
    }

    @Test
    void refusesAdaptersOfAnotherBase() throws IOException {
        try (LlamaCheckpoint checkpoint = Golden.of("llama-3").open()) {
            assertThatThrownBy(() -> open("other-base", checkpoint))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("layers.2")
                    .hasMessageContaining("2 layers");
        }
        try (LlamaCheckpoint checkpoint = Golden.of("llama-2-gqa").open()) {
            assertThatThrownBy(() -> open("everything", checkpoint))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("another model")
                    .hasMessageContaining("(4, 72)");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"peft_type\": \"LORA\" | \"peft_type\": \"IA3\"        | peft_type",
                "\"use_dora\": false     | \"use_dora\": true            | use_dora",
                "\"bias\": \"none\"      | \"bias\": \"lora_only\"       | bias",
                "\"modules_to_save\": null | \"modules_to_save\": [\"lm_head\"] | modules_to_save",
                "\"init_lora_weights\": true | \"init_lora_weights\": \"pissa\" | init_lora_weights",
                "\"r\": 4                | \"r\": 5                      | (5, 96)",
                "\"r\": 4                | \"r\": 0                      | rank",
            })
    void refusesWhatItDoesNotCompute(String from, String to, String message, @TempDir Path directory)
            throws IOException {
        Path copy = copy("everything", directory);
        Path config = copy.resolve(LoraAdapter.CONFIG_FILE);
        String text = Files.readString(config);
        assertThat(text).contains(from);
        Files.writeString(config, text.replace(from, to));
        try (LlamaCheckpoint checkpoint = Golden.of("llama-3").open()) {
            assertThatThrownBy(() -> LoraAdapter.open(copy, checkpoint.config(), RopePairing.HALVES))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining(message);
        }
    }

    @Test
    void refusesDamagedDirectories(@TempDir Path directory) throws IOException {
        try (LlamaCheckpoint checkpoint = Golden.of("llama-3").open()) {
            Path copy = copy("everything", directory);
            Path weights = copy.resolve(LoraAdapter.WEIGHTS_FILE);
            byte[] bytes = Files.readAllBytes(weights);
            Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
            assertThatThrownBy(() -> LoraAdapter.open(copy, checkpoint.config(), RopePairing.HALVES))
                    .isInstanceOf(CorruptFileException.class);
            // one matrix under another name: its other half is alone
            String text = new String(bytes, StandardCharsets.ISO_8859_1)
                    .replaceFirst("layers\\.0\\.mlp\\.down_proj\\.lora_B", "layers.0.mlp.down_proj.lora_C");
            Files.write(weights, text.getBytes(StandardCharsets.ISO_8859_1));
            assertThatThrownBy(() -> LoraAdapter.open(copy, checkpoint.config(), RopePairing.HALVES))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("lora_C");
            Files.delete(weights);
            assertThatThrownBy(() -> LoraAdapter.open(copy, checkpoint.config(), RopePairing.HALVES))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining(LoraAdapter.WEIGHTS_FILE);
        }
    }

    private static Path copy(String name, Path directory) throws IOException {
        for (String file : new String[] {LoraAdapter.CONFIG_FILE, LoraAdapter.WEIGHTS_FILE}) {
            Files.copy(LORA.resolve(name).resolve(file), directory.resolve(file));
        }
        return directory;
    }

    private static LoraAdapter open(String name, LlamaCheckpoint checkpoint) throws IOException {
        return LoraAdapter.open(
                LORA.resolve(name), checkpoint.config(), checkpoint.weights().pairing());
    }

    /** All logits of the same prompt in several sequences of one batch; the last row of each is asked for separately. */
    private static float[][] forward(
            LlamaCheckpoint checkpoint, String tier, List<Optional<LoraAdapter>> adapters, int[] prompt) {
        LlamaConfig config = checkpoint.config();
        int count = adapters.size() * prompt.length;
        try (ThreadTeam team = new ThreadTeam("test", 1);
                Kernels kernels = Kernels.open(tier, team);
                LlamaModel model = new LlamaModel(config, checkpoint.weights(), kernels);
                Activations activations = new Activations(config, count);
                Slab slab = new Slab(Slab.bytesFor(DType.F32, count, config.vocabularySize()))) {
            List<TokenBatch.Rows> rows = new ArrayList<>();
            List<KvCache> caches = new ArrayList<>();
            int[] ids = new int[count];
            int[] wanted = new int[count];
            for (int i = 0; i < count; i++) {
                ids[i] = prompt[i % prompt.length];
                wanted[i] = i;
            }
            for (Optional<LoraAdapter> adapter : adapters) {
                KvCache cache = new KvCache(config, DType.F32);
                cache.reserve(prompt.length);
                caches.add(cache);
                rows.add(new TokenBatch.Rows(cache, 0, prompt.length, adapter));
            }
            Tensor logits = slab.allocate(DType.F32, count, config.vocabularySize());
            model.logits(logits, model.forward(new TokenBatch(ids, rows, wanted), activations));
            // Again with some rows only: the last layer then computes these alone.
            float[][] all = new float[adapters.size()][];
            for (int i = 0; i < all.length; i++) {
                all[i] = logits.rows((long) i * prompt.length, (i + 1L) * prompt.length)
                        .toFloats();
            }
            int[] last = new int[adapters.size()];
            for (int i = 0; i < last.length; i++) {
                last[i] = (i + 1) * prompt.length - 1;
            }
            Tensor some = logits.rows(0, last.length);
            model.logits(some, model.forward(new TokenBatch(ids, rows, last), activations));
            for (int i = 0; i < last.length; i++) {
                assertThat(some.row(i).toFloats())
                        .isEqualTo(Arrays.copyOfRange(
                                all[i], (prompt.length - 1) * config.vocabularySize(), all[i].length));
            }
            caches.forEach(KvCache::close);
            return all;
        }
    }

    private static int[] prompt(String name) throws IOException {
        try (Safetensors file = Safetensors.open(LORA.resolve(name).resolve("golden.safetensors"))) {
            return Arrays.stream(file.tensor("prompt").data().toArray(Tensor.I64_LE))
                    .mapToInt(Math::toIntExact)
                    .toArray();
        }
    }

    private static float[] logits(String name) throws IOException {
        try (Safetensors file = Safetensors.open(LORA.resolve(name).resolve("golden.safetensors"))) {
            return file.tensor("logits").toFloats();
        }
    }
}
