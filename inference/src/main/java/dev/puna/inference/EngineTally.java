package dev.puna.inference;

/** What an engine has counted since its start; {@link EngineCounters} says what each is. For the engine's thread. */
final class EngineTally {
    long steps;
    long promptTokens;
    long reusedTokens;
    long generatedTokens;
    long draftedTokens;
    long acceptedTokens;
    long preemptions;
    long finished;
    long cancelled;
    long failed;
    long busyNanos;
    long modelNanos;

    /** As it stands, with nothing known about the queue. */
    EngineCounters counters(PagePool pool, int running, int batchRows) {
        return new EngineCounters(
                pool.pageLimit(),
                pool.used(),
                pool.cached(),
                0,
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
                0,
                busyNanos,
                modelNanos);
    }
}
