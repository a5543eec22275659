package dev.puna.inference;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A request that waits or is computed: its sequences, and what belongs to all of them. For the engine's thread. */
final class ActiveRequest {
    final EngineRequest what;
    final Generation generation;
    final int vocabularySize;
    final Purpose purpose;

    final long submittedNanos = System.nanoTime();
    long startedNanos;
    long firstTokenNanos;
    /** Choice 0 first; the others join it when its prompt is computed. */
    final List<ActiveSequence> sequences = new ArrayList<>();

    boolean forked;
    /** The prompt's tokens from the second on, as far as they are known. */
    final List<GeneratedToken> promptTokens = new ArrayList<>();

    ActiveRequest(EngineRequest what, Generation generation, int vocabularySize, Purpose purpose) {
        this.what = what;
        this.generation = generation;
        this.vocabularySize = vocabularySize;
        this.purpose = purpose;
    }

    /** Whether every row of the prompt is wanted, so that none can come from shared pages. */
    boolean wantsPrompt() {
        return switch (purpose) {
            case Purpose.Answer answer -> what.promptLogProbabilities();
            case Purpose.Embedding embedding -> embedding.pooling == Pooling.MEAN;
        };
    }

    /** Whether all of them have been seen. */
    boolean knowsPrompt() {
        return switch (purpose) {
            case Purpose.Answer answer -> promptTokens.size() == what.prompt().length - 1;
            case Purpose.Embedding embedding -> embedding.knows(what.prompt().length);
        };
    }

    /** Whether logits are wanted of rows of the prompt, and tokens chosen. */
    boolean generates() {
        return switch (purpose) {
            case Purpose.Answer answer -> true;
            case Purpose.Embedding embedding -> false;
        };
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
