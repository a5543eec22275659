package dev.puna.formats.hub;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Where the hub is, where its cache is, and who asks.
 *
 * @param endpoint {@code https://huggingface.co}, or a mirror; without a slash at the end
 * @param cache the folder of {@code models--owner--name}
 * @param token sent to the endpoint and to no other host
 * @param offline use the cache only
 * @param attempts how often a request is tried that makes no progress
 * @param backOff the wait before the second attempt; it doubles from then on
 * @param stallTimeout a connection that gives nothing for so long is cut and tried again
 */
public record HubSettings(
        URI endpoint,
        Path cache,
        Optional<String> token,
        boolean offline,
        int attempts,
        Duration backOff,
        Duration stallTimeout) {
    private static final String DEFAULT_ENDPOINT = "https://huggingface.co";

    public HubSettings {
        String scheme = endpoint.getScheme();
        if (endpoint.getHost() == null || !("https".equals(scheme) || "http".equals(scheme))) {
            throw new ConfigurationException("HF_ENDPOINT", endpoint, "must be an http or https address");
        }
        if (attempts < 1) {
            throw new ConfigurationException("attempts", attempts, "must be at least 1");
        }
    }

    /** What the environment of this process says: {@link #of}, {@code ~} being {@code HOME}, as in the hub's own tools. */
    public static HubSettings fromEnvironment() throws IOException {
        Map<String, String> environment = System.getenv();
        return of(environment, Path.of(variable(environment, "HOME").orElse(System.getProperty("user.home"))));
    }

    /**
     * Reads the variables of the hub's own tools: {@code HF_ENDPOINT}, {@code HF_HUB_CACHE} (else {@code HF_HOME/hub},
     * else {@code XDG_CACHE_HOME/huggingface/hub}, else {@code ~/.cache/huggingface/hub}), {@code HF_TOKEN} (else the
     * file {@code HF_TOKEN_PATH}, else {@code HF_HOME/token}), {@code HF_HUB_OFFLINE}.
     *
     * @param home the user's home directory
     */
    public static HubSettings of(Map<String, String> environment, Path home) throws IOException {
        Path caches = variable(environment, "XDG_CACHE_HOME").map(Path::of).orElse(home.resolve(".cache"));
        Path hfHome = variable(environment, "HF_HOME").map(Path::of).orElse(caches.resolve("huggingface"));
        Path cache = variable(environment, "HF_HUB_CACHE")
                .or(() -> variable(environment, "HUGGINGFACE_HUB_CACHE"))
                .map(Path::of)
                .orElse(hfHome.resolve("hub"));
        Optional<String> token = variable(environment, "HF_TOKEN");
        if (token.isEmpty()) {
            Path file = variable(environment, "HF_TOKEN_PATH").map(Path::of).orElse(hfHome.resolve("token"));
            if (Files.isReadable(file)) {
                token = Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty());
            }
        }
        String endpoint = variable(environment, "HF_ENDPOINT").orElse(DEFAULT_ENDPOINT);
        while (endpoint.endsWith("/")) {
            endpoint = endpoint.substring(0, endpoint.length() - 1);
        }
        URI address;
        try {
            address = URI.create(endpoint);
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException("HF_ENDPOINT", endpoint, "is no address");
        }
        String offline = variable(environment, "HF_HUB_OFFLINE").orElse("0").toLowerCase(Locale.ROOT);
        return new HubSettings(
                address,
                cache,
                token,
                switch (offline) {
                    case "1", "true", "yes", "on" -> true;
                    default -> false;
                },
                5,
                Duration.ofSeconds(1),
                Duration.ofSeconds(60));
    }

    private static Optional<String> variable(Map<String, String> environment, String name) {
        return Optional.ofNullable(environment.get(name)).map(String::strip).filter(text -> !text.isEmpty());
    }

    /** Everything but the token. */
    @Override
    public String toString() {
        return "HubSettings[endpoint=" + endpoint + ", cache=" + cache + ", token="
                + (token.isPresent() ? "set" : "none") + ", offline=" + offline + "]";
    }
}
