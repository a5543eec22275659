package dev.puna.server;

import dev.puna.tensor.ConfigurationException;
import java.util.Optional;

/**
 * How a server listens.
 *
 * @param host which address; {@code 127.0.0.1} serves this machine only
 * @param port 0 for any free one
 * @param model the name that clients see
 * @param apiKey what clients must send as {@code Authorization: Bearer …}; empty for none
 * @param maxBodyBytes the longest request that is read
 */
public record ServerOptions(String host, int port, String model, Optional<String> apiKey, long maxBodyBytes) {
    public ServerOptions {
        if (port < 0 || port > 65_535) {
            throw new ConfigurationException("port", port, "must be in [0, 65535]");
        }
        if (maxBodyBytes < 1) {
            throw new ConfigurationException("maxBodyBytes", maxBodyBytes, "must be positive");
        }
    }

    /** This machine only, port 8080, no key, bodies up to 8 MiB. */
    public static ServerOptions of(String model) {
        return new ServerOptions("127.0.0.1", 8080, model, Optional.empty(), 8L << 20);
    }

    public ServerOptions withHost(String value) {
        return new ServerOptions(value, port, model, apiKey, maxBodyBytes);
    }

    public ServerOptions withPort(int value) {
        return new ServerOptions(host, value, model, apiKey, maxBodyBytes);
    }

    public ServerOptions withApiKey(String value) {
        return new ServerOptions(host, port, model, Optional.of(value), maxBodyBytes);
    }
}
