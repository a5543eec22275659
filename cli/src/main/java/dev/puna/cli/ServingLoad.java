package dev.puna.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * What a number of clients ask of a server: each waits for its answer, pauses, and asks again. Pauses are exponential,
 * so that requests arrive as a Poisson process as long as nobody waits. Lengths of prompts are uniform in their logarithm,
 * and evenly spread over any few requests (an additive recurrence), so that levels with few requests compare with those
 * of many. Everything but the times follows from the seed.
 *
 * @param shortest tokens of a prompt
 * @param longest tokens of a prompt
 * @param answer tokens of an answer in the mean, from half of it to one and a half
 * @param pauseMillis the mean pause of a client
 * @param perClient requests of each client
 * @param seconds after so many no client asks again
 * @param vocabulary prompts are ids below it
 */
record ServingLoad(
        int shortest,
        int longest,
        int answer,
        double pauseMillis,
        int perClient,
        double seconds,
        int vocabulary,
        long seed) {
    /** Ids below are control tokens in many vocabularies. */
    private static final int FIRST_ID = 10;

    /**
     * Milliseconds that half, 95 % and 99 % do not exceed.
     *
     * @param count of how many
     */
    record Percentiles(int count, double p50, double p95, double p99) {
        static Percentiles of(List<Double> values) {
            double[] sorted =
                    values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
            return new Percentiles(sorted.length, at(sorted, 0.5), at(sorted, 0.95), at(sorted, 0.99));
        }

        /** The nearest rank; NaN without values. */
        private static double at(double[] sorted, double fraction) {
            return sorted.length == 0
                    ? Double.NaN
                    : sorted[Math.clamp((long) Math.ceil(fraction * sorted.length) - 1, 0, sorted.length - 1)];
        }
    }

    /**
     * What came of it.
     *
     * @param seconds from the first request to the last token
     * @param generatedPerSecond tokens of answers
     * @param totalPerSecond tokens of prompts and answers
     * @param firstTokenMillis from the request to its first token
     * @param betweenTokensMillis from each token to the next of the same answer
     * @param failure the first one, empty for none
     */
    record Level(
            int clients,
            int requests,
            int failures,
            String failure,
            double seconds,
            long promptTokens,
            long generatedTokens,
            double generatedPerSecond,
            double totalPerSecond,
            Percentiles firstTokenMillis,
            Percentiles betweenTokensMillis) {}

    int[] prompt(Random random, int length) {
        return random.ints(length, FIRST_ID, vocabulary).toArray();
    }

    Level run(ServingTarget target, int clients) throws InterruptedException {
        List<ServingTarget.Answer> answers = new ArrayList<>();
        AtomicInteger failures = new AtomicInteger();
        AtomicReference<String> failure = new AtomicReference<>("");
        AtomicLong promptTokens = new AtomicLong();
        CountDownLatch ready = new CountDownLatch(clients);
        long[] begin = {0};
        long[] end = {0};
        List<Thread> threads = new ArrayList<>();
        for (int client = 0; client < clients; client++) {
            int first = client * perClient;
            Random random = new Random(seed * 1000 + clients * 100_000L + client);
            threads.add(Thread.ofVirtual().unstarted(() -> {
                try {
                    ready.countDown();
                    ready.await();
                    long start = System.nanoTime();
                    for (int i = 0; i < perClient; i++) {
                        pause(random);
                        if (i > 0 && System.nanoTime() - start > seconds * 1e9) {
                            return;
                        }
                        int number = first + i;
                        int length = length(number);
                        int[] prompt = prompt(random, length);
                        int wanted = (int) (answer * (0.5 + spread(number, Math.sqrt(2))));
                        try {
                            ServingTarget.Answer given = target.ask(prompt, Math.max(2, wanted));
                            promptTokens.addAndGet(length);
                            synchronized (answers) {
                                answers.add(given);
                                begin[0] =
                                        answers.size() == 1 ? given.submitted() : Math.min(begin[0], given.submitted());
                                end[0] = Math.max(end[0], given.tokens()[given.tokens().length - 1]);
                            }
                        } catch (IOException | RuntimeException e) {
                            failures.incrementAndGet();
                            failure.compareAndSet("", String.valueOf(e.getMessage()));
                        }
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        List<Double> first = new ArrayList<>();
        List<Double> between = new ArrayList<>();
        long generated = 0;
        for (ServingTarget.Answer each : answers) {
            generated += each.generated();
            first.add((each.tokens()[0] - each.submitted()) * 1e-6);
            between.addAll(between(each, Long.MIN_VALUE, Long.MAX_VALUE));
        }
        double took = Math.max(1e-9, (end[0] - begin[0]) * 1e-9);
        return new Level(
                clients,
                answers.size() + failures.get(),
                failures.get(),
                Objects.requireNonNullElse(failure.get(), ""),
                took,
                promptTokens.get(),
                generated,
                generated / took,
                (generated + promptTokens.get()) / took,
                Percentiles.of(first),
                Percentiles.of(between));
    }

    /** Milliseconds between tokens that arrived in a span of time. */
    static List<Double> between(ServingTarget.Answer answer, long from, long to) {
        List<Double> between = new ArrayList<>();
        long[] times = answer.tokens();
        for (int i = 1; i < times.length; i++) {
            if (times[i] >= from && times[i] <= to) {
                between.add((times[i] - times[i - 1]) * 1e-6);
            }
        }
        return between;
    }

    private void pause(Random random) throws InterruptedException {
        Thread.sleep((long) (-Math.log(1 - random.nextDouble()) * pauseMillis));
    }

    /** In [0, 1), and any few neighbours far from each other. */
    private static double spread(int number, double step) {
        double at = 0.5 + number * step;
        return at - Math.floor(at);
    }

    private int length(int number) {
        double golden = (Math.sqrt(5) - 1) / 2;
        double logarithm = Math.log(shortest) + spread(number, golden) * Math.log((double) longest / shortest);
        return Math.clamp(Math.round(Math.exp(logarithm)), shortest, longest);
    }

    /**
     * Streams that run while a long prompt arrives.
     *
     * @param streams how many
     * @param before between their tokens until it arrives
     * @param during from its arrival to its first token
     * @param firstTokenMillis how long it waits for that
     */
    record Interruption(
            int streams, int promptTokens, Percentiles before, Percentiles during, double firstTokenMillis) {}

    /** {@code streams} short conversations; when all are running, one prompt of the longest kind. */
    Interruption interrupt(ServingTarget target, int streams, int tokens) throws IOException, InterruptedException {
        List<ServingTarget.Answer> answers = new ArrayList<>();
        AtomicReference<String> failure = new AtomicReference<>("");
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < streams; i++) {
            int[] prompt = prompt(new Random(seed + i), shortest);
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    ServingTarget.Answer given = target.ask(prompt, tokens);
                    synchronized (answers) {
                        answers.add(given);
                    }
                } catch (IOException | RuntimeException e) {
                    failure.compareAndSet("", String.valueOf(e.getMessage()));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
        }
        // A short request of its own tells when the streams are under way, however fast this machine is.
        target.ask(prompt(new Random(seed - 1), shortest), Math.max(2, tokens / 4));
        ServingTarget.Answer newcomer = target.ask(prompt(new Random(seed - 2), longest), 2);
        for (Thread thread : threads) {
            thread.join();
        }
        String failed = Objects.requireNonNullElse(failure.get(), "");
        if (!failed.isEmpty()) {
            throw new IOException(failed);
        }
        List<Double> before = new ArrayList<>();
        List<Double> during = new ArrayList<>();
        for (ServingTarget.Answer each : answers) {
            before.addAll(between(each, Long.MIN_VALUE, newcomer.submitted()));
            during.addAll(between(each, newcomer.submitted(), newcomer.tokens()[0]));
        }
        return new Interruption(
                streams,
                longest,
                Percentiles.of(before),
                Percentiles.of(during),
                (newcomer.tokens()[0] - newcomer.submitted()) * 1e-6);
    }

    /**
     * One beginning that many requests have in common.
     *
     * @param tokens of it
     * @param firstMillis to the first token of the first request
     * @param againMillis to the first token of the others
     */
    record Repetition(int repeats, int tokens, double firstMillis, Percentiles againMillis) {}

    Repetition repeat(ServingTarget target, int repeats, int tokens) throws IOException, InterruptedException {
        int[] system = prompt(new Random(seed - 3), tokens);
        double first = 0;
        List<Double> again = new ArrayList<>();
        for (int i = 0; i < repeats; i++) {
            int[] prompt = Arrays.copyOf(system, tokens + 4);
            for (int j = 0; j < 4; j++) {
                prompt[tokens + j] = FIRST_ID + (i + j * 7) % (vocabulary - FIRST_ID);
            }
            ServingTarget.Answer given = target.ask(prompt, 2);
            double millis = (given.tokens()[0] - given.submitted()) * 1e-6;
            if (i == 0) {
                first = millis;
            } else {
                again.add(millis);
            }
        }
        return new Repetition(repeats, tokens, first, Percentiles.of(again));
    }

    /** Whether a prompt is answered among others as it is alone. */
    boolean sameAmongOthers(ServingTarget target) throws IOException, InterruptedException {
        int[] prompt = prompt(new Random(seed), shortest);
        String alone = target.ask(prompt, 12).text();
        List<Thread> others = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            int[] other = prompt(new Random(seed + 1 + i), shortest + 7 * i);
            others.add(Thread.ofVirtual().start(() -> {
                try {
                    target.ask(other, 20);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
        }
        String among = target.ask(prompt, 12).text();
        for (Thread other : others) {
            other.join();
        }
        return alone.equals(among);
    }
}
