package dev.puna.training;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.puna.kernels.ComputePrecision;
import dev.puna.model.GradientBuffer;
import dev.puna.model.KeptActivations;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaPreset;
import dev.puna.model.LlamaTraining;
import dev.puna.model.ParameterStore;
import dev.puna.model.RopeScaling;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;
import tools.jackson.dataformat.yaml.YAMLWriteFeature;

/**
 * A run as a file. What a recipe does not say is in {@code recipe-defaults.yaml} beside this class; {@link #toYaml}
 * gives all of it, resolved.
 *
 * @param name of the run
 * @param seed of the weights and of the order of the data
 * @param steps optimizer steps
 * @param output directory of checkpoints and metrics
 * @param precision {@code bf16} or {@code fp32}
 * @param keep {@code everything}, {@code linear-outputs} or {@code layer-inputs}
 * @param zLoss weight of the z-loss, 0 for none
 * @param stochasticRounding whether products in bf16 see the fp32 weights rounded up or down by chance, so that their
 *     mean is the weight, instead of to the nearest
 */
public record Recipe(
        String name,
        long seed,
        long steps,
        String output,
        String precision,
        String keep,
        double zLoss,
        boolean stochasticRounding,
        Model model,
        Initialization initialization,
        Data data,
        Batch batch,
        Optimizer optimizer,
        Schedule schedule,
        Guards guards,
        Checkpoints checkpoints,
        Logging logging,
        Samples samples) {

    /**
     * The model's shape.
     *
     * @param preset a published model whose shape this is, or empty. Fields that a recipe does not give are the preset's
     *     then; of those it gives, {@code width}, {@code layerCount}, {@code headCount}, {@code kvHeadCount} and
     *     {@code feedForwardWidth} must be the preset's, and the others take the place of the preset's
     * @param start a checkpoint in Hugging Face's format to begin from, or empty
     * @param vocabularySize ids, rows of the embedding and of the head
     * @param width of the residual stream; {@code headCount} times the width of a head
     * @param layerCount transformer blocks
     * @param headCount query heads
     * @param kvHeadCount key and value heads; divides {@code headCount}
     * @param feedForwardWidth rows of gate and up
     * @param contextLength positions that the model is made for, at least the longest sequence of the run
     * @param normEpsilon added to the mean square in RMSNorm
     * @param ropeBase θ of RoPE
     * @param tiedHead whether the head is the embedding
     * @param vocabularyUsed ids below this exist, the rows of the embedding and the head above it are padding that takes
     *     no part in the softmax; 0 when all of them exist
     */
    public record Model(
            String preset,
            String start,
            int vocabularySize,
            int width,
            int layerCount,
            int headCount,
            int kvHeadCount,
            int feedForwardWidth,
            int contextLength,
            float normEpsilon,
            double ropeBase,
            boolean tiedHead,
            int vocabularyUsed) {}

    /** See {@link dev.puna.model.ParameterStore.Initialization}. */
    public record Initialization(double deviation, boolean depthScaled) {}

    /**
     * @param sources what is mixed
     * @param sequenceLength inputs of a sequence
     * @param documents {@code respected}: a row sees its own document only; {@code ignored}: the whole sequence
     * @param validation shards held out, or none
     * @param validationSequences of the validation shards to evaluate, spread over them; 0 for all
     * @param bytesPerToken of the text, for bits per byte; 0 when not known; with a tokenizer bytes are counted instead
     * @param tokenizer directory or file of the tokenizer that made the shards, or empty: it goes into checkpoints,
     *     counts bytes, writes samples, and the shards are held against it
     */
    public record Data(
            List<Source> sources,
            int sequenceLength,
            String documents,
            List<String> validation,
            int validationSequences,
            double bytesPerToken,
            String tokenizer) {}

    /** Shards ({@code PREFIX} of {@code PREFIX.bin} and {@code PREFIX.idx}) and their share. */
    public record Source(String name, List<String> shards, double weight) {}

    /**
     * @param sequences of a step
     * @param microSequences that go through the model at a time, of the longest there are
     * @param replicas of the model that compute micro-batches at the same time, on one thread each ({@link Replicas}); 1:
     *     all threads work on every micro-batch together
     * @param ramp larger batches or longer sequences later
     */
    public record Batch(int sequences, int microSequences, int replicas, List<Ramp> ramp) {}

    /**
     * From so many tokens on, so many sequences in a step, of the length of before or of another.
     *
     * @param sequenceLength must divide, or be divided by, those of the other stages
     */
    @JsonInclude(JsonInclude.Include.NON_ABSENT)
    public record Ramp(long afterTokens, int sequences, Optional<Integer> sequenceLength) {}

    /** What a step draws. */
    public record Stage(int sequences, int sequenceLength) {
        public long tokens() {
            return (long) sequences * sequenceLength;
        }
    }

    /**
     * AdamW.
     *
     * @param decay which parameters shrink: {@code matrices}, {@code all}, or {@code none}
     * @param noDecay parts of names of parameters that do not shrink whatever {@code decay} says
     * @param clip largest global gradient norm, 0 for no clipping
     */
    public record Optimizer(
            double beta1,
            double beta2,
            double epsilon,
            double weightDecay,
            String decay,
            List<String> noDecay,
            double clip) {
        /** Whether a parameter shrinks. */
        boolean decays(String parameter, boolean matrix) {
            for (String part : noDecay) {
                if (parameter.contains(part)) {
                    return false;
                }
            }
            return switch (decay) {
                case "all" -> true;
                case "none" -> false;
                default -> matrix;
            };
        }
    }

    /** See {@link LrSchedule#of}. */
    public record Schedule(String kind, double lr, long warmupSteps, double finalFraction, long decaySteps) {}

    /**
     * When a step is not taken. A loss or a norm that is no number is never taken.
     *
     * @param onDivergence {@code skip} the step, {@code rollback} to the last checkpoint, or {@code stop}
     * @param window losses and gradient norms that a new one is compared with
     * @param zScore a loss this many standard deviations above them is a jump; 0 for never
     * @param gradientZScore a gradient norm this many above them is an explosion; 0 for never
     * @param maxGradientNorm a larger norm is an explosion; 0 for never
     * @param patience steps not taken in a row, before the run stops
     * @param maxRollbacks of the whole run, before it stops
     */
    public record Guards(
            String onDivergence,
            int window,
            double zScore,
            double gradientZScore,
            double maxGradientNorm,
            int patience,
            int maxRollbacks) {}

    /**
     * @param every steps between checkpoints, 0 for one at the end
     * @param keepLast how many of the newest to keep
     * @param keepEvery steps whose multiples are kept for good, 0 for none
     */
    public record Checkpoints(long every, int keepLast, long keepEvery) {}

    /** Steps between progress lines and between validations (0: at the end only). */
    public record Logging(long every, long validateEvery) {}

    /**
     * What the model writes while it learns.
     *
     * @param every steps between samples, 0 for none
     * @param prompts one sample each; needs {@code data.tokenizer}
     * @param maxTokens of a sample
     * @param temperature 0 for the most probable token
     */
    public record Samples(long every, List<String> prompts, int maxTokens, double temperature) {}

    /** What a preset is, and what else it says of a model. */
    private static final List<String> SHAPE =
            List.of("width", "layerCount", "headCount", "kvHeadCount", "feedForwardWidth");

    private static final List<String> HIDDEN = Stream.concat(
                    SHAPE.stream(), Stream.of("vocabularySize", "contextLength", "normEpsilon", "ropeBase", "tiedHead"))
            .toList();

    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(YAMLWriteFeature.WRITE_DOC_START_MARKER)
            .enable(YAMLWriteFeature.MINIMIZE_QUOTES)
            .build();

    /**
     * Reads a recipe, applies {@code key.path=value} settings and checks it.
     *
     * @throws ConfigurationException for an unknown field or a value that makes no sense
     */
    public static Recipe read(Path file, List<String> settings) throws IOException {
        return parse(Files.readString(file), settings);
    }

    /** As {@link #read}, from the text itself. */
    public static Recipe parse(String yaml, List<String> settings) throws IOException {
        ObjectNode resolved;
        try (InputStream defaults = Recipe.class.getResourceAsStream("recipe-defaults.yaml")) {
            if (defaults == null) {
                throw new IllegalStateException("recipe-defaults.yaml is missing from the program");
            }
            resolved = (ObjectNode) YAML.readTree(defaults);
        }
        try {
            if (!(YAML.readTree(yaml) instanceof ObjectNode given)) {
                throw new ConfigurationException("recipe", "(no fields)", "a recipe is a YAML file of named fields");
            }
            ObjectNode defaults = resolved.deepCopy();
            apply(resolved, given, settings);
            String preset = resolved.path("model").path("preset").asString("");
            if (!preset.isEmpty()) {
                ignoreDefaults(given, (ObjectNode) defaults.get("model"));
                fill((ObjectNode) defaults.get("model"), LlamaPreset.of(preset).config());
                resolved = defaults;
                apply(resolved, given, settings);
            }
            Recipe recipe = YAML.treeToValue(resolved, Recipe.class);
            recipe.check();
            return recipe;
        } catch (JacksonException e) {
            String message = String.valueOf(e.getOriginalMessage());
            throw new ConfigurationException(
                    fieldOf(e), "(unreadable)", message.lines().findFirst().orElse("not YAML"));
        }
    }

    private static void apply(ObjectNode resolved, ObjectNode given, List<String> settings) {
        merge(resolved, given, "");
        for (String setting : settings) {
            set(resolved, setting);
        }
    }

    /**
     * A resolved recipe of the time when a preset hid the fields beside it, as older checkpoints have, names every
     * default there. These were not meant then and are not now.
     */
    private static void ignoreDefaults(ObjectNode given, ObjectNode defaults) {
        if (given.get("model") instanceof ObjectNode model
                && SHAPE.stream().allMatch(field -> defaults.get(field).equals(model.get(field)))) {
            model.remove(HIDDEN);
        }
    }

    /** The fields of a preset, in the place of what a recipe does not say. */
    private static void fill(ObjectNode model, LlamaConfig preset) {
        model.put("vocabularySize", preset.vocabularySize());
        model.put("width", preset.width());
        model.put("layerCount", preset.layerCount());
        model.put("headCount", preset.headCount());
        model.put("kvHeadCount", preset.kvHeadCount());
        model.put("feedForwardWidth", preset.feedForwardWidth());
        model.put("contextLength", preset.contextLength());
        model.put("normEpsilon", preset.normEpsilon());
        model.put("ropeBase", preset.ropeBase());
        model.put("tiedHead", preset.tiedHead());
    }

    /** {@code schedule.lr}, where the reader got so far. */
    private static String fieldOf(JacksonException e) {
        StringBuilder path = new StringBuilder();
        for (JacksonException.Reference step : e.getPath()) {
            String name = step.getPropertyName();
            path.append(name == null ? "[" + step.getIndex() + "]" : (path.isEmpty() ? "" : ".") + name);
        }
        return path.isEmpty() ? "recipe" : path.toString();
    }

    private static void merge(ObjectNode into, ObjectNode from, String path) {
        for (String field : List.copyOf(from.propertyNames())) {
            JsonNode old = into.get(field);
            if (old == null) {
                throw new ConfigurationException(
                        path + field,
                        from.get(field),
                        "no such field; known are " + String.join(", ", into.propertyNames()));
            }
            if (old instanceof ObjectNode inner && from.get(field) instanceof ObjectNode more) {
                merge(inner, more, path + field + ".");
            } else {
                into.set(field, from.get(field));
            }
        }
    }

    private static void set(ObjectNode recipe, String setting) {
        int equals = setting.indexOf('=');
        if (equals < 1) {
            throw new ConfigurationException("--set", setting, "write key.path=value, as in schedule.lr=1e-3");
        }
        String[] path = setting.substring(0, equals).split("\\.");
        ObjectNode change = YAML.createObjectNode();
        ObjectNode at = change;
        for (int i = 0; i < path.length - 1; i++) {
            at = at.putObject(path[i]);
        }
        at.set(path[path.length - 1], YAML.readTree(setting.substring(equals + 1)));
        merge(recipe, change, "");
    }

    /** All of the recipe, resolved. */
    public String toYaml() {
        return YAML.writeValueAsString(this);
    }

    JsonNode toTree() {
        return YAML.valueToTree(this);
    }

    private void check() {
        positive("steps", steps);
        positive("batch.sequences", batch.sequences);
        positive("batch.microSequences", batch.microSequences);
        positive("batch.replicas", batch.replicas);
        positive("data.sequenceLength", data.sequenceLength);
        oneOf("precision", precision, "bf16", "fp32");
        oneOf("keep", keep, "everything", "linear-outputs", "layer-inputs");
        oneOf("data.documents", data.documents, "respected", "ignored");
        oneOf("optimizer.decay", optimizer.decay, "matrices", "all", "none");
        oneOf("guards.onDivergence", guards.onDivergence, "skip", "rollback", "stop");
        LlamaConfig shape = config();
        checkStages(shape);
        if (model.vocabularyUsed < 0 || model.vocabularyUsed > shape.vocabularySize()) {
            throw new ConfigurationException(
                    "model.vocabularyUsed",
                    model.vocabularyUsed,
                    "must be between 0 and the vocabularySize=" + shape.vocabularySize());
        }
        if (stochasticRounding && !precision.equals("bf16")) {
            throw new ConfigurationException(
                    "stochasticRounding",
                    true,
                    "rounds to bf16, and precision=" + precision + " does not; set one of them");
        }
        checkSamples();
        notNegative("optimizer.weightDecay", optimizer.weightDecay);
        notNegative("optimizer.clip", optimizer.clip);
        notNegative("zLoss", zLoss);
        if (!(optimizer.epsilon > 0)) {
            throw new ConfigurationException("optimizer.epsilon", optimizer.epsilon, "must be positive, usually 1e-8");
        }
        if (checkpoints.keepLast < 1) {
            throw new ConfigurationException(
                    "checkpoints.keepLast", checkpoints.keepLast, "keep at least 1, or there is nothing to resume");
        }
        positive("guards.patience", guards.patience);
        if (guards.window < 2) {
            throw new ConfigurationException(
                    "guards.window",
                    guards.window,
                    "a deviation is of at least 2 steps; guards.zScore=0 and guards.gradientZScore=0 turn the guards off");
        }
        notNegative("guards.zScore", guards.zScore);
        notNegative("guards.gradientZScore", guards.gradientZScore);
        notNegative("guards.maxGradientNorm", guards.maxGradientNorm);
        notNegative("guards.maxRollbacks", guards.maxRollbacks);
        notNegative("checkpoints.every", checkpoints.every);
        notNegative("checkpoints.keepEvery", checkpoints.keepEvery);
        notNegative("logging.validateEvery", logging.validateEvery);
        notNegative("data.validationSequences", data.validationSequences);
        notNegative("data.bytesPerToken", data.bytesPerToken);
        LrSchedule.of(schedule, steps);
        new dev.puna.kernels.AdamWStep(0, optimizer.beta1, optimizer.beta2, optimizer.epsilon, 0, 1, 1);
        new ParameterStore.Initialization(initialization.deviation, initialization.depthScaled);
    }

    private void checkStages(LlamaConfig shape) {
        long before = 0;
        for (Ramp ramp : batch.ramp) {
            positive("batch.ramp.sequences", ramp.sequences);
            positive("batch.ramp.sequenceLength", ramp.sequenceLength.orElse(1));
            if (ramp.afterTokens <= before) {
                throw new ConfigurationException(
                        "batch.ramp.afterTokens", ramp.afterTokens, "must rise from stage to stage");
            }
            before = ramp.afterTokens;
        }
        int longest = longestSequence();
        if (longest > shape.contextLength()) {
            throw new ConfigurationException(
                    longest == data.sequenceLength ? "data.sequenceLength" : "batch.ramp.sequenceLength",
                    longest,
                    "is longer than the model's contextLength=" + shape.contextLength());
        }
        List<Integer> lengths = new ArrayList<>(List.of(data.sequenceLength));
        batch.ramp.forEach(ramp -> ramp.sequenceLength.ifPresent(lengths::add));
        for (int one : lengths) {
            for (int other : lengths) {
                if (Math.max(one, other) % Math.min(one, other) != 0) {
                    throw new ConfigurationException(
                            "batch.ramp.sequenceLength",
                            one,
                            "must divide, or be divided by, the length " + other + " of another stage");
                }
            }
        }
    }

    private void checkSamples() {
        notNegative("samples.every", samples.every);
        notNegative("samples.temperature", samples.temperature);
        positive("samples.maxTokens", samples.maxTokens);
        if (samples.every > 0 && samples.prompts.isEmpty()) {
            throw new ConfigurationException("samples.prompts", "[]", "name what the model is to continue");
        }
        if (samples.every > 0 && data.tokenizer.isEmpty()) {
            throw new ConfigurationException(
                    "samples.every", samples.every, "needs the tokenizer of the shards in data.tokenizer");
        }
    }

    private static void positive(String field, long value) {
        if (value < 1) {
            throw new ConfigurationException(field, value, "must be at least 1");
        }
    }

    private static void notNegative(String field, long value) {
        if (value < 0) {
            throw new ConfigurationException(field, value, "must be 0 or more");
        }
    }

    private static void notNegative(String field, double value) {
        if (!(value >= 0) || Double.isInfinite(value)) {
            throw new ConfigurationException(field, value, "must be 0 or more");
        }
    }

    private static void oneOf(String field, String value, String... known) {
        if (!List.of(known).contains(value)) {
            throw new ConfigurationException(field, value, "use " + String.join(" or ", known));
        }
    }

    /** The model's configuration. */
    public LlamaConfig config() {
        RopeScaling scaling = new RopeScaling.None();
        if (!model.preset.isEmpty()) {
            LlamaConfig preset = LlamaPreset.of(model.preset).config();
            asInPreset("width", model.width, preset.width());
            asInPreset("layerCount", model.layerCount, preset.layerCount());
            asInPreset("headCount", model.headCount, preset.headCount());
            asInPreset("kvHeadCount", model.kvHeadCount, preset.kvHeadCount());
            asInPreset("feedForwardWidth", model.feedForwardWidth, preset.feedForwardWidth());
            scaling = preset.ropeScaling();
        }
        if (model.headCount < 1 || model.width % model.headCount != 0) {
            throw new ConfigurationException(
                    "model.width", model.width, "is not divisible by model.headCount=" + model.headCount);
        }
        return new LlamaConfig(
                model.vocabularySize,
                model.width,
                model.layerCount,
                model.headCount,
                model.kvHeadCount,
                model.width / model.headCount,
                model.feedForwardWidth,
                model.contextLength,
                model.normEpsilon,
                model.ropeBase,
                scaling,
                model.tiedHead,
                false,
                false);
    }

    private void asInPreset(String field, int value, int ofPreset) {
        if (value != ofPreset) {
            throw new ConfigurationException(
                    "model." + field,
                    value,
                    "model.preset=" + model.preset + " has " + ofPreset
                            + "; leave this field out, or give the whole shape" + " without a preset");
        }
    }

    public ComputePrecision computePrecision() {
        return precision.equals("bf16") ? ComputePrecision.BF16 : ComputePrecision.F32;
    }

    public KeptActivations kept() {
        return KeptActivations.valueOf(keep.toUpperCase(Locale.ROOT).replace('-', '_'));
    }

    /** What a step draws that begins when so many tokens have been seen. */
    public Stage stageAfter(long tokens) {
        int sequences = batch.sequences;
        int length = data.sequenceLength;
        for (Ramp ramp : batch.ramp) {
            if (tokens >= ramp.afterTokens) {
                sequences = ramp.sequences;
                length = ramp.sequenceLength.orElse(length);
            }
        }
        return new Stage(sequences, length);
    }

    /** Inputs of the longest sequences that any stage has. */
    public int longestSequence() {
        return batch.ramp.stream()
                .mapToInt(ramp -> ramp.sequenceLength.orElse(data.sequenceLength))
                .reduce(data.sequenceLength, Math::max);
    }

    /** Inputs of the shortest. */
    public int shortestSequence() {
        return batch.ramp.stream()
                .mapToInt(ramp -> ramp.sequenceLength.orElse(data.sequenceLength))
                .reduce(data.sequenceLength, Math::min);
    }

    /** Rows that go through the model at a time. */
    public int rows() {
        return Math.multiplyExact(batch.microSequences, longestSequence());
    }

    /** Ids that exist; rows of the embedding above them are padding. */
    public int vocabularyUsed() {
        return model.vocabularyUsed == 0 ? config().vocabularySize() : model.vocabularyUsed;
    }

    /** Forward and backward: 6 per parameter in a product, and the causal half of attention. */
    public double flopsPerToken() {
        return flopsPerToken(data.sequenceLength, 0.5);
    }

    /**
     * Forward and backward: 6 per parameter in a product, and attention over {@code length} positions.
     *
     * @param causal 0.5 for what has to be computed, 1 for the convention that counts the masked half, too
     */
    double flopsPerToken(int length, double causal) {
        LlamaConfig c = config();
        double products = c.parameterCount() - (c.tiedHead() ? 0 : (double) c.vocabularySize() * c.width());
        return 6 * products + 12 * causal * c.layerCount() * c.queryWidth() * length;
    }

    /** Bytes that this run needs off the Java heap, by what is kept. */
    public List<MemoryNeed> memory() {
        LlamaConfig config = config();
        long parameters = ParameterStore.byteSize(config, stochasticRounding)
                + (batch.replicas - 1) * GradientBuffer.byteSize(config);
        List<MemoryNeed> needs = new ArrayList<>();
        for (KeptActivations kept : KeptActivations.values()) {
            needs.add(new MemoryNeed(
                    kept.name().toLowerCase(Locale.ROOT).replace('_', '-'),
                    parameters,
                    batch.replicas * LlamaTraining.byteSize(config, kept, rows(), computePrecision()),
                    CheckpointStore.snapshotBytes(config)));
        }
        return needs;
    }

    /**
     * @param keep as the recipe spells it
     * @param parameters bytes of weights, gradients and moments
     * @param activations bytes of activations and of what the backward pass works in
     * @param checkpoint bytes of the copy that exists while a checkpoint is being written
     */
    public record MemoryNeed(String keep, long parameters, long activations, long checkpoint) {
        public long total() {
            return parameters + activations + checkpoint;
        }
    }
}
