package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.formats.Gguf;
import dev.puna.formats.GgufMetadata;
import dev.puna.formats.OutgoingTensor;
import dev.puna.formats.Safetensors;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The three spellings of a configuration, and what is refused. */
class FormatsTest {
    private static final String TINY = "\"hidden_size\": 64, \"num_attention_heads\": 4, \"vocab_size\": 100,"
            + " \"num_hidden_layers\": 1, \"intermediate_size\": 96";

    @TempDir
    Path directory;

    @Test
    void readsLlama32sConfigurationAsItIsPublished() throws IOException {
        LlamaConfig config = readConfig("""
                {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 128000,
                 "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
                 "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
                 "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
                 "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
                 "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
                 "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
                 "vocab_size": 128256}""");
        assertThat(config).isEqualTo(LlamaPreset.LLAMA_3_2_1B.config());
    }

    @ParameterizedTest
    @EnumSource(LlamaPreset.class)
    void writesEveryPresetSoThatItReadsBack(LlamaPreset preset) throws IOException {
        LlamaConfig config = preset.config();
        assertThat(readConfig(HuggingFaceFormat.writeConfig(config, DType.BF16, Optional.of(1), List.of(2))))
                .isEqualTo(config);
    }

    @ParameterizedTest
    @CsvSource({
        "LLAMA_1_7B,   , 256",
        "LLAMA_2_70B, 1.3, 4096",
        "LLAMA_3_8B,  1.3, 1024",
        "LLAMA_3_1_405B, 1.2, 4096",
        "LLAMA_3_2_1B, 1.5, 256",
    })
    void writesMetasParametersForTheSameFeedForwardWidth(LlamaPreset preset, Double multiplier, int multiple)
            throws IOException {
        String json = MetaFormat.writeConfig(preset.config());
        Path file = Files.writeString(directory.resolve("params.json"), json);
        var params = HuggingFaceFormat.readJson(file);
        assertThat(LlamaConfig.feedForwardWidth(
                        params.path("dim").asInt(),
                        params.path("ffn_dim_multiplier").asDouble(1),
                        params.path("multiple_of").asInt()))
                .isEqualTo(preset.config().feedForwardWidth())
                .isEqualTo(LlamaConfig.feedForwardWidth(
                        preset.config().width(), multiplier == null ? 1 : multiplier, multiple));
    }

    /** Meta's code for LLaMA-1 to 3 refuses keys that it does not know: params.json of a release must have none. */
    @ParameterizedTest
    @EnumSource(LlamaPreset.class)
    void notesTheContextLengthOnlyWhereItIsNoReleases(LlamaPreset preset) {
        assertThat(MetaFormat.writeConfig(preset.config())).doesNotContain("context_length\"");
        assertThat(MetaFormat.writeConfig(preset.config().withContextLength(512)))
                .contains("\"context_length\" : 512");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"model_type\": \"gpt_neox\" | model_type=gpt_neox: this is not a LLaMA",
                "\"vocab_size\": 100 | this is not a LLaMA",
                "\"model_type\": \"llama\", \"hidden_act\": \"gelu\" | hidden_act=gelu",
                "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4} | rope_type=yarn",
                "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4} | rope_type=dynamic",
                "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"linear\"} | rope_scaling.factor",
                "\"model_type\": \"llama\", \"partial_rotary_factor\": 0.5 | partial_rotary_factor",
                "\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"gptq\"} | quantization_config=gptq",
                "\"model_type\": \"llama\", \"num_key_value_heads\": 3, \"num_attention_heads\": 4 | kvHeadCount=3",
                "\"model_type\": \"llama\", \"hidden_size\": 65, \"num_attention_heads\": 4 | hidden_size=65",
                "\"model_type\": \"llama\", \"vocab_size\": -5 | vocabularySize=-5",
                "\"model_type\": \"llama\", \"vocab_size\": 3000000000 | vocab_size=3000000000",
                "\"model_type\": \"llama\", \"vocab_size\": \"many\" | vocab_size",
                "\"model_type\": \"mistral\", \"sliding_window\": 4096, \"max_position_embeddings\": 32768 | sliding_window=4096",
            })
    void refusesWhatIsNoLlama(String fields, String message) {
        assertThatThrownBy(() -> readConfig("{" + fields + "}"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(message);
    }

    @Test
    void namesTheArchitectureAlsoWhereNoWeightsAreThatItCouldRead() throws IOException {
        Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"gpt_neox\"}");
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory)).hasMessageContaining("model_type=gpt_neox");
        Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"llama\", " + TINY + "}");
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory)).hasMessageContaining("neither model.safetensors");
    }

    /** As repositories of GGUF files on the hub are. */
    @Test
    void aConfigurationBesideAGgufFileDoesNotHideIt() throws IOException {
        Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"llama\"}");
        Files.writeString(directory.resolve("model.gguf"), "");
        assertThat(LlamaCheckpoint.formatOf(directory)).isEqualTo(LlamaCheckpoint.Format.GGUF);
    }

    @Test
    void readsMistralWithoutAWindow() throws IOException {
        assertThat(readConfig("{\"model_type\": \"mistral\", \"sliding_window\": null, \"num_key_value_heads\": 2, "
                                + TINY + "}")
                        .kvHeadCount())
                .isEqualTo(2);
    }

    @Test
    void refusesWhatIsNoJson() {
        for (String text : List.of("", "[1]", "{\"model_type\": ", "\u0000\u0001")) {
            assertThatThrownBy(() -> readConfig(text)).isInstanceOf(CorruptFileException.class);
        }
    }

    @Test
    void namesTheTensorThatDoesNotFit() throws IOException {
        writeTiny(Map.of());
        LlamaCheckpoint.open(directory).close();

        writeTiny(Map.of("model.layers.0.mlp.up_proj.weight", Tensor.ofFloats(new float[64 * 95], 95, 64)));
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("\"model.layers.0.mlp.up_proj.weight\" (96, 64)")
                .hasMessageContaining("(95, 64)");

        writeTiny(Map.of("model.layers.0.self_attn.q_norm.weight", Tensor.ofFloats(new float[16], 16)));
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("q_norm");

        Files.writeString(
                directory.resolve("config.json"), "{\"model_type\": \"llama\", " + TINY.replace(": 1,", ": 2,") + "}");
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("model.layers.1.")
                .hasMessageContaining("none");
    }

    @Test
    void refusesOtherGgufArchitecturesAndMixturesOfExperts() throws IOException {
        Path file = directory.resolve("model.gguf");
        Gguf.write(
                file,
                GgufMetadata.builder().text("general.architecture", "qwen2").build(),
                List.of());
        assertThatThrownBy(() -> LlamaCheckpoint.open(file))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("general.architecture=qwen2: this is not a LLaMA");
        Gguf.write(
                file,
                GgufMetadata.builder()
                        .text("general.architecture", "llama")
                        .uint32("llama.expert_count", 8)
                        .build(),
                List.of());
        assertThatThrownBy(() -> LlamaCheckpoint.open(file)).hasMessageContaining("expert");
        Gguf.write(
                file,
                GgufMetadata.builder().text("general.architecture", "llama").build(),
                List.of());
        assertThatThrownBy(() -> LlamaCheckpoint.open(file))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("llama.embedding_length");
    }

    @Test
    void recognisesLlama3sScalingInTheDivisorsThatLlamaCppWrites() throws IOException {
        // llama.cpp's converter: 1 / ((1 − s) / factor + s), in double precision
        LlamaConfig config = new LlamaConfig(
                100,
                64,
                1,
                2,
                1,
                64,
                96,
                131072,
                1e-5f,
                500_000,
                new RopeScaling.Llama3(32, 1, 4, 8192),
                true,
                false,
                false);
        float[] divisors = new float[32];
        for (int i = 0; i < 32; i++) {
            double frequency = 1 / Math.pow(500_000, 2 * i / 64.0);
            double wavelength = 2 * Math.PI / frequency;
            double smooth = (8192 / wavelength - 1) / 3;
            divisors[i] = (float) (wavelength < 2048 ? 1 : wavelength > 8192 ? 32 : 1 / ((1 - smooth) / 32 + smooth));
        }
        assertThat(readWithDivisors(config, divisors).ropeScaling()).isEqualTo(config.ropeScaling());
        divisors[7] = 1.01f;
        assertThat(readWithDivisors(config, divisors).ropeScaling()).isEqualTo(new RopeScaling.PerFrequency(divisors));
    }

    private LlamaConfig readWithDivisors(LlamaConfig config, float[] divisors) throws IOException {
        Path file = directory.resolve("scaled.gguf");
        GgufMetadata.Builder metadata = GgufMetadata.builder();
        GgufFormat.writeConfig(config, metadata);
        GgufMetadata.Builder asLlamaCppWrites = GgufMetadata.builder();
        metadata.build().values().forEach((key, value) -> {
            if (!key.startsWith("puna.")) {
                asLlamaCppWrites.put(key, value);
            }
        });
        List<OutgoingTensor> tensors = new ArrayList<>();
        tensors.add(OutgoingTensor.of(GgufFormat.ROPE_FREQUENCIES, Tensor.ofFloats(divisors, divisors.length)));
        for (LlamaTensor tensor : config.tensors()) {
            tensors.add(OutgoingTensor.of(GgufFormat.tensorName(tensor), zeros(tensor)));
        }
        Gguf.write(file, asLlamaCppWrites.build(), tensors);
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(file)) {
            return checkpoint.config();
        }
    }

    @Test
    void saysWhatAModelIsWhereThereIsNone() throws IOException {
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory.resolve("nothing")))
                .isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory)).hasMessageContaining("config.json");
        Path text = Files.writeString(directory.resolve("notes.txt"), "x");
        assertThatThrownBy(() -> LlamaCheckpoint.open(text)).isInstanceOf(ConfigurationException.class);
        Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"llama\", " + TINY + "}");
        assertThatThrownBy(() -> LlamaCheckpoint.open(directory)).hasMessageContaining("model.safetensors");
    }

    private void writeTiny(Map<String, Tensor> others) throws IOException {
        Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"llama\", " + TINY + "}");
        LlamaConfig config = HuggingFaceFormat.readConfig(directory.resolve("config.json"));
        List<OutgoingTensor> tensors = new ArrayList<>();
        for (LlamaTensor tensor : config.tensors()) {
            String name = HuggingFaceFormat.tensorName(tensor);
            tensors.add(OutgoingTensor.of(name, others.getOrDefault(name, zeros(tensor))));
        }
        others.forEach((name, tensor) -> {
            if (tensors.stream().noneMatch(known -> known.name().equals(name))) {
                tensors.add(OutgoingTensor.of(name, tensor));
            }
        });
        Safetensors.write(directory.resolve("model.safetensors"), Map.of(), tensors);
    }

    private static Tensor zeros(LlamaTensor tensor) {
        return Tensor.ofFloats(
                new float[(int) tensor.shape().elementCount()], tensor.shape().dims());
    }

    private LlamaConfig readConfig(String json) throws IOException {
        return HuggingFaceFormat.readConfig(Files.writeString(directory.resolve("config.json"), json));
    }
}
