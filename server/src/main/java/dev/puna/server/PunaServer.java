package dev.puna.server;

import static dev.puna.server.Completions.ordered;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.Generation;
import dev.puna.inference.Pooling;
import dev.puna.inference.Submission;
import dev.puna.inference.TokenEvent;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.template.TemplateException;
import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.RejectedExecutionException;
import java.util.logging.Level;
import java.util.logging.Logger;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Serves an {@link Engine} over HTTP: {@code /v1/chat/completions}, {@code /v1/completions}, {@code /v1/embeddings},
 * {@code /v1/models} as OpenAI's API has them, and {@code /tokenize}, {@code /detokenize}, {@code /health},
 * {@code /metrics}. Borrows the engine.
 */
public final class PunaServer implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private static final Logger LOG_OF_HELIDON = Logger.getLogger("io.helidon");

    private final Engine engine;
    private final ServerOptions options;
    private final Completions completions;
    private final Metrics metrics = new Metrics();
    private final long created = Instant.now().getEpochSecond();
    private final WebServer server;

    private PunaServer(Engine engine, ServerOptions options) {
        this.engine = engine;
        this.options = options;
        this.completions = new Completions(engine, options.model());
        this.server = WebServer.builder()
                .host(options.host())
                .port(options.port())
                .maxPayloadSize(options.maxBodyBytes())
                .shutdownHook(false)
                .routing(this::route)
                .build();
    }

    /**
     * Begins to listen.
     *
     * @throws ConfigurationException if the model has no tokenizer
     */
    public static PunaServer start(Engine engine, ServerOptions options) {
        if (LOG_OF_HELIDON.getLevel() == null) {
            LOG_OF_HELIDON.setLevel(Level.WARNING); // it greets
        }
        PunaServer server = new PunaServer(engine, options);
        server.server.start();
        return server;
    }

    /** The port that it listens on. */
    public int port() {
        return server.port();
    }

    /** Where a browser finds it: {@code http://127.0.0.1:8080}. */
    public String address() {
        String host = options.host();
        boolean everywhere = host.equals("0.0.0.0") || host.equals("::");
        String shown = everywhere ? "127.0.0.1" : host.contains(":") ? "[" + host + "]" : host;
        return "http://" + shown + ":" + port();
    }

    /** The model's name for clients. */
    public String model() {
        return options.model();
    }

    private void route(HttpRouting.Builder routing) {
        routing.get("/health", handler((request, response) -> send(response, Map.of("status", "ok"))));
        routing.get(
                "/metrics",
                handler((request, response) -> response.header(
                                HeaderNames.CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
                        .send(metrics.text(engine.counters()))));
        routing.get("/v1/models", handler((request, response) -> send(response, models())));
        routing.post(
                "/v1/chat/completions",
                handler((request, response) -> complete(completions.chat(body(request), client(request)), response)));
        routing.post(
                "/v1/completions",
                handler((request, response) ->
                        complete(completions.completion(body(request), client(request)), response)));
        routing.post("/v1/embeddings", handler(this::embed));
        routing.post("/tokenize", handler(this::tokenize));
        routing.post("/detokenize", handler(this::detokenize));
        routing.any(handler((request, response) -> {
            throw new ApiException(
                    404, "invalid_request_error", "There is nothing at this address.", null, "not_found");
        }));
    }

    /** What a request does, and what is said when it cannot. */
    private interface Exchange {
        void run(ServerRequest request, ServerResponse response) throws InterruptedException;
    }

    private Handler handler(Exchange exchange) {
        return (request, response) -> {
            metrics.request();
            try {
                requireKey(request);
                exchange.run(request, response);
            } catch (ApiException e) {
                refuse(response, e);
            } catch (ConfigurationException e) {
                refuse(
                        response,
                        new ApiException(
                                400, "invalid_request_error", String.valueOf(e.getMessage()), e.field(), null));
            } catch (TemplateException e) {
                refuse(response, ApiException.invalid("messages", String.valueOf(e.getMessage())));
            } catch (RejectedExecutionException e) {
                refuse(
                        response,
                        new ApiException(429, "rate_limit_error", String.valueOf(e.getMessage()), null, "queue_full"));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                refuse(response, new ApiException(503, "server_error", "The server is closing.", null, null));
            } catch (IllegalStateException e) {
                refuse(response, new ApiException(500, "server_error", String.valueOf(e.getMessage()), null, null));
            }
        };
    }

    private void refuse(ServerResponse response, ApiException e) {
        metrics.error();
        if (!response.isSent()) {
            response.status(Status.create(e.status));
            send(response, e.body());
        }
    }

    private static void send(ServerResponse response, Object body) {
        response.header(HeaderNames.CONTENT_TYPE, "application/json").send(JSON.writeValueAsBytes(body));
    }

    private void requireKey(ServerRequest request) {
        if (options.apiKey().isEmpty() || request.path().path().equals("/health")) {
            return;
        }
        byte[] wanted = ("Bearer " + options.apiKey().get()).getBytes(StandardCharsets.UTF_8);
        byte[] given =
                request.headers().first(HeaderNames.AUTHORIZATION).orElse("").getBytes(StandardCharsets.UTF_8);
        if (!MessageDigest.isEqual(wanted, given)) { // takes as long wherever they differ
            throw new ApiException(
                    401, "invalid_request_error", "Incorrect API key provided.", null, "invalid_api_key");
        }
    }

    /** Waiting clients take turns by key, or by address where there is none. */
    private static String client(ServerRequest request) {
        return request.remotePeer().host();
    }

    private static Body body(ServerRequest request) {
        try {
            return new Body(JSON.readValue(request.content().as(byte[].class), Map.class));
        } catch (JacksonException e) {
            throw new ApiException(
                    400, "invalid_request_error", "The body is no JSON object: " + e.getOriginalMessage(), null, null);
        }
    }

    private Map<String, Object> models() {
        return Map.of(
                "object",
                "list",
                "data",
                List.of(ordered("id", options.model(), "object", "model", "created", created, "owned_by", "puna")));
    }

    private void complete(Completions.Wanted wanted, ServerResponse response) throws InterruptedException {
        long start = System.nanoTime();
        String id = (wanted.isChat() ? "chatcmpl-" : "cmpl-") + UUID.randomUUID();
        List<Generation> generations = new ArrayList<>();
        try {
            for (EngineRequest request : wanted.requests()) {
                switch (engine.submit(request)) {
                    case Submission.Accepted(Generation generation) -> generations.add(generation);
                    case Submission.QueueFull(int limit, Duration retryAfter) -> {
                        response.header(HeaderNames.RETRY_AFTER, String.valueOf(retryAfter.toSeconds()));
                        throw new ApiException(
                                429, "rate_limit_error", limit + " requests wait already.", null, "queue_full");
                    }
                }
            }
            if (wanted.stream()) {
                stream(wanted, generations.getFirst(), id, response);
            } else {
                List<EngineResult> results =
                        generations.stream().map(Generation::await).toList();
                send(
                        response,
                        completions.answer(wanted, results, id, Instant.now().getEpochSecond()));
            }
            metrics.duration((System.nanoTime() - start) * 1e-9);
        } finally {
            generations.forEach(Generation::cancel); // nothing to do for those that have ended
        }
    }

    private void stream(Completions.Wanted wanted, Generation generation, String id, ServerResponse response)
            throws InterruptedException {
        response.header(HeaderNames.CONTENT_TYPE, "text/event-stream");
        response.header(HeaderNames.CACHE_CONTROL, "no-cache");
        long now = Instant.now().getEpochSecond();
        TokenQueue tokens = TokenQueue.of(generation);
        Set<Integer> begun = new HashSet<>();
        try (OutputStream out = response.outputStream()) {
            for (Optional<TokenEvent> next = tokens.next(); next.isPresent(); next = tokens.next()) {
                TokenEvent event = next.get();
                boolean first = begun.add(event.choice());
                if (!first && event.text().isEmpty() && event.finishReason().isEmpty() && !wanted.logprobs()) {
                    continue;
                }
                Object choice = wanted.isChat()
                        ? ordered(
                                "index",
                                event.choice(),
                                "delta",
                                first
                                        ? ordered("role", "assistant", "content", event.text())
                                        : ordered("content", event.text()),
                                "logprobs",
                                wanted.logprobs() ? completions.chatLogprobs(List.of(event.token())) : null,
                                "finish_reason",
                                event.finishReason().map(Completions::reason).orElse(null))
                        : ordered(
                                "index",
                                event.choice(),
                                "text",
                                event.text(),
                                "finish_reason",
                                event.finishReason().map(Completions::reason).orElse(null));
                write(out, chunk(wanted, id, now, List.of(choice)));
            }
            EngineResult result = generation.await();
            if (wanted.usage()) {
                Map<String, Object> last = chunk(wanted, id, now, List.of());
                last.put("usage", completions.usage(List.of(result)));
                write(out, last);
            }
            out.write("data: [DONE]\n\n".getBytes(StandardCharsets.UTF_8));
        } catch (IOException | UncheckedIOException e) {
            metrics.error(); // the client has gone; the generation is cancelled on the way out
        }
    }

    private Map<String, Object> chunk(Completions.Wanted wanted, String id, long now, List<Object> choices) {
        return ordered(
                "id",
                id,
                "object",
                wanted.isChat() ? "chat.completion.chunk" : "text_completion",
                "created",
                now,
                "model",
                options.model(),
                "choices",
                choices);
    }

    private static void write(OutputStream out, Object event) throws IOException {
        out.write(("data: " + JSON.writeValueAsString(event) + "\n\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    private void embed(ServerRequest request, ServerResponse response) {
        Body body = body(request);
        completions.requireModel(body);
        List<int[]> inputs = completions.prompts(body.value("input"), "input");
        String format = body.text("encoding_format", "float");
        if (!format.equals("float") && !format.equals("base64")) {
            throw ApiException.invalid("encoding_format", "'encoding_format' must be float or base64.");
        }
        Pooling pooling = switch (body.text("pooling", "mean")) {
            case "mean" -> Pooling.MEAN;
            case "last" -> Pooling.LAST;
            default -> throw ApiException.invalid("pooling", "'pooling' must be mean or last.");
        };
        body.text("user", "");
        body.end();
        List<Object> data = new ArrayList<>();
        int count = 0;
        for (int[] input : inputs) {
            float[] embedding = engine.embed(input, pooling, true);
            data.add(ordered(
                    "object",
                    "embedding",
                    "index",
                    data.size(),
                    "embedding",
                    format.equals("float") ? embedding : base64(embedding)));
            count += input.length;
        }
        send(
                response,
                ordered(
                        "object",
                        "list",
                        "data",
                        data,
                        "model",
                        options.model(),
                        "usage",
                        Map.of("prompt_tokens", count, "total_tokens", count)));
    }

    private static String base64(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return Base64.getEncoder().encodeToString(bytes.array());
    }

    private void tokenize(ServerRequest request, ServerResponse response) {
        Body body = body(request);
        String text = body.text("content", "");
        boolean special = body.flag("add_special");
        body.end();
        int[] ids = special ? engine.encodePrompt(text) : engine.tokenizer().encode(text, EncodeOptions.TEXT);
        send(response, Map.of("tokens", ids));
    }

    private void detokenize(ServerRequest request, ServerResponse response) {
        Body body = body(request);
        List<int[]> ids = completions.prompts(body.value("tokens"), "tokens");
        body.end();
        for (int id : ids.getFirst()) {
            if (id < 0 || id >= engine.tokenizer().vocabularySize()) {
                throw ApiException.invalid("tokens", "There is no token " + id + ".");
            }
        }
        send(response, Map.of("content", engine.tokenizer().decode(ids.getFirst())));
    }

    /**
     * Takes no more requests, lets those that it has finish for a while, cuts off the rest, and stops listening.
     *
     * @return whether all have finished
     */
    public boolean shutdown(Duration patience) throws InterruptedException {
        boolean all = engine.drain(patience);
        close();
        return all;
    }

    /** Stops listening; what runs is cut off. {@link Engine#drain} first to let it finish. Idempotent. */
    @Override
    public void close() {
        server.stop();
    }
}
