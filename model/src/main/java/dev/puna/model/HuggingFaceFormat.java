package dev.puna.model;

import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How Hugging Face spells a LLaMA: {@code config.json} and the names of the tensors ({@code configuration_llama.py} and
 * {@code modeling_llama.py} of transformers, 4 and 5).
 */
public final class HuggingFaceFormat {
    /** The name of the configuration in a model's directory. */
    public static final String CONFIG_FILE = "config.json";

    private static final long MAX_CONFIG_BYTES = 16 << 20;

    private HuggingFaceFormat() {}

    /** The name of a tensor. */
    public static String tensorName(LlamaTensor tensor) {
        String layer = "model.layers." + tensor.layer();
        return switch (tensor.role()) {
            case EMBEDDING -> "model.embed_tokens.weight";
            case ATTENTION_NORM -> layer + ".input_layernorm.weight";
            case WQ -> layer + ".self_attn.q_proj.weight";
            case WK -> layer + ".self_attn.k_proj.weight";
            case WV -> layer + ".self_attn.v_proj.weight";
            case WO -> layer + ".self_attn.o_proj.weight";
            case WQ_BIAS -> layer + ".self_attn.q_proj.bias";
            case WK_BIAS -> layer + ".self_attn.k_proj.bias";
            case WV_BIAS -> layer + ".self_attn.v_proj.bias";
            case WO_BIAS -> layer + ".self_attn.o_proj.bias";
            case FEED_FORWARD_NORM -> layer + ".post_attention_layernorm.weight";
            case GATE -> layer + ".mlp.gate_proj.weight";
            case UP -> layer + ".mlp.up_proj.weight";
            case DOWN -> layer + ".mlp.down_proj.weight";
            case GATE_BIAS -> layer + ".mlp.gate_proj.bias";
            case UP_BIAS -> layer + ".mlp.up_proj.bias";
            case DOWN_BIAS -> layer + ".mlp.down_proj.bias";
            case FINAL_NORM -> "model.norm.weight";
            case HEAD -> "lm_head.weight";
        };
    }

    /** Whether a tensor that is not part of the model may lie in its files: tables that can be computed. */
    static boolean isIgnored(String name, LlamaConfig config) {
        return name.endsWith(".rotary_emb.inv_freq")
                || (config.tiedHead()
                        && name.equals(tensorName(new LlamaTensor(Role.HEAD, 0, config.shapeOf(Role.HEAD)))));
    }

    /**
     * Reads {@code config.json}.
     *
     * @param file the file itself
     * @throws ConfigurationException if the model is no LLaMA, or one with settings that Puna does not compute
     * @throws CorruptFileException if the file is no JSON object
     */
    public static LlamaConfig readConfig(Path file) throws IOException {
        JsonNode json = readJson(file);
        try {
            return config(json);
        } catch (JacksonException e) {
            throw new CorruptFileException(file, 0, "the settings of a LLaMA", e.getOriginalMessage());
        }
    }

    /** A JSON object from a file of moderate size. */
    static JsonNode readJson(Path file) throws IOException {
        if (!Files.exists(file)) {
            throw new NoSuchFileException(file.toString());
        }
        long size = Files.size(file);
        if (size > MAX_CONFIG_BYTES) {
            throw new CorruptFileException(file, 0, "at most 16 MiB of JSON", size + " bytes");
        }
        try {
            JsonNode json = JsonMapper.shared().readTree(Files.readString(file, StandardCharsets.UTF_8));
            if (!json.isObject()) {
                throw new CorruptFileException(
                        file, 0, "a JSON object", json.getNodeType().toString());
            }
            return json;
        } catch (JacksonException e) {
            long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getCharOffset());
            throw new CorruptFileException(file, at, "JSON", e.getOriginalMessage());
        }
    }

    private static LlamaConfig config(JsonNode json) {
        String modelType = text(json, "model_type").orElse("(none)");
        if (!modelType.equals("llama") && !modelType.equals("mistral")) {
            throw new ConfigurationException(
                    "model_type",
                    modelType,
                    "this is not a LLaMA; Puna runs models of type llama, and mistral without a sliding window");
        }
        if (json.hasNonNull("quantization_config")) {
            throw new ConfigurationException(
                    "quantization_config",
                    json.get("quantization_config").path("quant_method").asString("?"),
                    "weights in this quantization are not read; use the original checkpoint or a GGUF file");
        }
        String activation = text(json, "hidden_act").orElse("silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw new ConfigurationException("hidden_act", activation, "a LLaMA has silu");
        }
        int width = integer(json, "hidden_size", 4096);
        int heads = integer(json, "num_attention_heads", 32);
        int context = integer(json, "max_position_embeddings", modelType.equals("mistral") ? 131_072 : 2048);
        JsonNode window = json.path("sliding_window");
        if (modelType.equals("mistral") && window.isNumber() && window.asInt() < context) {
            throw new ConfigurationException(
                    "sliding_window",
                    window.asInt(),
                    "attention over a window is not LLaMA's; set it to null in config.json to run the model with "
                            + "max_position_embeddings at most " + window.asInt());
        }
        JsonNode headDim = json.path("head_dim");
        if (!headDim.isNumber() && heads > 0 && width % heads != 0) {
            throw new ConfigurationException(
                    "hidden_size",
                    width,
                    "is not divisible by num_attention_heads=" + heads + ", and there is no head_dim");
        }
        int headSize = headDim.isNumber() ? headDim.asInt() : heads > 0 ? width / heads : 0;
        // transformers 5 has rope_theta and the scaling together in rope_parameters.
        JsonNode rope = json.hasNonNull("rope_parameters") ? json.get("rope_parameters") : json.path("rope_scaling");
        double base = rope.path("rope_theta").isNumber()
                ? rope.path("rope_theta").asDouble()
                : real(json, "rope_theta", 10_000);
        for (JsonNode at : new JsonNode[] {json, rope}) {
            if (at.path("partial_rotary_factor").isNumber()
                    && at.path("partial_rotary_factor").asDouble() != 1) {
                throw new ConfigurationException(
                        "partial_rotary_factor",
                        at.path("partial_rotary_factor").asDouble(),
                        "a LLaMA rotates whole heads");
            }
        }
        boolean mistral = modelType.equals("mistral");
        return new LlamaConfig(
                integer(json, "vocab_size", 32000),
                width,
                integer(json, "num_hidden_layers", 32),
                heads,
                integer(json, "num_key_value_heads", mistral ? 8 : heads),
                headSize,
                integer(json, "intermediate_size", mistral ? 14_336 : 11_008),
                context,
                (float) real(json, "rms_norm_eps", 1e-6),
                base,
                ropeScaling(rope, context),
                truth(json, "tie_word_embeddings"),
                truth(json, "attention_bias"),
                truth(json, "mlp_bias"));
    }

    private static RopeScaling ropeScaling(JsonNode rope, int context) {
        if (!rope.isObject()) {
            return new RopeScaling.None();
        }
        String type = text(rope, "rope_type").or(() -> text(rope, "type")).orElse("default");
        return switch (type) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear((float) requiredReal(rope, "factor"));
            case "llama3" ->
                new RopeScaling.Llama3(
                        (float) requiredReal(rope, "factor"),
                        (float) requiredReal(rope, "low_freq_factor"),
                        (float) requiredReal(rope, "high_freq_factor"),
                        integer(rope, "original_max_position_embeddings", context));
            default ->
                throw new ConfigurationException(
                        "rope_scaling.rope_type", type, "Puna computes default, linear and llama3");
        };
    }

    /**
     * Writes {@code config.json}'s text.
     *
     * @param dtype F32, F16 or BF16: what most weights are
     * @param bos the id that begins a text, if there is one
     * @param ends the ids that end one
     * @throws ConfigurationException if transformers has no spelling for a setting
     */
    public static String writeConfig(LlamaConfig config, DType dtype, Optional<Integer> bos, Iterable<Integer> ends) {
        ObjectNode json = JsonMapper.shared().createObjectNode();
        json.putArray("architectures").add("LlamaForCausalLM");
        json.put("model_type", "llama");
        json.put("vocab_size", config.vocabularySize());
        json.put("hidden_size", config.width());
        json.put("num_hidden_layers", config.layerCount());
        json.put("num_attention_heads", config.headCount());
        json.put("num_key_value_heads", config.kvHeadCount());
        json.put("head_dim", config.headSize());
        json.put("intermediate_size", config.feedForwardWidth());
        json.put("hidden_act", "silu");
        json.put("max_position_embeddings", config.contextLength());
        json.put("rms_norm_eps", config.normEpsilon());
        json.put("rope_theta", config.ropeBase());
        switch (config.ropeScaling()) {
            case RopeScaling.None() -> json.putNull("rope_scaling");
            case RopeScaling.Linear(float factor) ->
                json.putObject("rope_scaling").put("rope_type", "linear").put("factor", factor);
            case RopeScaling.Llama3(float factor, float low, float high, int original) ->
                json.putObject("rope_scaling")
                        .put("rope_type", "llama3")
                        .put("factor", factor)
                        .put("low_freq_factor", low)
                        .put("high_freq_factor", high)
                        .put("original_max_position_embeddings", original);
            case RopeScaling.PerFrequency perFrequency ->
                throw new ConfigurationException(
                        "ropeScaling",
                        perFrequency,
                        "config.json can name formulas only, and these divisors follow none that it knows");
        }
        json.put("tie_word_embeddings", config.tiedHead());
        json.put("attention_bias", config.attentionBias());
        json.put("mlp_bias", config.mlpBias());
        json.put("attention_dropout", 0.0);
        json.put("initializer_range", 0.02);
        json.put("pretraining_tp", 1);
        json.put("use_cache", true);
        bos.ifPresentOrElse(id -> json.put("bos_token_id", id), () -> json.putNull("bos_token_id"));
        ArrayNode endIds = JsonMapper.shared().createArrayNode();
        ends.forEach(endIds::add);
        switch (endIds.size()) {
            case 0 -> json.putNull("eos_token_id");
            case 1 -> json.set("eos_token_id", endIds.get(0));
            default -> json.set("eos_token_id", endIds);
        }
        json.put("torch_dtype", torchName(dtype));
        return json.toPrettyString() + "\n";
    }

    private static String torchName(DType dtype) {
        return switch (dtype) {
            case F32 -> "float32";
            case F16 -> "float16";
            case BF16 -> "bfloat16";
            case F64,
                    I8,
                    I16,
                    I32,
                    I64,
                    U8,
                    Q8_0,
                    Q4_0,
                    Q4_1,
                    Q5_0,
                    Q5_1,
                    Q2_K,
                    Q3_K,
                    Q4_K,
                    Q5_K,
                    Q6_K,
                    IQ4_NL,
                    IQ4_XS -> throw new ConfigurationException("torch_dtype", dtype, "use F32, F16 or BF16");
        };
    }

    static Optional<String> text(JsonNode json, String field) {
        JsonNode value = json.path(field);
        return value.isString() ? Optional.of(value.asString()) : Optional.empty();
    }

    static int integer(JsonNode json, String field, int whenMissing) {
        JsonNode value = json.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return whenMissing;
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw new ConfigurationException(field, value, "must be a whole number below 2^31");
        }
        return value.asInt();
    }

    static double real(JsonNode json, String field, double whenMissing) {
        JsonNode value = json.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return whenMissing;
        }
        if (!value.isNumber()) {
            throw new ConfigurationException(field, value, "must be a number");
        }
        return value.asDouble();
    }

    private static double requiredReal(JsonNode json, String field) {
        if (!json.path(field).isNumber()) {
            throw new ConfigurationException("rope_scaling." + field, json.path(field), "must be a number");
        }
        return json.path(field).asDouble();
    }

    static boolean truth(JsonNode json, String field) {
        JsonNode value = json.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return false;
        }
        if (!value.isBoolean()) {
            throw new ConfigurationException(field, value, "must be true or false");
        }
        return value.asBoolean();
    }
}
