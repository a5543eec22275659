package dev.puna.model;

import dev.puna.formats.Gguf;
import dev.puna.formats.GgufMetadata;
import dev.puna.formats.GgufValue;
import dev.puna.formats.TensorSource;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tokenizer.GgufVocabulary;
import dev.puna.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How GGUF spells a LLaMA: metadata under {@code llama.} and the names of the tensors ({@code llama-arch.cpp} and
 * {@code gguf-py} of llama.cpp).
 *
 * <p>GGUF has no name for Llama-3's formula of RoPE scaling: a file holds its result, one divisor per frequency, in the
 * tensor {@value #ROPE_FREQUENCIES}. Read back, the formula is recognised when its usual parameters, or those that this
 * class has noted in {@code puna.rope_scaling.*}, give the same divisors; so that frequencies have the same bits as from
 * {@code config.json}.
 */
public final class GgufFormat {
    /** The tensor with one divisor per frequency, F32 (D/2). */
    public static final String ROPE_FREQUENCIES = "rope_freqs.weight";

    private static final String ARCHITECTURE = "general.architecture";
    private static final String NOTE = "puna.rope_scaling.";
    /** Divisors were computed in other orders and precisions by the tools that wrote them. */
    private static final float DIVISOR_TOLERANCE = 2e-5f;

    private GgufFormat() {}

    /** The name of a tensor. */
    public static String tensorName(LlamaTensor tensor) {
        String layer = "blk." + tensor.layer();
        return switch (tensor.role()) {
            case EMBEDDING -> "token_embd.weight";
            case ATTENTION_NORM -> layer + ".attn_norm.weight";
            case WQ -> layer + ".attn_q.weight";
            case WK -> layer + ".attn_k.weight";
            case WV -> layer + ".attn_v.weight";
            case WO -> layer + ".attn_output.weight";
            case WQ_BIAS -> layer + ".attn_q.bias";
            case WK_BIAS -> layer + ".attn_k.bias";
            case WV_BIAS -> layer + ".attn_v.bias";
            case WO_BIAS -> layer + ".attn_output.bias";
            case FEED_FORWARD_NORM -> layer + ".ffn_norm.weight";
            case GATE -> layer + ".ffn_gate.weight";
            case UP -> layer + ".ffn_up.weight";
            case DOWN -> layer + ".ffn_down.weight";
            case GATE_BIAS -> layer + ".ffn_gate.bias";
            case UP_BIAS -> layer + ".ffn_up.bias";
            case DOWN_BIAS -> layer + ".ffn_down.bias";
            case FINAL_NORM -> "output_norm.weight";
            case HEAD -> "output.weight";
        };
    }

    /** Whether a tensor that is not one of the model's own may lie in its file. */
    static boolean isIgnored(String name) {
        return name.equals(ROPE_FREQUENCIES) || name.endsWith(".attn_rot_embd");
    }

    /**
     * The configuration of an open file.
     *
     * @throws ConfigurationException if the model is no LLaMA, or one with settings that Puna does not compute
     */
    public static LlamaConfig readConfig(Gguf file) {
        GgufMetadata metadata = file.metadata();
        String architecture = metadata.text(ARCHITECTURE).orElse("(none)");
        if (!architecture.equals("llama")) {
            throw new ConfigurationException(
                    ARCHITECTURE, architecture, "this is not a LLaMA; Puna runs GGUF files of architecture llama");
        }
        long experts = metadata.whole("llama.expert_count").orElse(0);
        if (experts > 0) {
            throw new ConfigurationException(
                    "llama.expert_count", experts, "a mixture of experts (Mixtral) is not a LLaMA");
        }
        if (metadata.whole("split.count").orElse(1) > 1) {
            throw new ConfigurationException(
                    "split.count",
                    metadata.whole("split.count").getAsLong(),
                    "this is one file of several; join them with llama-gguf-split --merge");
        }
        int width = count(metadata, "llama.embedding_length");
        int layers = count(metadata, "llama.block_count");
        int heads = count(metadata, "llama.attention.head_count");
        int kvHeads = optionalCount(metadata, "llama.attention.head_count_kv").orElse(heads);
        int headSize = optionalCount(metadata, "llama.attention.key_length")
                .or(() -> optionalCount(metadata, "llama.rope.dimension_count"))
                .orElse(heads > 0 ? width / heads : 0);
        require(metadata, "llama.attention.value_length", headSize, "keys and values of a LLaMA have the same size");
        require(metadata, "llama.rope.dimension_count", headSize, "a LLaMA rotates whole heads of " + headSize);
        int context = count(metadata, "llama.context_length");
        long window = metadata.whole("llama.attention.sliding_window").orElse(0);
        if (window > 0 && window < context) {
            throw new ConfigurationException(
                    "llama.attention.sliding_window", window, "attention over a window is not LLaMA's");
        }
        String embedding = tensorName(new LlamaTensor(Role.EMBEDDING, 0, Shape.of()));
        Shape table = file.describe(embedding).shape();
        if (table.rank() != 2) {
            throw new ConfigurationException(embedding, table, "must be a matrix (vocabulary, width)");
        }
        return new LlamaConfig(
                Math.toIntExact(table.dim(0)),
                width,
                layers,
                heads,
                kvHeads,
                headSize,
                count(metadata, "llama.feed_forward_length"),
                context,
                (float) metadata.real("llama.attention.layer_norm_rms_epsilon")
                        .orElseThrow(() -> missing("llama.attention.layer_norm_rms_epsilon")),
                metadata.real("llama.rope.freq_base").orElse(10_000),
                ropeScaling(
                        file, headSize, metadata.real("llama.rope.freq_base").orElse(10_000)),
                !has(file, Role.HEAD),
                has(file, Role.WQ_BIAS),
                has(file, Role.GATE_BIAS));
    }

    private static boolean has(TensorSource file, Role role) {
        return file.contains(tensorName(new LlamaTensor(role, 0, Shape.of())));
    }

    private static RopeScaling ropeScaling(Gguf file, int headSize, double base) {
        GgufMetadata metadata = file.metadata();
        if (file.contains(ROPE_FREQUENCIES)) {
            Tensor divisors = file.tensor(ROPE_FREQUENCIES);
            if (divisors.dtype() != DType.F32 || divisors.shape().elementCount() != headSize / 2) {
                throw new ConfigurationException(
                        ROPE_FREQUENCIES, divisors, "must be F32 (" + headSize / 2 + "), half a head");
            }
            return recognised(metadata, divisors.toFloats(), headSize, base);
        }
        String type = metadata.text("llama.rope.scaling.type").orElse("none");
        OptionalDouble factor = metadata.real("llama.rope.scaling.factor");
        OptionalDouble oldFactor = metadata.real("llama.rope.scale_linear");
        return switch (type) {
            case "none" ->
                oldFactor.isPresent() && oldFactor.getAsDouble() != 1
                        ? new RopeScaling.Linear((float) oldFactor.getAsDouble())
                        : new RopeScaling.None();
            case "linear" -> {
                double value = factor.isPresent() ? factor.getAsDouble() : oldFactor.orElse(1);
                yield value == 1 || value == 0 ? new RopeScaling.None() : new RopeScaling.Linear((float) value);
            }
            default ->
                throw new ConfigurationException("llama.rope.scaling.type", type, "Puna computes none and linear");
        };
    }

    private static RopeScaling recognised(GgufMetadata metadata, float[] divisors, int headSize, double base) {
        float largest = 1;
        for (float divisor : divisors) {
            largest = Math.max(largest, divisor);
        }
        if (largest > 1) {
            RopeScaling.Llama3 candidate = new RopeScaling.Llama3(
                    (float) metadata.real(NOTE + "factor").orElse(largest),
                    (float) metadata.real(NOTE + "low_frequency_factor").orElse(1),
                    (float) metadata.real(NOTE + "high_frequency_factor").orElse(4),
                    (int) metadata.whole(NOTE + "original_context_length").orElse(8192));
            float[] expected = divisors(candidate, base, headSize);
            boolean same = true;
            for (int i = 0; i < divisors.length; i++) {
                same &= Math.abs(divisors[i] - expected[i]) <= DIVISOR_TOLERANCE * expected[i];
            }
            if (same) {
                return candidate;
            }
        }
        float[] ones = new float[divisors.length];
        Arrays.fill(ones, 1);
        return Arrays.equals(divisors, ones) ? new RopeScaling.None() : new RopeScaling.PerFrequency(divisors);
    }

    /** What divides each unscaled frequency. */
    private static float[] divisors(RopeScaling scaling, double base, int headSize) {
        if (scaling instanceof RopeScaling.PerFrequency(float[] given)) {
            return given;
        }
        float[] plain = new RopeScaling.None().frequencies(base, headSize);
        float[] scaled = scaling.frequencies(base, headSize);
        for (int i = 0; i < plain.length; i++) {
            plain[i] /= scaled[i];
        }
        return plain;
    }

    /** The divisors that the file must hold as {@value #ROPE_FREQUENCIES}, F32 (D/2); empty where none are needed. */
    public static Optional<Tensor> ropeFrequencies(LlamaConfig config) {
        return switch (config.ropeScaling()) {
            case RopeScaling.None _, RopeScaling.Linear _ -> Optional.empty();
            case RopeScaling.Llama3 formula -> Optional.of(divisorTensor(formula, config));
            case RopeScaling.PerFrequency perFrequency -> Optional.of(divisorTensor(perFrequency, config));
        };
    }

    private static Tensor divisorTensor(RopeScaling scaling, LlamaConfig config) {
        float[] divisors = divisors(scaling, config.ropeBase(), config.headSize());
        return Tensor.ofFloats(divisors, divisors.length);
    }

    /** Writes the configuration's keys; tokenizer and name are the caller's. */
    public static void writeConfig(LlamaConfig config, GgufMetadata.Builder metadata) {
        metadata.text(ARCHITECTURE, "llama")
                .uint32("llama.vocab_size", config.vocabularySize())
                .uint32("llama.context_length", config.contextLength())
                .uint32("llama.embedding_length", config.width())
                .uint32("llama.block_count", config.layerCount())
                .uint32("llama.feed_forward_length", config.feedForwardWidth())
                .uint32("llama.attention.head_count", config.headCount())
                .uint32("llama.attention.head_count_kv", config.kvHeadCount())
                .uint32("llama.attention.key_length", config.headSize())
                .uint32("llama.attention.value_length", config.headSize())
                .float32("llama.attention.layer_norm_rms_epsilon", config.normEpsilon())
                .uint32("llama.rope.dimension_count", config.headSize())
                .float32("llama.rope.freq_base", (float) config.ropeBase());
        switch (config.ropeScaling()) {
            case RopeScaling.None _, RopeScaling.PerFrequency _ -> {}
            case RopeScaling.Linear(float factor) ->
                metadata.text("llama.rope.scaling.type", "linear").float32("llama.rope.scaling.factor", factor);
            case RopeScaling.Llama3(float factor, float low, float high, int original) ->
                metadata.float32(NOTE + "factor", factor)
                        .float32(NOTE + "low_frequency_factor", low)
                        .float32(NOTE + "high_frequency_factor", high)
                        .uint32(NOTE + "original_context_length", original);
        }
    }

    /** The vocabulary in the metadata; empty where it says that there is none. */
    static Optional<Tokenizer> readTokenizer(GgufMetadata metadata) {
        String model = metadata.text("tokenizer.ggml.model").orElse("no_vocab");
        if (model.equals("no_vocab") || model.equals("none")) {
            return Optional.empty();
        }
        Map<String, Object> values = new HashMap<>();
        metadata.values().forEach((key, value) -> {
            if (key.startsWith("tokenizer.")) {
                values.put(key, plain(value));
            }
        });
        return Optional.of(GgufVocabulary.read(values));
    }

    private static Object plain(GgufValue value) {
        return switch (value) {
            case GgufValue.Text(String text) -> text;
            case GgufValue.Bool(boolean truth) -> truth;
            case GgufValue.Whole whole -> whole.value();
            case GgufValue.Real real -> real.value();
            case GgufValue.Array array ->
                switch (array.elementType()) {
                    case STRING -> array.utf8();
                    case FLOAT32 -> array.floats();
                    case INT32, UINT32 -> array.ints();
                    case UINT8, INT8, UINT16, INT16, BOOL, ARRAY, UINT64, INT64, FLOAT64 -> array.values();
                };
        };
    }

    private static void require(GgufMetadata metadata, String key, long wanted, String hint) {
        OptionalLong found = metadata.whole(key);
        if (found.isPresent() && found.getAsLong() != wanted) {
            throw new ConfigurationException(key, found.getAsLong(), hint);
        }
    }

    private static int count(GgufMetadata metadata, String key) {
        return optionalCount(metadata, key).orElseThrow(() -> missing(key));
    }

    /** A count, or an array with the same count for every layer. */
    private static Optional<Integer> optionalCount(GgufMetadata metadata, String key) {
        Optional<GgufValue> value = metadata.value(key);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        if (value.get() instanceof GgufValue.Array array) {
            List<GgufValue> distinct = array.values().stream().distinct().toList();
            if (distinct.size() == 1 && distinct.getFirst() instanceof GgufValue.Whole whole) {
                return Optional.of(toInt(key, whole.value()));
            }
            throw new ConfigurationException(key, array, "the layers of a LLaMA are all alike");
        }
        return Optional.of(toInt(key, metadata.whole(key).orElseThrow()));
    }

    private static int toInt(String key, long value) {
        if (value < 0 || value > Integer.MAX_VALUE) {
            throw new ConfigurationException(key, value, "must be a count below 2^31");
        }
        return (int) value;
    }

    private static ConfigurationException missing(String key) {
        return new ConfigurationException(key, "(missing)", "a GGUF file of a LLaMA must have it");
    }
}
