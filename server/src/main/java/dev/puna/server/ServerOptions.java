package dev.puna.server;

import dev.puna.tensor.ConfigurationException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How a server listens.
 *
 * @param host which address; {@code 127.0.0.1} serves this machine only
 * @param port 0 for any free one
 * @param model the name that clients see
 * @param apiKey what clients must send as {@code Authorization: Bearer …}; empty for none
 * @param corsOrigins web sites whose pages may ask, {@code https://example.org}; none by default
 * @param maxBodyBytes the longest request that is read
 * @param patience how long a client may take to send its request, and to take in any part of its answer; then its
 *     connection is closed, and what was computed for it ends
 */
public record ServerOptions(
        String host,
        int port,
        String model,
        Optional<String> apiKey,
        List<String> corsOrigins,
        long maxBodyBytes,
        Duration patience) {
    public ServerOptions {
        if (model.isBlank()) {
            throw new ConfigurationException("model", "(empty)", "clients need a name for it");
        }
        if (apiKey.isPresent() && apiKey.get().isBlank()) {
            throw new ConfigurationException("apiKey", "(empty)", "give a key, or none");
        }
        corsOrigins = List.copyOf(corsOrigins);
        for (String origin : corsOrigins) {
            if (!origin.matches("https?://[^/]+")) {
                throw new ConfigurationException("cors", origin, "must be of the form https://example.org");
            }
        }
        if (port < 0 || port > 65_535) {
            throw new ConfigurationException("port", port, "must be in [0, 65535]");
        }
        if (maxBodyBytes < 1) {
            throw new ConfigurationException("maxBodyBytes", maxBodyBytes, "must be positive");
        }
        if (!patience.isPositive()) {
            throw new ConfigurationException("patience", patience, "must be positive");
        }
    }

    /** This machine only, port 8080, no key, no other web sites, bodies up to 8 MiB, a minute of patience. */
    public static ServerOptions of(String model) {
        return new ServerOptions(
                "127.0.0.1", 8080, model, Optional.empty(), List.of(), 8L << 20, Duration.ofMinutes(1));
    }

    public ServerOptions withHost(String value) {
        return new ServerOptions(value, port, model, apiKey, corsOrigins, maxBodyBytes, patience);
    }

    public ServerOptions withPort(int value) {
        return new ServerOptions(host, value, model, apiKey, corsOrigins, maxBodyBytes, patience);
    }

    public ServerOptions withModel(String value) {
        return new ServerOptions(host, port, value, apiKey, corsOrigins, maxBodyBytes, patience);
    }

    public ServerOptions withApiKey(String value) {
        return new ServerOptions(host, port, model, Optional.of(value), corsOrigins, maxBodyBytes, patience);
    }

    public ServerOptions withCorsOrigins(List<String> value) {
        return new ServerOptions(host, port, model, apiKey, value, maxBodyBytes, patience);
    }

    public ServerOptions withMaxBodyBytes(long value) {
        return new ServerOptions(host, port, model, apiKey, corsOrigins, value, patience);
    }

    public ServerOptions withPatience(Duration value) {
        return new ServerOptions(host, port, model, apiKey, corsOrigins, maxBodyBytes, value);
    }
}
