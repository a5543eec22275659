package dev.puna.formats.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * A hub on this machine that behaves as the real one does, and as badly as a test wants: large files lie on another
 * "host" (the same server by another name), connections are cut, checksums lie.
 */
public final class FakeHub implements AutoCloseable {
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    static final String MODEL = "/meta/tiny";

    /** A request as it came in. */
    public record Seen(
            String method, String host, String path, Optional<String> authorization, Optional<String> range) {}

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    public final Map<String, byte[]> files = new LinkedHashMap<>();
    final List<String> extraNames = new ArrayList<>();
    public final List<Seen> seen = Collections.synchronizedList(new ArrayList<>());

    /** Bytes after which the next transfers of a large file break off. */
    public final List<Integer> cuts = Collections.synchronizedList(new ArrayList<>());
    /** Status codes for the next requests. */
    final List<Integer> failures = Collections.synchronizedList(new ArrayList<>());
    /** A transfer that says nothing more after its first half. */
    volatile boolean stall;
    /** How many transfers give wrong bytes. */
    volatile int corruptions;

    volatile boolean ignoreRanges;
    volatile Optional<String> requiredToken = Optional.empty();
    volatile Optional<String> errorCode = Optional.empty();

    public FakeHub() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    public URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    private URI elsewhere() {
        return URI.create("http://localhost:" + server.getAddress().getPort());
    }

    private static boolean isLarge(byte[] content) {
        return content.length > 1000;
    }

    static String sha256(byte[] content) {
        return hex("SHA-256", content);
    }

    static String gitSha1(byte[] content) {
        byte[] header = ("blob " + content.length + "\0").getBytes(StandardCharsets.US_ASCII);
        byte[] all = Arrays.copyOf(header, header.length + content.length);
        System.arraycopy(content, 0, all, header.length, content.length);
        return hex("SHA-1", all);
    }

    private static String hex(String algorithm, byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            Optional<String> authorization =
                    Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization"));
            Optional<String> range =
                    Optional.ofNullable(exchange.getRequestHeaders().getFirst("Range"));
            String host = exchange.getRequestHeaders().getFirst("Host");
            seen.add(new Seen(exchange.getRequestMethod(), host, path, authorization, range));
            if (!failures.isEmpty()) {
                int status = failures.removeFirst();
                exchange.getResponseHeaders().set("Retry-After", "0");
                exchange.sendResponseHeaders(status, -1);
                return;
            }
            if (path.startsWith("/cdn/")) {
                transfer(exchange, files.get(path.substring("/cdn/".length())), range);
                return;
            }
            if (requiredToken.isPresent() && !authorization.equals(requiredToken.map(token -> "Bearer " + token))) {
                errorCode.ifPresent(code -> exchange.getResponseHeaders().set("X-Error-Code", code));
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            if (path.equals("/api/models" + MODEL + "/revision/main")) {
                String siblings = java.util.stream.Stream.concat(files.keySet().stream(), extraNames.stream())
                        .map(name -> "{\"rfilename\":\"" + name.replace("\\", "\\\\") + "\"}")
                        .collect(Collectors.joining(","));
                byte[] json = ("{\"id\":\"meta/tiny\",\"sha\":\"" + COMMIT + "\",\"tags\":[{\"rfilename\":[1]}],"
                                + "\"siblings\":[" + siblings + "],\"gated\":false}")
                        .getBytes(StandardCharsets.UTF_8);
                exchange.sendResponseHeaders(200, json.length);
                exchange.getResponseBody().write(json);
                return;
            }
            String prefix = MODEL + "/resolve/" + COMMIT + "/";
            byte[] content = path.startsWith(prefix) ? files.get(path.substring(prefix.length())) : null;
            if (content == null) {
                if (path.contains("/revision/")) {
                    exchange.getResponseHeaders()
                            .set("X-Error-Code", path.contains(MODEL) ? "RevisionNotFound" : "RepoNotFound");
                }
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            if (isLarge(content)) {
                exchange.getResponseHeaders().set("ETag", "\"of-the-redirect\"");
                exchange.getResponseHeaders().set("X-Linked-Etag", "\"" + sha256(content) + "\"");
                exchange.getResponseHeaders().set("X-Linked-Size", Integer.toString(content.length));
                exchange.getResponseHeaders().set("Location", elsewhere() + "/cdn/" + path.substring(prefix.length()));
                exchange.sendResponseHeaders(302, -1);
                return;
            }
            exchange.getResponseHeaders().set("ETag", "W/\"" + gitSha1(content) + "\"");
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", Integer.toString(content.length));
                exchange.sendResponseHeaders(200, -1);
            } else {
                exchange.sendResponseHeaders(200, content.length);
                exchange.getResponseBody().write(content);
            }
        }
    }

    private void transfer(HttpExchange exchange, byte[] content, Optional<String> range) throws IOException {
        int from = ignoreRanges
                ? 0
                : range.map(text -> Integer.parseInt(text.substring("bytes=".length(), text.length() - 1)))
                        .orElse(0);
        byte[] sent = content.clone();
        if (corruptions > 0) {
            corruptions--;
            sent[content.length - 1] ^= 1;
        }
        if (range.isPresent() && !ignoreRanges) {
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
            exchange.sendResponseHeaders(206, content.length - from);
        } else {
            exchange.sendResponseHeaders(200, content.length);
        }
        OutputStream body = exchange.getResponseBody();
        int to = cuts.isEmpty() ? content.length : Math.min(content.length, from + cuts.removeFirst());
        if (stall) {
            stall = false;
            body.write(sent, from, (to - from) / 2);
            body.flush();
            try {
                Thread.sleep(3000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return;
        }
        body.write(sent, from, to - from);
        body.flush();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
