package dev.puna.server;

import io.helidon.http.HeaderNames;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Who may ask. A key where one is set. And no web site but our own page and those that were named: a browser carries a
 * stranger's requests to 127.0.0.1 as willingly as its owner's, under the stranger's name of host, too (DNS rebinding).
 */
final class Guard {
    /** Names of headers, with commas between them. */
    private static final Pattern NAMES = Pattern.compile("[A-Za-z0-9_-]+(, ?[A-Za-z0-9_-]+){0,63}");

    /** What may be seen without a key: nothing of the model. */
    private static final Set<String> OPEN =
            Set.of("/", "/health", "/app.js", "/markdown.js", "/style.css", "/icon.svg");

    private final ServerOptions options;
    private final boolean loopback;
    private final Optional<byte[]> key;

    Guard(ServerOptions options) {
        this.options = options;
        this.loopback = isLoopback(options.host());
        this.key = options.apiKey().map(Guard::digest);
    }

    /** @throws ApiException if this request must not be answered */
    void check(Exchange exchange) {
        String host = exchange.header("Host");
        if (loopback && !isLoopback(hostName(host))) {
            throw new ApiException(
                    403, "permission_error", "This server answers to localhost only.", null, "host_not_allowed");
        }
        String origin = exchange.header("Origin");
        if (!origin.isEmpty()) {
            if (options.corsOrigins().contains(origin)) {
                exchange.response.header(HeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                exchange.response.header(HeaderNames.VARY, "Origin");
            } else if (!origin.equals("http://" + host) && !origin.equals("https://" + host)) {
                throw new ApiException(
                        403,
                        "permission_error",
                        "Pages of " + origin + " may not ask this server (--cors names those that may).",
                        null,
                        "origin_not_allowed");
            }
        }
        if (key.isPresent() && !OPEN.contains(exchange.path()) && !MessageDigest.isEqual(key.get(), given(exchange))) {
            throw new ApiException(
                    401, "invalid_request_error", "Incorrect API key provided.", null, "invalid_api_key");
        }
    }

    /** What a browser asks before it asks: {@code OPTIONS}. */
    void preflight(Exchange exchange) {
        String origin = exchange.header("Origin");
        if (!options.corsOrigins().contains(origin)) {
            throw new ApiException(
                    403, "permission_error", "Pages of other sites may not ask.", null, "origin_not_allowed");
        }
        exchange.response.header(HeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        exchange.response.header(HeaderNames.ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
        exchange.response.header(HeaderNames.ACCESS_CONTROL_ALLOW_HEADERS, allowed(exchange));
        exchange.response.header(HeaderNames.ACCESS_CONTROL_MAX_AGE, "600");
        exchange.response.header(HeaderNames.VARY, "Origin");
        exchange.response.status(204).send();
    }

    /** Clients send headers of their own ({@code x-stainless-os}, {@code anthropic-version}); none of them gives rights. */
    private static String allowed(Exchange exchange) {
        String asked = exchange.header("Access-Control-Request-Headers");
        return NAMES.matcher(asked).matches() ? asked : "authorization, content-type, x-api-key";
    }

    private static byte[] given(Exchange exchange) {
        String bearer = exchange.header("Authorization");
        boolean isBearer = bearer.regionMatches(true, 0, "Bearer ", 0, 7);
        return digest(isBearer ? bearer.substring(7).strip() : exchange.header("x-api-key"));
    }

    /** Of equal length whatever the key: a comparison tells neither where two differ nor how long the right one is. */
    private static byte[] digest(String key) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }

    /** The name in {@code name:port}. */
    private static String hostName(String host) {
        try {
            String name = URI.create("http://" + host).getHost();
            return name == null ? "" : name;
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    private static boolean isLoopback(String host) {
        String name = host.toLowerCase(Locale.ROOT).replace("[", "").replace("]", "");
        return name.equals("localhost")
                || name.endsWith(".localhost")
                || name.equals("::1")
                || name.matches("127(\\.[0-9]{1,3}){3}");
    }
}
