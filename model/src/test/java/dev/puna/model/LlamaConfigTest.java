package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class LlamaConfigTest {
    @ParameterizedTest
    @CsvSource({
        "llama-1-7b,     6738415616",
        "llama-1-13b,   13015864320",
        "llama-1-33b,   32528943616",
        "llama-1-65b,   65285660672",
        "llama-2-7b,     6738415616",
        "llama-2-13b,   13015864320",
        "llama-2-34b,   33743970304",
        "llama-2-70b,   68976648192",
        "code-llama-7b,  6738546688",
        "llama-3-8b,     8030261248",
        "llama-3-70b,   70553706496",
        "llama-3.1-8b,   8030261248",
        "llama-3.1-70b, 70553706496",
        "llama-3.1-405b, 405853388800",
        "llama-3.2-1b,   1235814400",
        "llama-3.2-3b,   3212749824",
    })
    void countsTheParametersOfTheFamily(String preset, long parameters) {
        LlamaConfig config = LlamaPreset.of(preset).config();
        assertThat(config.parameterCount()).isEqualTo(parameters);
        assertThat(config.tensors().stream()
                        .mapToLong(tensor -> tensor.shape().elementCount())
                        .sum())
                .isEqualTo(parameters);
    }

    @ParameterizedTest
    @CsvSource({
        "4096, 1,   256,  11008",
        "5120, 1,   256,  13824",
        "6656, 1,   256,  17920",
        "8192, 1,   256,  22016",
        "8192, 1.3, 4096, 28672",
        "4096, 1.3, 1024, 14336",
        "16384, 1.2, 4096, 53248",
        "2048, 1.5, 256,  8192",
        "3072, 1.0, 256,  8192",
    })
    void derivesTheFeedForwardWidthAsMetasCode(int width, double multiplier, int multipleOf, int expected) {
        assertThat(LlamaConfig.feedForwardWidth(width, multiplier, multipleOf)).isEqualTo(expected);
    }

    @ParameterizedTest
    @EnumSource(LlamaPreset.class)
    void isFoundByItsSpelling(LlamaPreset preset) {
        assertThat(LlamaPreset.of(preset.spelling())).isEqualTo(preset);
    }

    @Test
    void namesTheKnownPresets() {
        assertThatThrownBy(() -> LlamaPreset.of("gpt-2"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("llama-3.2-1b");
    }

    @Test
    void refusesWhatCannotWork() {
        assertThatThrownBy(() -> config(32, 5, 64, new RopeScaling.None()))
                .hasMessageContaining("headCount=32")
                .hasMessageContaining("kvHeadCount=5");
        assertThatThrownBy(() -> config(4, 2, 7, new RopeScaling.None())).hasMessageContaining("headSize=7");
        assertThatThrownBy(() -> config(4, 2, 8, new RopeScaling.PerFrequency(new float[] {1, 2})))
                .hasMessageContaining("4 frequencies");
        assertThatThrownBy(() -> new RopeScaling.Llama3(8, 4, 1, 8192)).hasMessageContaining("highFrequencyFactor");
        assertThatThrownBy(() -> new RopeScaling.Linear(0)).hasMessageContaining("factor");
    }

    @Test
    void knowsTheBytesOfKeysAndValues() {
        LlamaConfig config = LlamaPreset.LLAMA_3_2_1B.config();
        assertThat(config.kvBytesPerPosition(DType.F16)).isEqualTo(2 * 16 * 8 * 64 * 2);
        assertThat(config.kvBytesPerPosition(DType.Q8_0)).isEqualTo(2 * 16 * 8 * 68);
    }

    /** Values of transformers' {@code _compute_llama3_parameters} for Llama-3.1, printed with ten digits. */
    @Test
    void stretchesFrequenciesAsTransformers() {
        float[] frequencies = new RopeScaling.Llama3(8, 1, 4, 8192).frequencies(500_000, 128);
        int[] index = {0, 1, 20, 28, 29, 32, 34, 35, 36, 63};
        double[] expected = {
            1,
            0.8146172166,
            0.01656044088,
            0.003211446106,
            0.00216657063,
            0.000524846022,
            0.0001785077911,
            9.556212171e-05,
            7.784655463e-05,
            3.068925878e-07
        };
        for (int i = 0; i < index.length; i++) {
            assertThat((double) frequencies[index[i]]).isCloseTo(expected[i], within(1.5e-7 * expected[i]));
        }
    }

    private static LlamaConfig config(int heads, int kvHeads, int headSize, RopeScaling scaling) {
        return new LlamaConfig(
                100, 64, 2, heads, kvHeads, headSize, 128, 256, 1e-5f, 10_000, scaling, false, false, false);
    }
}
