package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How an {@link Engine} serves many sequences.
 *
 * @param model kernels, threads, type of keys and values; its chunk bounds the rows of one step, where there are not
 *     more streams than that, or guesses, which fill up to 16 rows
 * @param kvBytes memory for keys and values; empty for half of what the machine has available at the start, and no more
 *     than {@code maxSequences} full contexts need
 * @param pageLength positions in a page, a power of two: prefixes are shared in whole pages
 * @param maxSequences how many are computed together
 * @param queueLimit how many requests may wait
 * @param mixedPrefill at most so many tokens of prompts per step while others wait for their next token; the engine
 *     takes as many as make a step of streams four times as long as it is without
 * @param prefixSharing whether requests share the pages of equal beginnings; the results are the same
 * @param lookupTokens how many tokens are guessed per step by looking up how the same words went on before (prompt
 *     lookup, Saxena 2023); 0 for none. The text is the same
 * @param draft a smaller model with the same vocabulary that guesses ahead (Leviathan et al. 2023); the text is the same
 * @param draftTokens how many tokens it guesses per step, where lookup has found none
 */
public record EngineOptions(
        LlamaOptions model,
        OptionalLong kvBytes,
        int pageLength,
        int maxSequences,
        int queueLimit,
        int mixedPrefill,
        boolean prefixSharing,
        int lookupTokens,
        Optional<Path> draft,
        int draftTokens) {

    public EngineOptions {
        require(kvBytes.isEmpty() || kvBytes.getAsLong() > 0, "kvBytes", kvBytes, "must be positive");
        require(
                Integer.bitCount(pageLength) == 1 && pageLength <= 4096,
                "pageLength",
                pageLength,
                "must be a power of two up to 4096");
        require(maxSequences >= 1 && maxSequences <= 4096, "maxSequences", maxSequences, "must be in [1, 4096]");
        require(queueLimit >= 1, "queueLimit", queueLimit, "must be at least 1");
        require(mixedPrefill >= 1, "mixedPrefill", mixedPrefill, "must be at least 1");
        require(lookupTokens >= 0 && lookupTokens <= 32, "lookupTokens", lookupTokens, "must be in [0, 32]");
        require(draftTokens >= 1 && draftTokens <= 32, "draftTokens", draftTokens, "must be in [1, 32]");
    }

    /** Pages of 32 positions, 64 sequences, a queue of 512, up to 256 tokens of prompts beside running streams. */
    public static EngineOptions defaults() {
        return new EngineOptions(
                LlamaOptions.defaults(), OptionalLong.empty(), 32, 64, 512, 256, true, 0, Optional.empty(), 4);
    }

    public EngineOptions withModel(LlamaOptions value) {
        return new EngineOptions(
                value,
                kvBytes,
                pageLength,
                maxSequences,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withKvBytes(long value) {
        return new EngineOptions(
                model,
                OptionalLong.of(value),
                pageLength,
                maxSequences,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withPageLength(int value) {
        return new EngineOptions(
                model,
                kvBytes,
                value,
                maxSequences,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withMaxSequences(int value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                value,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withQueueLimit(int value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                maxSequences,
                value,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withMixedPrefill(int value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                maxSequences,
                queueLimit,
                value,
                prefixSharing,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withPrefixSharing(boolean value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                maxSequences,
                queueLimit,
                mixedPrefill,
                value,
                lookupTokens,
                draft,
                draftTokens);
    }

    public EngineOptions withLookupTokens(int value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                maxSequences,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                value,
                draft,
                draftTokens);
    }

    public EngineOptions withDraft(Path value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                maxSequences,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                Optional.of(value),
                draftTokens);
    }

    public EngineOptions withDraftTokens(int value) {
        return new EngineOptions(
                model,
                kvBytes,
                pageLength,
                maxSequences,
                queueLimit,
                mixedPrefill,
                prefixSharing,
                lookupTokens,
                draft,
                value);
    }

    private static void require(boolean holds, String field, Object value, String hint) {
        if (!holds) {
            throw new ConfigurationException(field, value, hint);
        }
    }
}
