package dev.puna.training;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.databind.json.JsonMapper;

/** A page on 127.0.0.1 that draws the run while it goes: loss, learning rate, gradient norm, throughput. */
final class LivePage implements AutoCloseable {
    private final HttpServer server;

    LivePage(int port, Supplier<List<StepReport>> reports) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 0);
        server.createContext("/", exchange -> {
            try (InputStream page = LivePage.class.getResourceAsStream("live.html")) {
                if (page == null) {
                    throw new IllegalStateException("live.html is missing from the program");
                }
                answer(exchange, "text/html; charset=utf-8", page.readAllBytes());
            }
        });
        server.createContext(
                "/metrics.json",
                exchange -> answer(
                        exchange,
                        "application/json",
                        JsonMapper.shared().writeValueAsString(reports.get()).getBytes(StandardCharsets.UTF_8)));
        server.start();
    }

    int port() {
        return server.getAddress().getPort();
    }

    private static void answer(HttpExchange exchange, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
