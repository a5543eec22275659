package dev.puna.inference;

import dev.puna.model.LoraAdapter;
import dev.puna.tensor.ConfigurationException;
import java.util.Optional;

/**
 * What an {@link Engine} shall do.
 *
 * @param prompt ids
 * @param options how to continue it; choice {@code i} of several draws with seed {@code seed + i}
 * @param choices how many continuations
 * @param promptLogProbabilities whether the log-probabilities of the prompt's own tokens are reported (with as many
 *     alternatives as the options ask for); the prompt is then computed whole
 * @param constraint what an answer may look like
 * @param client who asks: waiting clients take turns
 * @param adapter what is added to the model for this request ({@link Engine#loadAdapter})
 */
public record EngineRequest(
        int[] prompt,
        GenerationOptions options,
        int choices,
        boolean promptLogProbabilities,
        Optional<TokenConstraint> constraint,
        String client,
        Optional<LoraAdapter> adapter) {

    public EngineRequest {
        if (choices < 1 || choices > 128) {
            throw new ConfigurationException("choices", choices, "must be in [1, 128]");
        }
        prompt = prompt.clone();
    }

    /** A request that the model answers as it is, without an adapter. */
    public EngineRequest(
            int[] prompt,
            GenerationOptions options,
            int choices,
            boolean promptLogProbabilities,
            Optional<TokenConstraint> constraint,
            String client) {
        this(prompt, options, choices, promptLogProbabilities, constraint, client, Optional.empty());
    }

    /** One continuation of a prompt. */
    public static EngineRequest of(int[] prompt, GenerationOptions options) {
        return new EngineRequest(prompt, options, 1, false, Optional.empty(), "", Optional.empty());
    }

    public EngineRequest withChoices(int value) {
        return new EngineRequest(prompt, options, value, promptLogProbabilities, constraint, client, adapter);
    }

    public EngineRequest withPromptLogProbabilities(boolean value) {
        return new EngineRequest(prompt, options, choices, value, constraint, client, adapter);
    }

    public EngineRequest withConstraint(TokenConstraint value) {
        return new EngineRequest(prompt, options, choices, promptLogProbabilities, Optional.of(value), client, adapter);
    }

    public EngineRequest withClient(String value) {
        return new EngineRequest(prompt, options, choices, promptLogProbabilities, constraint, value, adapter);
    }

    public EngineRequest withAdapter(LoraAdapter value) {
        return new EngineRequest(
                prompt, options, choices, promptLogProbabilities, constraint, client, Optional.of(value));
    }
}
