package dev.puna.cli;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.Generation;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.Sampling;
import dev.puna.inference.Submission;
import dev.puna.inference.TokenEvent;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Who answers the requests of a serving benchmark. For any number of threads. */
sealed interface ServingTarget {
    /**
     * One answer.
     *
     * @param submitted nanoseconds of {@link System#nanoTime}
     * @param tokens when each token, or piece of text over HTTP, arrived
     * @param generated how many tokens the answer has
     * @param text the ids or the text, to compare answers by
     */
    record Answer(long submitted, long[] tokens, int generated, String text) {}

    /**
     * Asks for exactly {@code length} tokens, greedily, and waits for the last.
     *
     * @throws IOException if the request fails
     */
    Answer ask(int[] prompt, int length) throws IOException, InterruptedException;

    /** An engine in this process. */
    record InProcess(Engine engine) implements ServingTarget {
        @Override
        public Answer ask(int[] prompt, int length) throws IOException, InterruptedException {
            GenerationOptions options = GenerationOptions.DEFAULT
                    .withSampling(Sampling.GREEDY)
                    .withMaxTokens(length)
                    .withIgnoreEnd(true);
            long submitted = System.nanoTime();
            return switch (engine.submit(EngineRequest.of(prompt, options))) {
                case Submission.Accepted(Generation generation) -> {
                    Clock clock = new Clock();
                    generation.tokens().subscribe(clock);
                    clock.ended.await();
                    int[] ids = generation.await().first().ids();
                    yield new Answer(submitted, clock.times(), ids.length, Arrays.toString(ids));
                }
                case Submission.QueueFull(int limit, Duration retryAfter) ->
                    throw new IOException("the queue of " + limit + " is full; retry after " + retryAfter);
            };
        }

        /** Notes when tokens arrive. */
        private static final class Clock implements Flow.Subscriber<TokenEvent> {
            private final List<Long> times = new ArrayList<>();
            private final CountDownLatch ended = new CountDownLatch(1);

            @Override
            public void onSubscribe(Flow.Subscription subscription) {
                subscription.request(Long.MAX_VALUE);
            }

            @Override
            public void onNext(TokenEvent event) {
                times.add(System.nanoTime());
            }

            @Override
            public void onError(Throwable thrown) {
                ended.countDown();
            }

            @Override
            public void onComplete() {
                ended.countDown();
            }

            long[] times() {
                return times.stream().mapToLong(Long::longValue).toArray();
            }
        }
    }

    /**
     * A server that speaks OpenAI's {@code /v1/completions} with token ids as prompts.
     *
     * @param base {@code http://127.0.0.1:8080}
     * @param model the name that it knows the model by
     */
    record Http(HttpClient client, URI base, String model) implements ServingTarget {
        private static final JsonMapper JSON = JsonMapper.shared();

        @Override
        public Answer ask(int[] prompt, int length) throws IOException, InterruptedException {
            String ids = Arrays.stream(prompt).mapToObj(Integer::toString).collect(Collectors.joining(","));
            String body = "{\"model\":" + JSON.writeValueAsString(model) + ",\"prompt\":[" + ids + "],\"max_tokens\":"
                    + length + ",\"temperature\":0,\"stream\":true,\"stream_options\":{\"include_usage\":true}}";
            HttpRequest request = HttpRequest.newBuilder(base.resolve("/v1/completions"))
                    .header("Content-Type", "application/json")
                    .timeout(Duration.ofMinutes(10))
                    .POST(HttpRequest.BodyPublishers.ofString(body))
                    .build();
            long submitted = System.nanoTime();
            HttpResponse<Stream<String>> response = client.send(request, HttpResponse.BodyHandlers.ofLines());
            List<Long> times = new ArrayList<>();
            StringBuilder text = new StringBuilder();
            int generated = 0;
            try (Stream<String> lines = response.body()) {
                if (response.statusCode() != 200) {
                    throw new IOException("status " + response.statusCode() + ": "
                            + lines.limit(5).collect(Collectors.joining(" ")));
                }
                for (Iterator<String> each = lines.iterator(); each.hasNext(); ) {
                    String line = each.next();
                    if (!line.startsWith("data:") || line.equals("data: [DONE]")) {
                        continue;
                    }
                    long now = System.nanoTime();
                    JsonNode event = JSON.readTree(line.substring("data:".length()));
                    if (event.hasNonNull("error")) {
                        throw new IOException(event.get("error").toString());
                    }
                    JsonNode choice = event.path("choices").path(0);
                    if (choice.hasNonNull("text")) {
                        times.add(now);
                        text.append(choice.get("text").asString(""));
                    }
                    generated = event.path("usage").path("completion_tokens").asInt(generated);
                }
            }
            return new Answer(
                    submitted,
                    times.stream().mapToLong(Long::longValue).toArray(),
                    generated == 0 ? times.size() : generated,
                    text.toString());
        }
    }
}
