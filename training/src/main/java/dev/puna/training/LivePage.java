package dev.puna.training;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import tools.jackson.databind.json.JsonMapper;

/**
 * A page on 127.0.0.1 that draws the run while it goes: loss, learning rate, gradient norm, throughput, bits per byte,
 * and what the model writes. Of a long run it sends what {@link ReportHistory} keeps.
 */
final class LivePage implements AutoCloseable {
    private final HttpServer server;
    private final ExecutorService answers = Executors.newVirtualThreadPerTaskExecutor();

    private record Run(String name, long steps, List<StepReport> reports) {}

    LivePage(int port, Recipe recipe, Supplier<List<StepReport>> reports) throws IOException {
        try {
            server = HttpServer.create(
                    new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 0);
        } catch (BindException e) {
            throw new ConfigurationException("--watch", port, "the port is in use or not allowed; choose another");
        }
        server.setExecutor(answers);
        server.createContext("/", exchange -> {
            if (!exchange.getRequestURI().getPath().equals("/")) {
                answer(exchange, 404, "text/plain; charset=utf-8", "no such page\n".getBytes(StandardCharsets.UTF_8));
                return;
            }
            try (InputStream page = LivePage.class.getResourceAsStream("live.html")) {
                if (page == null) {
                    throw new IllegalStateException("live.html is missing from the program");
                }
                answer(exchange, 200, "text/html; charset=utf-8", page.readAllBytes());
            }
        });
        server.createContext("/metrics.json", exchange -> {
            Run run = new Run(recipe.name(), recipe.steps(), reports.get());
            answer(
                    exchange,
                    200,
                    "application/json",
                    JsonMapper.shared().writeValueAsString(run).getBytes(StandardCharsets.UTF_8));
        });
        server.start();
    }

    int port() {
        return server.getAddress().getPort();
    }

    private static void answer(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", type);
            exchange.getResponseHeaders().set("Cache-Control", "no-store");
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        answers.close();
    }
}
