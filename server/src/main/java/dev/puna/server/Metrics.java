package dev.puna.server;

import dev.puna.inference.EngineCounters;
import java.util.Locale;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;

/** Counters in Prometheus' text format 0.0.4. */
final class Metrics {
    /** Upper bounds of the histogram of durations, seconds. */
    private static final double[] SECONDS = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

    private final LongAdder requests = new LongAdder();
    private final LongAdder errors = new LongAdder();
    private final LongAdder[] buckets = new LongAdder[SECONDS.length + 1];
    private final DoubleAdder sum = new DoubleAdder();

    Metrics() {
        for (int i = 0; i < buckets.length; i++) {
            buckets[i] = new LongAdder();
        }
    }

    void request() {
        requests.increment();
    }

    void error() {
        errors.increment();
    }

    void duration(double seconds) {
        int bucket = 0;
        while (bucket < SECONDS.length && seconds > SECONDS[bucket]) {
            bucket++;
        }
        buckets[bucket].increment();
        sum.add(seconds);
    }

    String text(EngineCounters now) {
        StringBuilder out = new StringBuilder();
        counter(out, "http_requests_total", "Requests.", requests.sum());
        counter(out, "http_errors_total", "Requests that were refused or failed.", errors.sum());
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
        head(out, "request_seconds", "Time that completions took.", "histogram");
        long reached = 0;
        for (int i = 0; i < buckets.length; i++) {
            reached += buckets[i].sum();
            String bound = i < SECONDS.length ? String.format(Locale.ROOT, "%s", SECONDS[i]) : "+Inf";
            out.append("puna_request_seconds_bucket{le=\"")
                    .append(bound)
                    .append("\"} ")
                    .append(reached)
                    .append('\n');
        }
        out.append("puna_request_seconds_sum ").append(sum.sum()).append('\n');
        out.append("puna_request_seconds_count ").append(reached).append('\n');
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

    private static void head(StringBuilder out, String name, String help, String type) {
        out.append("# HELP puna_").append(name).append(' ').append(help).append('\n');
        out.append("# TYPE puna_").append(name).append(' ').append(type).append('\n');
    }
}
