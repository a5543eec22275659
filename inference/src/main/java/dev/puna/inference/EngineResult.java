package dev.puna.inference;

import java.time.Duration;
import java.util.List;

/**
 * What came of an {@link EngineRequest}.
 *
 * @param choices as many as were asked for
 * @param promptTokens the prompt's tokens from the second on, with their log-probabilities; empty unless asked for
 * @param usage tokens counted
 * @param queued how long the request waited before it was first computed
 */
public record EngineResult(
        List<GenerationResult> choices, List<GeneratedToken> promptTokens, Usage usage, Duration queued) {
    /**
     * Tokens counted.
     *
     * @param promptTokens of the prompt
     * @param cachedTokens of these, how many were found in shared pages
     * @param completionTokens of all choices together
     */
    public record Usage(int promptTokens, int cachedTokens, int completionTokens) {}

    public EngineResult {
        choices = List.copyOf(choices);
        promptTokens = List.copyOf(promptTokens);
    }

    /** The first choice. */
    public GenerationResult first() {
        return choices.getFirst();
    }
}
