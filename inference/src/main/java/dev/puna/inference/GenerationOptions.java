package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import java.util.List;
import java.util.Set;

/**
 * What to generate from a prompt.
 *
 * @param maxTokens at most so many tokens; the model's context may end it earlier
 * @param sampling how tokens are chosen
 * @param stop texts that end the generation; they, and what follows them, are not part of the text
 * @param stopIds ids that end it, beside the tokenizer's own end tokens
 * @param ignoreEnd whether the tokenizer's own end tokens do not end it; for measurements
 * @param topLogProbabilities how many alternatives of each token are reported with their log-probabilities; 0 for none
 * @param logProbabilities whether the log-probability of each token is reported
 */
public record GenerationOptions(
        int maxTokens,
        Sampling sampling,
        List<String> stop,
        Set<Integer> stopIds,
        boolean ignoreEnd,
        int topLogProbabilities,
        boolean logProbabilities) {

    /** Up to 512 tokens with {@link Sampling#DEFAULT}. */
    public static final GenerationOptions DEFAULT =
            new GenerationOptions(512, Sampling.DEFAULT, List.of(), Set.of(), false, 0, false);

    public GenerationOptions {
        if (maxTokens < 0) {
            throw new ConfigurationException("maxTokens", maxTokens, "must not be negative");
        }
        if (topLogProbabilities < 0 || topLogProbabilities > 100) {
            throw new ConfigurationException("topLogProbabilities", topLogProbabilities, "must be in [0, 100]");
        }
        stop = List.copyOf(stop);
        for (String text : stop) {
            if (text.isEmpty()) {
                throw new ConfigurationException("stop", "\"\"", "a stop string must not be empty");
            }
        }
        stopIds = Set.copyOf(stopIds);
    }

    public GenerationOptions withMaxTokens(int value) {
        return new GenerationOptions(value, sampling, stop, stopIds, ignoreEnd, topLogProbabilities, logProbabilities);
    }

    public GenerationOptions withSampling(Sampling value) {
        return new GenerationOptions(maxTokens, value, stop, stopIds, ignoreEnd, topLogProbabilities, logProbabilities);
    }

    public GenerationOptions withStop(String... texts) {
        return new GenerationOptions(
                maxTokens, sampling, List.of(texts), stopIds, ignoreEnd, topLogProbabilities, logProbabilities);
    }

    public GenerationOptions withStopIds(Set<Integer> value) {
        return new GenerationOptions(
                maxTokens, sampling, stop, value, ignoreEnd, topLogProbabilities, logProbabilities);
    }

    public GenerationOptions withIgnoreEnd(boolean value) {
        return new GenerationOptions(maxTokens, sampling, stop, stopIds, value, topLogProbabilities, logProbabilities);
    }

    /** Reports each token's log-probability, and those of the {@code top} most probable ones. */
    public GenerationOptions withLogProbabilities(int top) {
        return new GenerationOptions(maxTokens, sampling, stop, stopIds, ignoreEnd, top, true);
    }
}
