package dev.puna.model;

import dev.puna.tensor.ConfigurationException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The published models of the family. Sources: LLaMA §2 table 2 and its params.json files, Llama 2, Code Llama, and the
 * configurations of Llama 3, 3.1 and 3.2.
 */
public enum LlamaPreset {
    LLAMA_1_7B(first(4096, 32, 32, 11008, 1e-6f)),
    LLAMA_1_13B(first(5120, 40, 40, 13824, 1e-6f)),
    LLAMA_1_33B(first(6656, 60, 52, 17920, 1e-6f)),
    LLAMA_1_65B(first(8192, 80, 64, 22016, 1e-5f)),
    LLAMA_2_7B(second(4096, 32, 32, 32, 11008)),
    LLAMA_2_13B(second(5120, 40, 40, 40, 13824)),
    LLAMA_2_34B(second(8192, 48, 64, 8, 22016)),
    LLAMA_2_70B(second(8192, 80, 64, 8, 28672)),
    CODE_LLAMA_7B(code(32016, 4096, 32, 32, 32, 11008)),
    CODE_LLAMA_13B(code(32016, 5120, 40, 40, 40, 13824)),
    CODE_LLAMA_34B(code(32000, 8192, 48, 64, 8, 22016)),
    CODE_LLAMA_70B(code(32016, 8192, 80, 64, 8, 28672)),
    LLAMA_3_8B(third(4096, 32, 32, 14336, 8192, new RopeScaling.None(), false)),
    LLAMA_3_70B(third(8192, 80, 64, 28672, 8192, new RopeScaling.None(), false)),
    LLAMA_3_1_8B(third(4096, 32, 32, 14336, 131072, new RopeScaling.Llama3(8, 1, 4, 8192), false)),
    LLAMA_3_1_70B(third(8192, 80, 64, 28672, 131072, new RopeScaling.Llama3(8, 1, 4, 8192), false)),
    LLAMA_3_1_405B(third(16384, 126, 128, 53248, 131072, new RopeScaling.Llama3(8, 1, 4, 8192), false)),
    LLAMA_3_2_1B(third(2048, 16, 32, 8192, 131072, new RopeScaling.Llama3(32, 1, 4, 8192), true)),
    LLAMA_3_2_3B(third(3072, 28, 24, 8192, 131072, new RopeScaling.Llama3(32, 1, 4, 8192), true));

    @SuppressWarnings("ImmutableEnumChecker") // a record that copies its one array
    private final LlamaConfig config;

    LlamaPreset(LlamaConfig config) {
        this.config = config;
    }

    public LlamaConfig config() {
        return config;
    }

    /** {@code llama-3.2-1b}: what the command line and recipes say. */
    public String spelling() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-').replaceFirst("(\\d)-(\\d)-", "$1.$2-");
    }

    /**
     * The preset of that spelling, whatever the case.
     *
     * @throws ConfigurationException naming the known ones
     */
    public static LlamaPreset of(String spelling) {
        for (LlamaPreset preset : values()) {
            if (preset.spelling().equalsIgnoreCase(spelling)) {
                return preset;
            }
        }
        throw new ConfigurationException(
                "preset",
                spelling,
                "known are "
                        + Arrays.stream(values()).map(LlamaPreset::spelling).collect(Collectors.joining(", ")));
    }

    private static LlamaConfig first(int width, int layers, int heads, int feedForward, float epsilon) {
        return llama(
                32000, width, layers, heads, heads, feedForward, 2048, epsilon, 10_000, new RopeScaling.None(), false);
    }

    private static LlamaConfig second(int width, int layers, int heads, int kvHeads, int feedForward) {
        return llama(
                32000, width, layers, heads, kvHeads, feedForward, 4096, 1e-5f, 10_000, new RopeScaling.None(), false);
    }

    private static LlamaConfig code(int vocabulary, int width, int layers, int heads, int kvHeads, int feedForward) {
        return llama(
                vocabulary,
                width,
                layers,
                heads,
                kvHeads,
                feedForward,
                16384,
                1e-5f,
                1e6,
                new RopeScaling.None(),
                false);
    }

    private static LlamaConfig third(
            int width, int layers, int heads, int feedForward, int context, RopeScaling scaling, boolean tied) {
        return llama(128_256, width, layers, heads, 8, feedForward, context, 1e-5f, 500_000, scaling, tied);
    }

    private static LlamaConfig llama(
            int vocabulary,
            int width,
            int layers,
            int heads,
            int kvHeads,
            int feedForward,
            int context,
            float epsilon,
            double ropeBase,
            RopeScaling scaling,
            boolean tied) {
        return new LlamaConfig(
                vocabulary,
                width,
                layers,
                heads,
                kvHeads,
                width / heads,
                feedForward,
                context,
                epsilon,
                ropeBase,
                scaling,
                tied,
                false,
                false);
    }
}
