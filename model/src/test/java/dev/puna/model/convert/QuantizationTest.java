package dev.puna.model.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.model.GgufFormat;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaPreset;
import dev.puna.model.LlamaTensor;
import dev.puna.model.RopeScaling;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizationTest {
    /** What llama.cpp prints when it loads such files ("llama_model_loader: - type q6_K: 17 tensors"). */
    @ParameterizedTest
    @CsvSource({
        "LLAMA_3_2_1B, Q4_K_M, Q4_K, 96, Q6_K, 17",
        "LLAMA_3_1_8B, Q4_K_M, Q4_K, 193, Q6_K, 33",
        "LLAMA_2_7B,   Q4_K_M, Q4_K, 193, Q6_K, 33",
        "LLAMA_2_7B,   Q5_K_M, Q5_K, 193, Q6_K, 33",
        "LLAMA_2_7B,   Q4_K_S, Q4_K, 217, Q5_K, 8",
        "LLAMA_2_7B,   Q4_0,   Q4_0, 225, Q6_K, 1",
        "LLAMA_3_2_1B, Q8_0,   Q8_0, 113, Q6_K, 0",
        "LLAMA_2_70B,  Q4_K_M, Q5_K, 40,  Q6_K, 81",
    })
    void givesTensorsTheTypesThatLlamaCppDoes(
            LlamaPreset preset, Quantization quantization, DType first, int firsts, DType second, int seconds) {
        Map<DType, Integer> counts = new EnumMap<>(DType.class);
        for (LlamaTensor tensor : preset.config().tensors()) {
            counts.merge(quantization.dtypeOf(tensor, preset.config()), 1, Integer::sum);
        }
        assertThat(counts.getOrDefault(first, 0)).isEqualTo(firsts);
        assertThat(counts.getOrDefault(second, 0)).isEqualTo(seconds);
        assertThat(counts.get(DType.F32)).isEqualTo(2 * preset.config().layerCount() + 1);
    }

    @Test
    void fallsBackWhereRowsAreNoWholeBlocks() {
        LlamaConfig config = tiny(96, 57);
        for (LlamaTensor tensor : config.tensors()) {
            DType dtype = Quantization.Q4_K_M.dtypeOf(tensor, config);
            switch (tensor.role()) {
                case DOWN -> assertThat(dtype).isEqualTo(DType.F16); // 57 columns
                case WQ, WK, WO, GATE, UP, EMBEDDING -> assertThat(dtype).isEqualTo(DType.Q5_0);
                case WV -> assertThat(dtype).isIn(DType.Q5_0, DType.Q8_0);
                case HEAD -> assertThat(dtype).isEqualTo(DType.Q8_0);
                case ATTENTION_NORM, FEED_FORWARD_NORM, FINAL_NORM ->
                    assertThat(dtype).isEqualTo(DType.F32);
                case WQ_BIAS, WK_BIAS, WV_BIAS, WO_BIAS, GATE_BIAS, UP_BIAS, DOWN_BIAS ->
                    throw new AssertionError(tensor);
            }
        }
    }

    @Test
    void isFoundByName() {
        assertThat(Quantization.of("q4_k_m")).isEqualTo(Quantization.Q4_K_M);
        assertThat(Quantization.of("Q5_K")).isEqualTo(Quantization.Q5_K_M);
        assertThatThrownBy(() -> Quantization.of("Q9"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("Q4_K_M");
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    void randomModelsHaveThatManyBitsAndKeepDeviations(Quantization quantization, @TempDir Path directory)
            throws IOException {
        LlamaConfig config = tiny(256, 512);
        Path file = directory.resolve("random.gguf");
        RandomModel.write(file, config, quantization, 7);
        byte[] first = Files.readAllBytes(file);
        RandomModel.write(file, config, quantization, 7);
        assertThat(Files.readAllBytes(file)).isEqualTo(first);
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(file)) {
            assertThat(checkpoint.config()).isEqualTo(config);
            for (LlamaTensor tensor : config.tensors()) {
                Tensor stored = checkpoint.source().tensor(GgufFormat.tensorName(tensor));
                assertThat(stored.dtype()).isEqualTo(quantization.dtypeOf(tensor, config));
                if (tensor.shape().rank() == 2) {
                    double deviation =
                            deviation(stored) * Math.sqrt(tensor.shape().columns());
                    assertThat(deviation).as("%s", stored).isBetween(0.6, 1.7);
                }
            }
        }
    }

    private static double deviation(Tensor stored) {
        try (dev.puna.tensor.ThreadTeam threads = new dev.puna.tensor.ThreadTeam("test", 1);
                dev.puna.kernels.Kernels kernels = dev.puna.kernels.Kernels.open("reference", threads)) {
            Tensor values = Tensor.ofFloats(
                    new float[(int) stored.shape().elementCount()],
                    stored.shape().dims());
            kernels.dequantize(values, stored);
            double squares = 0;
            for (float value : values.toFloats()) {
                squares += (double) value * value;
            }
            return Math.sqrt(squares / stored.shape().elementCount());
        }
    }

    private static LlamaConfig tiny(int width, int feedForward) {
        return new LlamaConfig(
                64,
                width,
                4,
                4,
                2,
                width / 4,
                feedForward,
                256,
                1e-5f,
                10_000,
                new RopeScaling.None(),
                false,
                false,
                false);
    }
}
