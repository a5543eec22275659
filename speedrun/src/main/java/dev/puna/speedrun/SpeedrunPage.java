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
import java.util.function.Supplier;

/** A page on 127.0.0.1 that draws a run while it goes: {@code picture.html}, fed from {@code /state.json}. */
final class SpeedrunPage implements AutoCloseable {
    private final HttpServer server;

    private SpeedrunPage(HttpServer server) {
        this.server = server;
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
        String page = template();
        server.createContext("/", exchange -> answer(exchange, "text/html; charset=utf-8", page));
        server.createContext("/state.json", exchange -> answer(exchange, "application/json", state.get()));
        server.start();
        return new SpeedrunPage(server);
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
        server.stop(0);
    }
}
