package dev.puna.inference;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A request that waits or is computed: its sequences, and what belongs to all of them. For the engine's thread. */
final class ActiveRequest {
    final EngineRequest what;
    final Generation generation;
    final int vocabularySize;
    /** How an embedding is made; null for a generation. */
    final @Nullable Pooling pooling;

    final long submittedNanos = System.nanoTime();
    long startedNanos;
    long firstTokenNanos;
    /** Choice 0 first; the others join it when its prompt is computed. */
    final List<ActiveSequence> sequences = new ArrayList<>();

    boolean forked;
    /** The prompt's tokens from the second on, as far as they are known. */
    final List<GeneratedToken> promptTokens = new ArrayList<>();
    /** Sum of the states of the prompt's tokens, and how many were added. */
    double[] state = {};

    int states;
    float[] embedding = {};

    ActiveRequest(EngineRequest what, Generation generation, int vocabularySize, @Nullable Pooling pooling) {
        this.what = what;
        this.generation = generation;
        this.vocabularySize = vocabularySize;
        this.pooling = pooling;
    }

    /** Whether every row of the prompt is wanted, so that none can come from shared pages. */
    boolean wantsPrompt() {
        return pooling == Pooling.MEAN || what.promptLogProbabilities();
    }

    /** Whether all of them have been seen. */
    boolean knowsPrompt() {
        return pooling == Pooling.MEAN
                ? states == what.prompt().length
                : promptTokens.size() == what.prompt().length - 1;
    }

    /** Whether logits are wanted of rows of the prompt, and tokens chosen. */
    boolean generates() {
        return pooling == null;
    }

    EngineResult result(long now) {
        List<GenerationResult> choices = new ArrayList<>();
        int completion = 0;
        int reused = 0;
        for (ActiveSequence sequence : sequences) {
            choices.add(sequence.result(now));
            completion += sequence.tokens.size();
            reused = Math.max(reused, sequence.reused);
        }
        long started = startedNanos == 0 ? now : startedNanos;
        return new EngineResult(
                choices,
                promptTokens,
                new EngineResult.Usage(what.prompt().length, reused, completion),
                Duration.ofNanos(started - submittedNanos));
    }
}
