package dev.puna.inference;

import java.time.Duration;
import java.util.List;

/**
 * What came of a generation.
 *
 * @param text without stop strings and control tokens
 * @param promptIds the prompt as the model saw it
 * @param tokens everything that was chosen, an end token included
 * @param finishReason why it ended
 * @param timings how long it took
 */
public record GenerationResult(
        String text, int[] promptIds, List<GeneratedToken> tokens, FinishReason finishReason, Timings timings) {

    public GenerationResult {
        tokens = List.copyOf(tokens);
    }

    /** The ids of {@link #tokens()}. */
    public int[] ids() {
        return tokens.stream().mapToInt(GeneratedToken::id).toArray();
    }

    /**
     * How long a generation took.
     *
     * @param promptTokens tokens of the prompt
     * @param reusedTokens of these, how many were in the cache already
     * @param prefill from the start until the logits of the first token were there
     * @param generatedTokens tokens that were chosen
     * @param decode from then to the end
     */
    public record Timings(int promptTokens, int reusedTokens, Duration prefill, int generatedTokens, Duration decode) {
        /** Tokens of the prompt that were computed per second. */
        public double prefillTokensPerSecond() {
            return perSecond(promptTokens - reusedTokens, prefill);
        }

        /** Tokens per second after the first, whose logits belong to the prefill. */
        public double decodeTokensPerSecond() {
            return perSecond(Math.max(0, generatedTokens - 1), decode);
        }

        private static double perSecond(int count, Duration duration) {
            return duration.isZero() ? 0 : count * 1e9 / duration.toNanos();
        }
    }
}
