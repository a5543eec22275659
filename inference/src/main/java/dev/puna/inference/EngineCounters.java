package dev.puna.inference;

/**
 * An engine at one moment; totals count from its start.
 *
 * @param pageLimit pages there can be
 * @param pagesUsed pages that sequences hold: 0 when nothing is computed
 * @param pagesCached pages that nobody holds but whose contents may be found again
 * @param queued requests that wait
 * @param running sequences that are computed
 * @param batchRows rows of the last step
 * @param steps forward passes
 * @param promptTokens tokens of prompts that were computed, recomputation included
 * @param reusedTokens tokens of prompts that were found in shared pages
 * @param generatedTokens tokens that were chosen
 * @param draftedTokens tokens that were guessed
 * @param acceptedTokens of these, how many were right
 * @param preemptions how often a sequence lost its pages and was computed again
 * @param finished requests that ended by themselves
 * @param cancelled requests that were cancelled
 * @param failed requests that ended with an error
 * @param refused requests that found the queue full
 * @param busyNanos time of all steps
 * @param modelNanos of this, time of the forward passes and logits, a draft's included
 */
public record EngineCounters(
        int pageLimit,
        int pagesUsed,
        int pagesCached,
        int queued,
        int running,
        int batchRows,
        long steps,
        long promptTokens,
        long reusedTokens,
        long generatedTokens,
        long draftedTokens,
        long acceptedTokens,
        long preemptions,
        long finished,
        long cancelled,
        long failed,
        long refused,
        long busyNanos,
        long modelNanos) {

    /** The same, with what only the queue's own side knows. */
    EngineCounters withQueue(int waiting, long turnedAway) {
        return new EngineCounters(
                pageLimit,
                pagesUsed,
                pagesCached,
                waiting,
                running,
                batchRows,
                steps,
                promptTokens,
                reusedTokens,
                generatedTokens,
                draftedTokens,
                acceptedTokens,
                preemptions,
                finished,
                cancelled,
                failed,
                turnedAway,
                busyNanos,
                modelNanos);
    }
}
