package dev.puna.server;

import static dev.puna.server.Json.object;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineObserver;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.template.TemplateException;
import io.helidon.common.socket.HelidonSocket;
import io.helidon.common.socket.SocketWriterException;
import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.HttpPrologue;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http1.Http1Config;
import io.helidon.webserver.http1.Http1ConnectionListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.RejectedExecutionException;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Serves an {@link Engine} and its adapters, each by its name as a model of its own, over HTTP: OpenAI's API at {@code /v1}, Anthropic's at {@code /v1/messages}, Ollama's at
 * {@code /api}, a page for people at {@code /}, and {@code /tokenize}, {@code /detokenize}, {@code /health},
 * {@code /metrics}. Borrows the engine, and is its observer.
 *
 * <pre>{@code
 * try (Engine engine = Engine.load(path);
 *         PunaServer server = PunaServer.start(engine, ServerOptions.of("my-llama"))) {
 *     System.out.println("listening on " + server.address());
 *     …
 * }
 * }</pre>
 */
public final class PunaServer implements AutoCloseable {
    private static final Logger LOG_OF_HELIDON = Logger.getLogger("io.helidon");
    private static final int HEADER_BYTES = 16 << 10;
    private static final int CONNECTIONS = 4096;
    /** What the system holds for a client that does not read: else megabytes of each, and it would look as if it read. */
    private static final int SEND_BUFFER_BYTES = 64 << 10;

    private static final Duration IDLE = Duration.ofMinutes(5);

    /** The socket of the connection that the current thread serves. */
    private static final ThreadLocal<HelidonSocket> SOCKET = new ThreadLocal<>();

    private final Engine engine;
    private final ServerOptions options;
    private final ServedModel model;
    private final OpenAiApi openAi;
    private final AnthropicApi anthropic;
    private final OllamaApi ollama;
    private final WebPage page = new WebPage();
    private final Guard guard;
    private final Metrics metrics = new Metrics();
    private final Deadlines deadlines = new Deadlines();

    private final WebServer server;

    private PunaServer(Engine engine, ServerOptions options) {
        this.engine = engine;
        this.options = options;
        this.guard = new Guard(options);
        this.model = new ServedModel(engine, options.model());
        this.openAi = new OpenAiApi(model);
        this.anthropic = new AnthropicApi(model);
        this.ollama = new OllamaApi(model);
        this.server = WebServer.builder()
                .host(options.host())
                .port(options.port())
                .maxPayloadSize(Exchange.DISCARDED * options.maxBodyBytes())
                .maxTcpConnections(CONNECTIONS)
                .idleConnectionTimeout(IDLE)
                .connectionOptions(socketOptions ->
                        socketOptions.readTimeout(options.patience()).socketSendBufferSize(SEND_BUFFER_BYTES))
                .addProtocol(Http1Config.builder()
                        .maxHeadersSize(HEADER_BYTES)
                        .addReceiveListener(new Http1ConnectionListener() {
                            @Override
                            public void prologue(ConnectionContext context, HttpPrologue prologue) {
                                SOCKET.set(context.serverSocket());
                            }
                        })
                        .build())
                .directHandlers(directHandlers())
                .shutdownHook(false)
                .shutdownGracePeriod(Duration.ofMillis(500))
                .routing(this::route)
                .build();
    }

    /**
     * Begins to listen.
     *
     * @throws ConfigurationException if the model has no tokenizer, one of its adapters has its name, or the address cannot
     *     be listened on
     */
    public static PunaServer start(Engine engine, ServerOptions options) {
        if (LOG_OF_HELIDON.getLevel() == null) {
            LOG_OF_HELIDON.setLevel(Level.WARNING); // it greets
        }
        if (engine.adapter(options.model()).isPresent()) {
            throw new ConfigurationException("model", options.model(), "an adapter has that name, too");
        }
        requireFree(options);
        PunaServer server = new PunaServer(engine, options);
        server.server.start();
        if (!server.server.isRunning()) {
            server.deadlines.close();
            throw new ConfigurationException("port", options.port(), "cannot listen on " + options.host());
        }
        engine.observe(server.metrics);
        return server;
    }

    /** That it cannot listen, Helidon only logs. */
    private static void requireFree(ServerOptions options) {
        try (ServerSocket probe = new ServerSocket()) {
            probe.setReuseAddress(true);
            probe.bind(new InetSocketAddress(InetAddress.getByName(options.host()), options.port()));
        } catch (UnknownHostException e) {
            throw new ConfigurationException(
                    "host",
                    options.host(),
                    "there is no such address; use 127.0.0.1, or 0.0.0.0 for all of this machine");
        } catch (IOException e) {
            String said = String.valueOf(e.getMessage());
            throw new ConfigurationException(
                    "port",
                    options.port(),
                    "cannot listen on " + options.host() + ": "
                            + (said.contains("in use") ? "is another server there? (" + said + ")" : said));
        }
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
        for (String address : page.addresses()) {
            routing.get(address, handler(page::send));
        }
        routing.get("/health", handler(exchange -> exchange.send(object("status", "ok"))));
        routing.get(
                "/metrics",
                handler(exchange -> exchange.send(
                        "text/plain; version=0.0.4; charset=utf-8",
                        metrics.text(engine.counters()).getBytes(StandardCharsets.UTF_8))));
        routing.get("/v1/models", handler(exchange -> exchange.send(openAi.models())));
        routing.get(
                "/v1/models/{name}",
                handler(exchange -> exchange.send(
                        openAi.model(exchange.request.path().pathParameters().get("name")))));
        routing.post("/v1/chat/completions", handler(openAi::chat));
        routing.post("/v1/completions", handler(openAi::completion));
        routing.post("/v1/embeddings", handler(openAi::embeddings));
        routing.post("/v1/messages", handler(anthropic::messages));
        routing.post("/v1/messages/count_tokens", handler(anthropic::countTokens));
        routing.get("/api/version", handler(exchange -> exchange.send(ollama.version())));
        routing.get("/api/tags", handler(exchange -> exchange.send(ollama.tags())));
        routing.post("/api/chat", handler(ollama::chat));
        routing.post("/api/generate", handler(ollama::generate));
        routing.post("/tokenize", handler(this::tokenize));
        routing.post("/detokenize", handler(this::detokenize));
        routing.options(handler(guard::preflight));
        routing.any(handler(exchange -> {
            throw new ApiException(
                    404, "invalid_request_error", "There is nothing at this address.", null, "not_found");
        }));
    }

    /** What is done with a request. */
    private interface Action {
        void run(Exchange exchange) throws InterruptedException, IOException;
    }

    private Handler handler(Action action) {
        return (request, response) -> {
            Exchange exchange = new Exchange(request, response, options, deadlines, SOCKET.get());
            long start = System.nanoTime();
            metrics.begun();
            boolean last = exchange.header("Connection").equalsIgnoreCase("close");
            if (last) {
                response.header(HeaderNames.CONNECTION, "close");
            }
            try {
                if (!request.prologue().method().text().equals("OPTIONS")) {
                    guard.check(exchange);
                }
                run(action, exchange);
            } catch (ApiException e) {
                metrics.error();
                exchange.refuse(e);
            } finally {
                metrics.ended(System.nanoTime() - start);
                if (last && response.isSent()) {
                    exchange.hangUp(); // the library says so and does not
                }
            }
        };
    }

    /** Runs an action; what goes wrong is a refusal, or nobody is there to be told. */
    private void run(Action action, Exchange exchange) {
        try {
            action.run(exchange);
        } catch (ConfigurationException e) {
            throw new ApiException(400, "invalid_request_error", String.valueOf(e.getMessage()), e.field(), null);
        } catch (TemplateException e) {
            throw ApiException.invalid("messages", String.valueOf(e.getMessage()));
        } catch (RejectedExecutionException e) {
            throw ApiException.tooMany(engine.options().queueLimit(), Duration.ofSeconds(1));
        } catch (CancellationException e) {
            throw ApiException.closing();
        } catch (IllegalStateException e) {
            throw engine.isClosed() ? ApiException.closing() : ApiException.failed(String.valueOf(e.getMessage()));
        } catch (StackOverflowError e) {
            throw new ApiException(400, "invalid_request_error", "This is nested too deeply.", null, null);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw ApiException.closing();
        } catch (Running.AbandonedException
                | CloseConnectionException
                | SocketWriterException
                | IOException
                | UncheckedIOException e) {
            metrics.abandoned();
            throw new CloseConnectionException("the client has gone", e);
        }
    }

    /** What the HTTP library itself refuses, in the same shape as everything else. */
    private static DirectHandlers directHandlers() {
        DirectHandler handler = (request, event, status, headers, message) -> {
            @Nullable String said = message; // the library has none for some
            ApiException e = new ApiException(
                    status.code(),
                    status.code() < 500 ? "invalid_request_error" : "server_error",
                    status.code() >= 500 || said == null || said.isBlank() ? status.reasonPhrase() : said,
                    null,
                    null);
            return DirectHandler.TransportResponse.builder()
                    .status(status)
                    .headers(headers)
                    .header(HeaderNames.CONTENT_TYPE, "application/json")
                    .keepAlive(false)
                    .entity(Json.bytes(ErrorShape.of(request.path()).body(e)))
                    .build();
        };
        DirectHandlers.Builder handlers = DirectHandlers.builder();
        for (DirectHandler.EventType type : DirectHandler.EventType.values()) {
            handlers.addHandler(type, handler);
        }
        return handlers.build();
    }

    private void tokenize(Exchange exchange) {
        Body body = exchange.body();
        String text = body.requiredText("content");
        boolean special = body.flag("add_special", false);
        boolean pieces = body.flag("with_pieces", false);
        body.end();
        int[] ids = special ? engine.encodePrompt(text) : engine.tokenizer().encode(text, EncodeOptions.TEXT);
        if (!pieces) {
            exchange.send(object("tokens", ids));
            return;
        }
        exchange.send(object(
                "tokens",
                java.util.Arrays.stream(ids)
                        .mapToObj(id -> object("id", id, "piece", model.name(id)))
                        .toList()));
    }

    private void detokenize(Exchange exchange) {
        Body body = exchange.body();
        if (!(body.value("tokens") instanceof List<?> list) || !list.stream().allMatch(Integer.class::isInstance)) {
            throw body.invalid("tokens", "a list of token ids");
        }
        body.end();
        int[] ids = list.stream().mapToInt(id -> (Integer) id).toArray();
        for (int id : ids) {
            if (id < 0 || id >= engine.tokenizer().vocabularySize()) {
                throw ApiException.invalid("tokens", "There is no token " + id + ".");
            }
        }
        exchange.send(object("content", engine.tokenizer().decode(ids)));
    }

    /**
     * Takes no more requests, lets those that it has finish for a while, cuts off the rest, and stops listening.
     *
     * @return whether all have finished
     */
    public boolean shutdown(Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        boolean all = engine.drain(patience);
        if (!all) {
            engine.cancelAll();
        }
        // What is computed must also be sent.
        long last = Math.max(end, System.nanoTime() + Duration.ofSeconds(2).toNanos());
        while (metrics.open() > 0 && System.nanoTime() < last) {
            Thread.sleep(10);
        }
        all &= metrics.open() == 0;
        close();
        return all;
    }

    /** Stops listening; what runs is cut off. {@link #shutdown} lets it finish. Idempotent. */
    @Override
    public void close() {
        engine.observe(EngineObserver.NONE);
        server.stop();
        deadlines.close();
    }
}
