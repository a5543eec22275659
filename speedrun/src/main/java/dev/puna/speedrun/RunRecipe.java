package dev.puna.speedrun;

import dev.puna.model.LlamaConfig;
import dev.puna.training.Recipe;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;

/**
 * The recipe of a run as a file that {@code puna train} takes, too.
 *
 * @param config the model
 * @param sequenceLength tokens of a sequence
 * @param name of the run
 * @param output of the trainer
 * @param training prefix of the training shard
 * @param validation prefix of the held-out shard, or none
 * @param bytesPerToken of the text; 0 when not known
 * @param tokenizer folder whose files go into checkpoints, or empty
 * @param sequences of a step
 * @param microSequences that go through a replica of the model at a time
 * @param replicas of the model that compute at the same time
 * @param lr the highest learning rate
 * @param warmupSteps from 0 to it
 * @param decaySteps from it to nearly 0; 0 for none
 * @param steps in all
 * @param prompt what the model continues after the last step, or empty
 */
record RunRecipe(
        LlamaConfig config,
        int sequenceLength,
        String name,
        Path output,
        Path training,
        List<Path> validation,
        double bytesPerToken,
        String tokenizer,
        int sequences,
        int microSequences,
        int replicas,
        double lr,
        long warmupSteps,
        long decaySteps,
        long steps,
        String prompt) {
    /** A linear decay to nearly nothing ends better than one to a tenth (docs/speedrun.md). */
    static final double FINAL_FRACTION = 0.02;

    /** The same run as far as {@code steps}, the last {@code decaySteps} of them with a falling learning rate. */
    RunRecipe until(long newSteps, long newDecaySteps) {
        return new RunRecipe(
                config,
                sequenceLength,
                name,
                output,
                training,
                validation,
                bytesPerToken,
                tokenizer,
                sequences,
                microSequences,
                replicas,
                lr,
                warmupSteps,
                newDecaySteps,
                newSteps,
                prompt);
    }

    /** Writes the file and reads it as the trainer does. */
    Recipe write(Path file) throws IOException {
        dev.puna.tensor.AtomicFile.write(file, yaml().getBytes(StandardCharsets.UTF_8));
        return Recipe.read(file, List.of());
    }

    /** So that a product's outputs are as large as its inputs: the usual 0.02 is that of a width of 2,500. */
    private double deviation() {
        return 1 / Math.sqrt(config.width());
    }

    private String yaml() {
        double tokens = (double) steps * sequences * sequenceLength;
        StringBuilder text = new StringBuilder();
        line(
                text,
                "# => 6 * %.4ge6 parameters * %.4ge6 tokens = %.2g FLOP",
                config.parameterCount() / 1e6,
                tokens / 1e6,
                6 * config.parameterCount() * tokens);
        line(text, "name: %s", name);
        line(text, "steps: %d", steps);
        line(text, "output: %s", quoted(output));
        line(text, "keep: everything");
        line(
                text,
                "model: {vocabularySize: %d, width: %d, layerCount: %d, headCount: %d, kvHeadCount: %d,"
                        + " feedForwardWidth: %d, contextLength: %d, tiedHead: %b}",
                config.vocabularySize(),
                config.width(),
                config.layerCount(),
                config.headCount(),
                config.kvHeadCount(),
                config.feedForwardWidth(),
                config.contextLength(),
                config.tiedHead());
        line(text, "data:");
        line(text, "  sources: [{name: corpus, shards: [%s], weight: 1.0}]", quoted(training));
        line(
                text,
                "  validation: [%s]",
                String.join(", ", validation.stream().map(RunRecipe::quoted).toList()));
        line(text, "  validationSequences: 32");
        line(text, "  sequenceLength: %d", sequenceLength);
        line(text, "  documents: ignored");
        line(text, "  bytesPerToken: %s", bytesPerToken);
        line(text, "  tokenizer: %s", quoted(tokenizer));
        line(text, "batch: {sequences: %d, microSequences: %d, replicas: %d}", sequences, microSequences, replicas);
        line(text, "optimizer: {beta2: 0.99, weightDecay: 0.05}"); // small steps: a longer memory of squares
        line(text, "initialization: {deviation: %.4f, depthScaled: true}", deviation());
        line(
                text,
                "schedule: {kind: %s, lr: %s, warmupSteps: %d, decaySteps: %d, finalFraction: %s}",
                decaySteps > 0 ? "wsd" : "constant",
                lr,
                warmupSteps,
                decaySteps,
                FINAL_FRACTION);
        line(text, "checkpoints: {every: 0, keepLast: 1, keepEvery: 0}");
        line(text, "logging: {every: 10, validateEvery: 0}");
        if (!prompt.isEmpty()) {
            line(text, "samples: {every: %d, prompts: [%s], temperature: 0.6}", steps, quoted(prompt));
        }
        return text.toString();
    }

    @SuppressWarnings("AnnotateFormatMethod")
    private static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static String quoted(Path path) {
        return quoted(path.toString());
    }

    /** A YAML scalar in double quotes: JSON is YAML. */
    private static String quoted(String text) {
        return JsonMapper.shared().writeValueAsString(text);
    }
}
