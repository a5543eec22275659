package dev.puna.model;

import dev.puna.formats.TensorSource;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.Shape;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * How Meta spells a LLaMA: {@code params.json} and the names of the tensors ({@code llama/model.py} and llama-models).
 *
 * <p>{@code params.json} leaves things out, which are taken from the weights and from what is known of the releases: the
 * vocabulary size (−1 in LLaMA-1 and 2), the context length (that of the release with these settings; where it is
 * another, the writer adds {@code context_length}), and the factor of Llama-3.1's RoPE scaling (8; for the shapes of
 * Llama-3.2 32, as in its {@code config.json}).
 */
public final class MetaFormat {
    /** The name of the configuration in a model's directory. */
    public static final String PARAMS_FILE = "params.json";

    private MetaFormat() {}

    /**
     * The name of a tensor.
     *
     * @throws ConfigurationException for a bias: Meta's models have none
     */
    public static String tensorName(LlamaTensor tensor) {
        String layer = "layers." + tensor.layer();
        return switch (tensor.role()) {
            case EMBEDDING -> "tok_embeddings.weight";
            case ATTENTION_NORM -> layer + ".attention_norm.weight";
            case WQ -> layer + ".attention.wq.weight";
            case WK -> layer + ".attention.wk.weight";
            case WV -> layer + ".attention.wv.weight";
            case WO -> layer + ".attention.wo.weight";
            case FEED_FORWARD_NORM -> layer + ".ffn_norm.weight";
            case GATE -> layer + ".feed_forward.w1.weight";
            case UP -> layer + ".feed_forward.w3.weight";
            case DOWN -> layer + ".feed_forward.w2.weight";
            case FINAL_NORM -> "norm.weight";
            case HEAD -> "output.weight";
            case WQ_BIAS, WK_BIAS, WV_BIAS, WO_BIAS, GATE_BIAS, UP_BIAS, DOWN_BIAS ->
                throw new ConfigurationException(
                        tensor.role().toString(), tensor.shape(), "Meta's format has no biases; use hf or gguf");
        };
    }

    /** Whether a tensor that is not part of the model may lie in its files: a table that can be computed. */
    static boolean isIgnored(String name) {
        return name.equals("rope.freqs");
    }

    /**
     * Reads {@code params.json}, and from the weights what it leaves out.
     *
     * @param file the file itself
     * @throws ConfigurationException for settings that Puna does not compute
     * @throws CorruptFileException if the file is no JSON object
     */
    public static LlamaConfig readConfig(Path file, TensorSource weights) throws IOException {
        JsonNode json = HuggingFaceFormat.readJson(file);
        try {
            return config(json, weights);
        } catch (JacksonException e) {
            throw new CorruptFileException(file, 0, "the settings of a LLaMA", e.getOriginalMessage());
        }
    }

    private static LlamaConfig config(JsonNode json, TensorSource weights) {
        for (String foreign : new String[] {"moe_args", "vision_chunk_size", "quantization_args", "lora_args"}) {
            if (json.hasNonNull(foreign)) {
                throw new ConfigurationException(
                        foreign, "(present)", "this is not a plain LLaMA; Puna runs text models in F32, F16 or BF16");
            }
        }
        Shape table = shape(weights, Role.EMBEDDING);
        int width = HuggingFaceFormat.integer(json, "dim", 4096);
        int layers = HuggingFaceFormat.integer(json, "n_layers", 32);
        int heads = HuggingFaceFormat.integer(json, "n_heads", 32);
        int kvHeads = HuggingFaceFormat.integer(json, "n_kv_heads", heads);
        if (heads <= 0 || width % heads != 0) {
            throw new ConfigurationException("n_heads", heads, "must divide dim=" + width);
        }
        int vocabulary = HuggingFaceFormat.integer(json, "vocab_size", -1);
        if (vocabulary > 0 && vocabulary != table.dim(0)) {
            throw new ConfigurationException(
                    "vocab_size", vocabulary, "tok_embeddings.weight has " + table.dim(0) + " rows");
        }
        double base = HuggingFaceFormat.real(json, "rope_theta", 10_000);
        float epsilon = (float) HuggingFaceFormat.real(json, "norm_eps", 1e-5);
        boolean scaled = HuggingFaceFormat.truth(json, "use_scaled_rope");
        int feedForward = LlamaConfig.feedForwardWidth(
                width,
                HuggingFaceFormat.real(json, "ffn_dim_multiplier", 1),
                HuggingFaceFormat.integer(json, "multiple_of", 256));
        LlamaConfig plain = new LlamaConfig(
                Math.toIntExact(table.dim(0)),
                width,
                layers,
                heads,
                kvHeads,
                width / heads,
                feedForward,
                2048,
                epsilon,
                base,
                new RopeScaling.None(),
                false,
                false,
                false);
        boolean tied = isPreset(plain, LlamaPreset.LLAMA_3_2_1B) || isPreset(plain, LlamaPreset.LLAMA_3_2_3B);
        RopeScaling scaling = new RopeScaling.None();
        if (scaled) {
            scaling = new RopeScaling.Llama3(
                    (float) HuggingFaceFormat.real(json, "rope_scaling_factor", tied ? 32 : 8),
                    (float) HuggingFaceFormat.real(json, "rope_low_freq_factor", 1),
                    (float) HuggingFaceFormat.real(json, "rope_high_freq_factor", 4),
                    HuggingFaceFormat.integer(json, "rope_original_context_length", 8192));
        }
        return new LlamaConfig(
                plain.vocabularySize(),
                width,
                layers,
                heads,
                kvHeads,
                width / heads,
                feedForward,
                HuggingFaceFormat.integer(json, "context_length", contextLength(plain, scaled)),
                epsilon,
                base,
                scaling,
                false,
                false,
                false);
    }

    private static boolean isPreset(LlamaConfig config, LlamaPreset preset) {
        LlamaConfig other = preset.config();
        return config.width() == other.width()
                && config.layerCount() == other.layerCount()
                && config.headCount() == other.headCount()
                && config.kvHeadCount() == other.kvHeadCount()
                && config.feedForwardWidth() == other.feedForwardWidth();
    }

    /** The context length of the release that these settings look like. */
    private static int contextLength(LlamaConfig config, boolean scaled) {
        if (scaled) {
            return 131_072;
        }
        if (config.ropeBase() == 500_000) {
            return 8192;
        }
        if (config.ropeBase() == 1e6) {
            return 16_384;
        }
        return config.normEpsilon() < 5e-6f || isPreset(config, LlamaPreset.LLAMA_1_65B) ? 2048 : 4096;
    }

    private static Shape shape(TensorSource weights, Role role) {
        String name = tensorName(new LlamaTensor(role, 0, Shape.of()));
        Shape shape = weights.describe(name).shape();
        if (shape.rank() != 2) {
            throw new ConfigurationException(name, shape, "must be a matrix");
        }
        return shape;
    }

    /**
     * Writes {@code params.json}'s text.
     *
     * @throws ConfigurationException if Meta's code could not compute this model
     */
    public static String writeConfig(LlamaConfig config) {
        if (config.headSize() * config.headCount() != config.width()) {
            throw new ConfigurationException(
                    "headSize", config.headSize(), "Meta's code wants width/headCount; use hf or gguf");
        }
        if (config.attentionBias() || config.mlpBias()) {
            throw new ConfigurationException("bias", true, "Meta's format has no biases; use hf or gguf");
        }
        ObjectNode json = JsonMapper.shared().createObjectNode();
        json.put("dim", config.width());
        json.put("n_layers", config.layerCount());
        json.put("n_heads", config.headCount());
        json.put("n_kv_heads", config.kvHeadCount());
        json.put("vocab_size", config.vocabularySize());
        FeedForwardRule rule = FeedForwardRule.of(config);
        if (rule.multiplier.compareTo(BigDecimal.ONE) != 0) {
            json.put("ffn_dim_multiplier", rule.multiplier.doubleValue());
        }
        json.put("multiple_of", rule.multipleOf);
        json.put("norm_eps", config.normEpsilon());
        if (config.ropeBase() != 10_000) {
            json.put("rope_theta", config.ropeBase());
        }
        switch (config.ropeScaling()) {
            case RopeScaling.None() -> {}
            case RopeScaling.Llama3(float factor, float low, float high, int original) -> {
                json.put("use_scaled_rope", true);
                // What differs from the constants in Meta's code is noted; that code ignores keys it does not know.
                if (factor != 8) {
                    json.put("rope_scaling_factor", factor);
                }
                if (low != 1) {
                    json.put("rope_low_freq_factor", low);
                }
                if (high != 4) {
                    json.put("rope_high_freq_factor", high);
                }
                if (original != 8192) {
                    json.put("rope_original_context_length", original);
                }
            }
            case RopeScaling.Linear(float factor) -> throw unknownScaling(config.ropeScaling());
            case RopeScaling.PerFrequency(float[] divisors) -> throw unknownScaling(config.ropeScaling());
        }
        // The same: noted only where the reader would take another from the shape, as it does not for any release.
        if (config.contextLength() != contextLength(config, config.ropeScaling() instanceof RopeScaling.Llama3)) {
            json.put("context_length", config.contextLength());
        }
        return json.toPrettyString() + "\n";
    }

    private static ConfigurationException unknownScaling(RopeScaling scaling) {
        return new ConfigurationException(
                "ropeScaling", scaling, "Meta's code knows Llama-3.1's formula only; use hf or gguf");
    }

    /** A multiplier and a multiple from which Meta's code derives the feed-forward width. */
    private record FeedForwardRule(BigDecimal multiplier, int multipleOf) {
        private static final int[] MULTIPLES = {256, 1024, 4096, 2048, 512, 128, 64, 32, 16, 8, 4, 2, 1};

        static FeedForwardRule of(LlamaConfig config) {
            long base = 2 * (4L * config.width()) / 3; // truncated, as Meta's code does
            double exact = (double) config.feedForwardWidth() / base;
            for (int digits = 1; digits <= 16; digits++) {
                BigDecimal below = new BigDecimal(exact).setScale(digits, RoundingMode.FLOOR);
                BigDecimal above = new BigDecimal(exact).setScale(digits, RoundingMode.CEILING);
                for (int multiple : MULTIPLES) {
                    for (BigDecimal multiplier : new BigDecimal[] {BigDecimal.ONE, below, above}) {
                        if (multiplier.signum() > 0
                                && LlamaConfig.feedForwardWidth(config.width(), multiplier.doubleValue(), multiple)
                                        == config.feedForwardWidth()) {
                            return new FeedForwardRule(multiplier, multiple);
                        }
                    }
                }
            }
            throw new ConfigurationException(
                    "feedForwardWidth", config.feedForwardWidth(), "Meta's rule cannot give it; use hf or gguf");
        }
    }
}
