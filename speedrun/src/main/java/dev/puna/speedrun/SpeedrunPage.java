package dev.puna.speedrun;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * A page on 127.0.0.1 that draws a run while it goes: {@code picture.html}, fed from {@code /state.json}. Who looks at it
 * when it closes gets the last state first.
 */
final class SpeedrunPage implements AutoCloseable {
    /** The page asks every second. */
    private static final long LOOKING_NANOS = 3_000_000_000L;

    private static final long POLL_MILLIS = 20;

    private final HttpServer server;
    private final Supplier<String> state;
    private final AtomicLong asked = new AtomicLong(Long.MIN_VALUE);

    private SpeedrunPage(HttpServer server, Supplier<String> state) {
        this.server = server;
        this.state = state;
    }

    /** @param port 0 for any free one */
    static SpeedrunPage start(int port, Supplier<String> state) throws IOException {
        HttpServer server;
        try {
            server = HttpServer.create(
                    new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 0);
        } catch (BindException e) {
            throw new ConfigurationException("--port", port, "is taken by another program; name another");
        }
        String html = template();
        SpeedrunPage page = new SpeedrunPage(server, state);
        server.createContext("/", exchange -> answer(exchange, "text/html; charset=utf-8", html));
        server.createContext("/state.json", page::answerState);
        server.start();
        return page;
    }

    private void answerState(HttpExchange exchange) throws IOException {
        answer(exchange, "application/json", state.get());
        asked.set(System.nanoTime());
    }

    int port() {
        return server.getAddress().getPort();
    }

    private static String template() throws IOException {
        try (InputStream in = SpeedrunPage.class.getResourceAsStream("picture.html")) {
            if (in == null) {
                throw new IllegalStateException("picture.html is missing from the program");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** The page with its state in it: it needs no server. */
    static String standalone(String state) throws IOException {
        return template().replace("const STATE = null;", "const STATE = " + state.replace("</", "<\\/") + ";");
    }

    private static void answer(HttpExchange exchange, String type, String text) throws IOException {
        try (exchange) {
            byte[] body = text.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", type);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    @Override
    public void close() {
        long now = System.nanoTime();
        long last = asked.get();
        if (last != Long.MIN_VALUE && now - last < LOOKING_NANOS) {
            while (asked.get() == last && System.nanoTime() - now < LOOKING_NANOS) {
                LockSupport.parkNanos(POLL_MILLIS * 1_000_000);
            }
        }
        server.stop(0);
    }
}
