package dev.puna.server;

import dev.puna.inference.EngineCounters;
import dev.puna.inference.EngineObserver;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * What happens, in Prometheus' text format 0.0.4. Counted here and not by a metrics library: a library would be one more
 * megabyte on the path of every verb for four histograms.
 */
final class Metrics implements EngineObserver {
    private static final double[] SECONDS = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
    private static final double[] TOKEN_SECONDS = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5};
    private static final double[] ROWS = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

    private final LongAdder requests = new LongAdder();
    private final LongAdder errors = new LongAdder();
    private final LongAdder abandoned = new LongAdder();
    private final AtomicInteger open = new AtomicInteger();
    private final Histogram duration = new Histogram("request_seconds", "Time that requests took.", SECONDS);
    private final Histogram queue =
            new Histogram("queue_seconds", "Time that requests waited to be computed.", SECONDS);
    private final Histogram firstToken =
            new Histogram("time_to_first_token_seconds", "From a request to its first token.", SECONDS);
    private final Histogram betweenTokens =
            new Histogram("time_between_tokens_seconds", "From a token to the next of its answer.", TOKEN_SECONDS);
    private final Histogram rows = new Histogram("step_rows", "Tokens that a forward pass computed.", ROWS);
    private final Histogram sequences = new Histogram("step_sequences", "Answers that a forward pass computed.", ROWS);

    void begun() {
        requests.increment();
        open.incrementAndGet();
    }

    void ended(long nanos) {
        open.decrementAndGet();
        duration.record(nanos * 1e-9);
    }

    /** Requests that are being answered. */
    int open() {
        return open.get();
    }

    void error() {
        errors.increment();
    }

    void abandoned() {
        abandoned.increment();
    }

    @Override
    public void stepped(int rowCount, int sequenceCount) {
        rows.record(rowCount);
        sequences.record(sequenceCount);
    }

    @Override
    public void begun(long nanosSinceItCame) {
        queue.record(nanosSinceItCame * 1e-9);
    }

    @Override
    public void firstToken(long nanosSinceItCame) {
        firstToken.record(nanosSinceItCame * 1e-9);
    }

    @Override
    public void nextToken(long nanosSinceTheOneBefore) {
        betweenTokens.record(nanosSinceTheOneBefore * 1e-9);
    }

    String text(EngineCounters now) {
        StringBuilder out = new StringBuilder();
        counter(out, "http_requests_total", "Requests.", requests.sum());
        counter(out, "http_errors_total", "Requests that were refused or failed.", errors.sum());
        counter(out, "http_abandoned_total", "Requests whose client went away.", abandoned.sum());
        gauge(out, "http_open_requests", "Requests that are being answered.", open.get());
        gauge(out, "pages", "Pages of keys and values there can be.", now.pageLimit());
        gauge(out, "pages_used", "Pages that sequences hold.", now.pagesUsed());
        gauge(out, "pages_cached", "Pages that may be found again.", now.pagesCached());
        gauge(out, "queue_length", "Requests that wait.", now.queued());
        gauge(out, "running_sequences", "Sequences that are computed.", now.running());
        gauge(out, "batch_rows", "Rows of the last step.", now.batchRows());
        counter(out, "steps_total", "Forward passes.", now.steps());
        counter(out, "prompt_tokens_total", "Tokens of prompts that were computed.", now.promptTokens());
        counter(out, "cached_tokens_total", "Tokens of prompts that were found.", now.reusedTokens());
        counter(out, "generated_tokens_total", "Tokens that were chosen.", now.generatedTokens());
        counter(out, "drafted_tokens_total", "Tokens that were guessed.", now.draftedTokens());
        counter(out, "accepted_tokens_total", "Guessed tokens that were right.", now.acceptedTokens());
        counter(out, "preemptions_total", "Sequences that lost their pages.", now.preemptions());
        counter(out, "finished_total", "Requests that ended by themselves.", now.finished());
        counter(out, "cancelled_total", "Requests that were cancelled.", now.cancelled());
        counter(out, "failed_total", "Requests that ended with an error.", now.failed());
        counter(out, "refused_total", "Requests that found the queue full.", now.refused());
        queue.write(out);
        firstToken.write(out);
        betweenTokens.write(out);
        rows.write(out);
        sequences.write(out);
        duration.write(out);
        return out.toString();
    }

    private static void counter(StringBuilder out, String name, String help, long value) {
        head(out, name, help, "counter");
        out.append("puna_").append(name).append(' ').append(value).append('\n');
    }

    private static void gauge(StringBuilder out, String name, String help, long value) {
        head(out, name, help, "gauge");
        out.append("puna_").append(name).append(' ').append(value).append('\n');
    }

    static void head(StringBuilder out, String name, String help, String type) {
        out.append("# HELP puna_").append(name).append(' ').append(help).append('\n');
        out.append("# TYPE puna_").append(name).append(' ').append(type).append('\n');
    }
}
