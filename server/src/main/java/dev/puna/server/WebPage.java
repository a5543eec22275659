package dev.puna.server;

import io.helidon.http.HeaderNames;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** The page at {@code /}: five files of this program, read once; no address of a request becomes the name of a file. */
final class WebPage {
    /** The page runs its own script, asks its own server, and nothing else: a model cannot make it load or send. */
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
            + " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private record Part(String type, byte[] bytes) {}

    private final Map<String, Part> parts = new LinkedHashMap<>();

    WebPage() {
        add("/", "index.html", "text/html; charset=utf-8");
        add("/app.js", "app.js", "text/javascript; charset=utf-8");
        add("/markdown.js", "markdown.js", "text/javascript; charset=utf-8");
        add("/style.css", "style.css", "text/css; charset=utf-8");
        add("/icon.svg", "icon.svg", "image/svg+xml");
    }

    private void add(String address, String file, String type) {
        try (InputStream in = WebPage.class.getResourceAsStream("page/" + file)) {
            if (in == null) {
                throw new IllegalStateException(file + " is missing from this program's own files");
            }
            parts.put(address, new Part(type, in.readAllBytes()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Iterable<String> addresses() {
        return parts.keySet();
    }

    void send(Exchange exchange) {
        Part part = parts.get(exchange.path());
        if (part == null) {
            throw new IllegalStateException("no page at " + exchange.path());
        }
        exchange.response
                .header("Content-Security-Policy", POLICY)
                .header("X-Content-Type-Options", "nosniff")
                .header("Referrer-Policy", "no-referrer")
                .header(HeaderNames.CACHE_CONTROL, "no-cache");
        exchange.send(part.type, part.bytes);
    }
}
