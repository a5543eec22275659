package dev.puna.model;

import dev.puna.formats.Safetensors;
import dev.puna.formats.TensorSource;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.blocks.Rows;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import tools.jackson.databind.JsonNode;

/**
 * What a LoRA (Hu et al. 2021) adds to the linear layers of a model: {@code y = x · wᵀ + scale · (x · aᵀ) · bᵀ}. It is
 * read from a PEFT directory ({@code adapter_config.json}, {@code adapter_model.safetensors}) and kept beside the base,
 * whose weights are neither copied nor changed; so rows of one batch may have different adapters.
 *
 * <p>The matrices are kept in F32, the scale multiplied into b, and b's rows in the order of the base. Borrowed by
 * forward passes; closing frees the memory.
 */
public final class LoraAdapter implements AutoCloseable {
    /** The file names of a PEFT directory. */
    public static final String CONFIG_FILE = "adapter_config.json";

    public static final String WEIGHTS_FILE = "adapter_model.safetensors";

    private static final String PREFIX = "base_model.model.";

    private static final List<Role> LINEAR = List.of(Role.WQ, Role.WK, Role.WV, Role.WO, Role.GATE, Role.UP, Role.DOWN);

    /**
     * What is added to one linear layer.
     *
     * @param a F32 (r, in)
     * @param b F32 (out, r), scaled
     */
    record Delta(Tensor a, Tensor b) {}

    private record Place(Role role, int layer) {}

    private final Path path;
    private final LlamaConfig base;
    private final Slab slab;
    private final Map<Place, Delta> deltas;

    private LoraAdapter(Path path, LlamaConfig base, Slab slab, Map<Place, Delta> deltas) {
        this.path = path;
        this.base = base;
        this.slab = slab;
        this.deltas = deltas;
    }

    /**
     * Reads an adapter for a model.
     *
     * @param directory with {@code adapter_config.json} and {@code adapter_model.safetensors}
     * @param base the model that it was trained on
     * @param pairing how the rows of the base's wq and wk are ordered
     * @throws ConfigurationException if it is no LoRA, one with settings that Puna does not compute, or one for another
     *     base
     * @throws CorruptFileException if a file is damaged or a matrix has no other half
     */
    public static LoraAdapter open(Path directory, LlamaConfig base, RopePairing pairing) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new NoSuchFileException(directory.toString(), null, "no such adapter directory");
        }
        Path config = directory.resolve(CONFIG_FILE);
        if (!Files.exists(config)) {
            throw new ConfigurationException("adapter", directory, "has no " + CONFIG_FILE);
        }
        if (!Files.exists(directory.resolve(WEIGHTS_FILE))) {
            throw new ConfigurationException(
                    "adapter", directory, "has no " + WEIGHTS_FILE + "; save it with safe_serialization");
        }
        Settings settings = Settings.read(HuggingFaceFormat.readJson(config));
        try (Safetensors source = Safetensors.open(directory.resolve(WEIGHTS_FILE))) {
            return read(directory, source, settings, base, pairing);
        }
    }

    private static LoraAdapter read(
            Path directory, TensorSource source, Settings settings, LlamaConfig base, RopePairing pairing) {
        Map<String, Place> modules = new HashMap<>();
        for (Role role : LINEAR) {
            for (int layer = 0; layer < base.layerCount(); layer++) {
                modules.put(moduleName(role, layer, base), new Place(role, layer));
            }
        }
        List<String> found = new ArrayList<>();
        long bytes = 0;
        for (String name : source.names()) {
            Optional<String> module = moduleOf(name);
            if (module.isEmpty() || !modules.containsKey(module.get())) {
                throw new ConfigurationException(
                        "adapter tensor",
                        name,
                        "is no LoRA matrix of a linear layer of a base of " + base.layerCount()
                                + " layers; embeddings, heads, norms and biases are not adapted");
            }
            bytes += Slab.bytesFor(DType.F32, source.describe(name).shape().elementCount());
            if (name.contains(".lora_A.")) {
                found.add(module.get());
            } else if (!source.contains(PREFIX + module.get() + ".lora_A.weight")) {
                throw new CorruptFileException(source.path(), 0, module.get() + ".lora_A.weight", "none");
            }
        }
        if (found.isEmpty()) {
            throw new CorruptFileException(source.path(), 0, "matrices lora_A and lora_B", "none");
        }
        Slab slab = new Slab(bytes);
        try {
            Map<Place, Delta> deltas = new HashMap<>();
            for (String module : found) {
                Place place = Objects.requireNonNull(modules.get(module));
                deltas.put(place, delta(source, settings, module, place, base, pairing, slab));
            }
            return new LoraAdapter(directory, base, slab, deltas);
        } catch (RuntimeException e) {
            slab.close();
            throw e;
        }
    }

    /** {@code model.layers.0.self_attn.q_proj}. */
    private static String moduleName(Role role, int layer, LlamaConfig base) {
        String weight = HuggingFaceFormat.tensorName(new LlamaTensor(role, layer, base.shapeOf(role)));
        return weight.substring(0, weight.length() - ".weight".length());
    }

    private static Optional<String> moduleOf(String name) {
        for (String suffix : new String[] {".lora_A.weight", ".lora_B.weight"}) {
            if (name.startsWith(PREFIX) && name.endsWith(suffix)) {
                return Optional.of(name.substring(PREFIX.length(), name.length() - suffix.length()));
            }
        }
        return Optional.empty();
    }

    private static Delta delta(
            TensorSource source,
            Settings settings,
            String module,
            Place place,
            LlamaConfig base,
            RopePairing pairing,
            Slab slab) {
        String nameOfA = PREFIX + module + ".lora_A.weight";
        String nameOfB = PREFIX + module + ".lora_B.weight";
        if (!source.contains(nameOfB)) {
            throw new CorruptFileException(source.path(), 0, module + ".lora_B.weight", "none");
        }
        int rank = settings.rank(module);
        Shape weight = base.shapeOf(place.role); // (out, in)
        requireShape(source, nameOfA, Shape.of(rank, weight.columns()), base);
        requireShape(source, nameOfB, Shape.of(weight.rows(), rank), base);
        Tensor a = slab.allocate(DType.F32, rank, weight.columns());
        Tensor b = slab.allocate(DType.F32, weight.rows(), rank);
        float[] valuesOfA = floats(source.tensor(nameOfA));
        for (int i = 0; i < valuesOfA.length; i++) {
            a.setFloat(i, valuesOfA[i]);
        }
        double scale = settings.scale(module, rank);
        boolean reorder = place.role.isRotated() && pairing == RopePairing.INTERLEAVED;
        float[] valuesOfB = floats(source.tensor(nameOfB));
        for (int row = 0; row < weight.rows(); row++) {
            int from = reorder ? halvesRow(row, base.headSize()) : row;
            for (int column = 0; column < rank; column++) {
                b.setFloat((long) row * rank + column, (float) (scale * valuesOfB[from * rank + column]));
            }
        }
        return new Delta(a, b);
    }

    private static float[] floats(Tensor matrix) {
        float[] values = new float[Math.toIntExact(matrix.shape().elementCount())];
        Rows.decode(matrix.dtype(), matrix.data(), 0, values.length, values, 0);
        return values;
    }

    /** Where the row stands when the two elements of a pair are half a head apart instead of neighbours. */
    private static int halvesRow(int row, int headSize) {
        int within = row % headSize;
        return row - within + within % 2 * (headSize / 2) + within / 2;
    }

    private static void requireShape(TensorSource source, String name, Shape expected, LlamaConfig base) {
        Shape actual = source.describe(name).shape();
        if (!actual.equals(expected)) {
            throw new ConfigurationException(
                    "adapter tensor",
                    name + " " + actual,
                    "must be " + expected + " for this base (width " + base.width() + ", " + base.layerCount()
                            + " layers) and the rank in " + CONFIG_FILE + ": the adapter was trained on another model");
        }
        DType dtype = source.describe(name).requireDType();
        if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
            throw new ConfigurationException("adapter tensor", name + " " + dtype, "must be F32, F16 or BF16");
        }
    }

    /** The directory. */
    public Path path() {
        return path;
    }

    /** The configuration of the model that it fits. */
    public LlamaConfig base() {
        return base;
    }

    /** Bytes of its matrices. */
    public long byteSize() {
        return slab.byteSize();
    }

    /** How many linear layers it changes. */
    public int moduleCount() {
        return deltas.size();
    }

    Optional<Delta> delta(Role role, int layer) {
        return Optional.ofNullable(deltas.get(new Place(role, layer)));
    }

    /** Frees its memory; idempotent. */
    @Override
    public void close() {
        slab.close();
    }

    /** What {@code adapter_config.json} says about the arithmetic. */
    private record Settings(
            int rank, double alpha, boolean rootOfRank, Map<String, Double> ranks, Map<String, Double> alphas) {

        static Settings read(JsonNode json) {
            String type = json.path("peft_type").asString("(none)");
            if (!type.equals("LORA")) {
                throw new ConfigurationException("peft_type", type, "only LORA adapters are computed");
            }
            for (String flag : new String[] {
                "use_dora", "fan_in_fan_out", "lora_bias", "use_qalora", "use_bdlora",
            }) {
                if (json.path(flag).asBoolean(false)) {
                    throw new ConfigurationException(flag, true, "such adapters are not computed; merge it with PEFT");
                }
            }
            if (!json.path("bias").asString("none").equals("none")) {
                throw new ConfigurationException(
                        "bias", json.path("bias").asString("?"), "trained biases are not read");
            }
            for (String more : new String[] {
                "modules_to_save",
                "trainable_token_indices",
                "alora_invocation_tokens",
                "target_parameters",
                "layer_replication"
            }) {
                JsonNode value = json.path(more);
                if (!value.isMissingNode() && !value.isNull() && !value.isEmpty()) {
                    throw new ConfigurationException(
                            more, value.toString(), "only linear layers of the base are adapted; merge it with PEFT");
                }
            }
            String start = json.path("init_lora_weights").asString("true");
            if (start.startsWith("pissa") || start.equals("olora") || start.equals("corda") || start.equals("loftq")) {
                throw new ConfigurationException(
                        "init_lora_weights", start, "changes the base itself; convert it to a plain LoRA with PEFT");
            }
            int rank = json.path("r").asInt(0);
            if (rank < 1) {
                throw new ConfigurationException("r", json.path("r").toString(), "the rank must be at least 1");
            }
            return new Settings(
                    rank,
                    json.path("lora_alpha").asDouble(8),
                    json.path("use_rslora").asBoolean(false),
                    pattern(json.path("rank_pattern")),
                    pattern(json.path("alpha_pattern")));
        }

        private static Map<String, Double> pattern(JsonNode json) {
            Map<String, Double> pattern = new LinkedHashMap<>();
            json.properties()
                    .forEach(entry ->
                            pattern.put(entry.getKey(), entry.getValue().asDouble(0)));
            return pattern;
        }

        int rank(String module) {
            return (int) lookup(ranks, module, rank);
        }

        double scale(String module, int rankOfModule) {
            return lookup(alphas, module, alpha) / (rootOfRank ? Math.sqrt(rankOfModule) : rankOfModule);
        }

        /** PEFT's rule: the first pattern that is the module's name or its end after a dot, as a regular expression. */
        private static double lookup(Map<String, Double> patterns, String module, double otherwise) {
            for (Map.Entry<String, Double> entry : patterns.entrySet()) {
                try {
                    if (Pattern.matches("(.*\\.)?(" + entry.getKey() + ")", module)) {
                        return entry.getValue();
                    }
                } catch (PatternSyntaxException e) {
                    throw new ConfigurationException("rank_pattern", entry.getKey(), "is no regular expression");
                }
            }
            return otherwise;
        }
    }
}
