package dev.puna.formats.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Talks to a hub. Everything that may fail for a while (a cut connection, 429, 5xx) is tried again with growing waits;
 * an attempt that brought bytes does not count. Redirects are followed here and not by the client, because the token
 * must not follow them to another host.
 */
final class HubConnection {
    private static final int MAX_REDIRECTS = 8;
    private static final int MAX_LISTING_BYTES = 64 << 20;
    private static final int BUFFER_BYTES = 1 << 20;
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(15);
    private static final Duration MAX_WAIT = Duration.ofMinutes(5);
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern GIT_SHA1 = Pattern.compile("[0-9a-f]{40}");
    private static final Pattern ETAG = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d+)-\\d+/.*");

    private final HubSettings settings;
    private final HttpClient client;

    /** A commit and the names of its files. */
    record Listing(String commit, List<String> files) {}

    /**
     * A file on the hub.
     *
     * @param etag SHA-256 of a large file, git's SHA-1 of a small one
     * @param size in bytes; empty if the hub does not say
     */
    record RemoteFile(HubModel model, URI uri, String etag, Optional<Long> size) {}

    /** The bytes are not those that the hub announced. */
    private static final class WrongChecksumException extends IOException {
        private static final long serialVersionUID = 1L;

        WrongChecksumException(String message) {
            super(message);
        }
    }

    /** Nobody answers at the hub's address. */
    static final class UnreachableException extends IOException {
        private static final long serialVersionUID = 1L;

        UnreachableException(IOException cause) {
            super("nobody answers", cause);
        }
    }

    /** The hub asks to come again. */
    private static final class BusyException extends IOException {
        private static final long serialVersionUID = 1L;
        private final transient Optional<Duration> retryAfter;

        BusyException(int status, Optional<Duration> retryAfter) {
            super("the hub answers with status " + status);
            this.retryAfter = retryAfter;
        }
    }

    @FunctionalInterface
    private interface Attempt<T> {
        T run() throws IOException;
    }

    HubConnection(HubSettings settings) {
        this.settings = settings;
        this.client = HttpClient.newBuilder()
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(CONNECT_TIMEOUT)
                .build();
    }

    /** The files of a model and the commit that its revision stands for. */
    Listing list(HubModel model) throws IOException {
        URI uri = URI.create(settings.endpoint() + "/api/models/" + model.id() + "/revision/"
                + URLEncoder.encode(model.revision(), StandardCharsets.UTF_8));
        byte[] json = retrying("the list of files of " + model, () -> {
            HttpResponse<InputStream> response = send("GET", uri, null, true);
            try (InputStream body = response.body()) {
                requireSuccess(response, model, uri);
                byte[] bytes = body.readNBytes(MAX_LISTING_BYTES + 1);
                if (bytes.length > MAX_LISTING_BYTES) {
                    throw new HubException(uri + " answers with more than " + MAX_LISTING_BYTES + " bytes");
                }
                return bytes;
            }
        });
        return parseListing(uri, json);
    }

    private static Listing parseListing(URI uri, byte[] json) throws HubException {
        String commit = "";
        List<String> files = new ArrayList<>();
        try (JsonParser parser = new JsonFactory().createParser(ObjectReadContext.empty(), json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new HubException(uri + " answers with something that is not a model");
            }
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                if (field.equals("sha") && value == JsonToken.VALUE_STRING) {
                    commit = parser.getString();
                } else if (field.equals("siblings") && value == JsonToken.START_ARRAY) {
                    while (parser.nextToken() == JsonToken.START_OBJECT) {
                        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                            boolean name = parser.currentName().equals("rfilename");
                            if (parser.nextToken() == JsonToken.VALUE_STRING && name) {
                                files.add(requireHarmless(uri, parser.getString()));
                            } else {
                                parser.skipChildren();
                            }
                        }
                    }
                } else {
                    parser.skipChildren();
                }
            }
        } catch (JacksonException e) {
            throw new HubException(uri + " answers with something that is not JSON: " + e.getOriginalMessage(), e);
        }
        if (!HubCache.isCommit(commit)) {
            throw new HubException(uri + " names no commit");
        }
        return new Listing(commit, files);
    }

    /** A relative path that stays inside the model. */
    private static String requireHarmless(URI uri, String file) throws HubException {
        boolean harmless = !file.isEmpty() && file.length() <= 1024;
        for (String part : file.split("/", -1)) {
            harmless &= !part.isEmpty() && !part.equals(".") && !part.equals("..");
        }
        for (int i = 0; i < file.length(); i++) {
            harmless &= file.charAt(i) >= ' ' && file.charAt(i) != '\\' && file.charAt(i) != ':';
        }
        if (!harmless) {
            throw new HubException(uri + " names a file that leads outside the model: \"" + file + "\"; refused");
        }
        return file;
    }

    /** Checksum and size of a file, without its bytes. */
    RemoteFile describe(HubModel model, String commit, String file) throws IOException {
        StringBuilder path = new StringBuilder();
        for (String part : file.split("/", -1)) {
            path.append('/')
                    .append(URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20"));
        }
        URI uri = URI.create(settings.endpoint() + "/" + model.id() + "/resolve/" + commit + path);
        return retrying(file, () -> {
            HttpResponse<InputStream> response = send("HEAD", uri, null, false);
            response.body().close();
            if (response.statusCode() / 100 != 3) {
                requireSuccess(response, model, uri);
            }
            Optional<String> etag = header(response, "x-linked-etag")
                    .or(() -> header(response, "etag"))
                    .map(HubConnection::plainEtag);
            if (etag.isEmpty() || !ETAG.matcher(etag.get()).matches()) {
                throw new HubException(uri + " gives no usable checksum (etag " + etag.orElse("missing") + ")");
            }
            Optional<Long> size = header(response, "x-linked-size")
                    .or(() -> response.statusCode() == 200 ? header(response, "content-length") : Optional.empty())
                    .flatMap(HubConnection::number);
            return new RemoteFile(model, uri, etag.get(), size);
        });
    }

    private static String plainEtag(String etag) {
        String strong = etag.startsWith("W/") ? etag.substring(2) : etag;
        return strong.length() >= 2 && strong.startsWith("\"") && strong.endsWith("\"")
                ? strong.substring(1, strong.length() - 1)
                : strong;
    }

    private static Optional<Long> number(String text) {
        return text.matches("\\d{1,18}") ? Optional.of(Long.parseLong(text)) : Optional.empty();
    }

    /** Brings a file to {@code blob}, by way of {@code blob.incomplete}, where an earlier attempt is taken up. */
    void download(RemoteFile remote, String file, Path blob, DownloadProgress progress) throws IOException {
        Path incomplete = blob.resolveSibling(blob.getFileName() + ".incomplete");
        int wrongChecksums = 0;
        while (true) {
            try {
                retryingWhileProgress(remote, file, incomplete, progress);
                verify(remote, file, incomplete);
                break;
            } catch (WrongChecksumException e) {
                Files.deleteIfExists(incomplete);
                if (++wrongChecksums == 2) {
                    throw new HubException(e.getMessage() + "; the file was fetched twice and deleted", e);
                }
            }
        }
        Files.move(incomplete, blob, StandardCopyOption.ATOMIC_MOVE);
    }

    private void retryingWhileProgress(RemoteFile remote, String file, Path incomplete, DownloadProgress progress)
            throws IOException {
        int attempt = 1;
        while (true) {
            long before = Files.exists(incomplete) ? Files.size(incomplete) : 0;
            try {
                transfer(remote, file, incomplete, progress);
                return;
            } catch (HubException | WrongChecksumException e) {
                throw e;
            } catch (IOException e) {
                long after = Files.exists(incomplete) ? Files.size(incomplete) : 0;
                attempt = after > before ? 1 : attempt + 1;
                waitOrGiveUp(file, attempt, e);
            }
        }
    }

    private void transfer(RemoteFile remote, String file, Path incomplete, DownloadProgress progress)
            throws IOException {
        long have = Files.exists(incomplete) ? Files.size(incomplete) : 0;
        long total = remote.size().orElse(0L);
        if (remote.size().isPresent() && have >= total && have > 0) {
            if (have > total) {
                throw new WrongChecksumException(file + ": " + have + " bytes, the hub announced " + total);
            }
            return;
        }
        HttpResponse<InputStream> response = send("GET", remote.uri(), have > 0 ? "bytes=" + have + "-" : null, true);
        try (InputStream body = response.body();
                FileChannel out = FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (response.statusCode() == 416) { // nothing behind what is here: the checksum will tell
                return;
            }
            requireSuccess(response, remote.model(), remote.uri());
            long at = response.statusCode() == 206 && rangeStart(response) == have ? have : 0;
            if (response.statusCode() == 206 && at != have) {
                throw new IOException("the hub sends another part of " + file + " than was asked for");
            }
            out.truncate(at);
            progress.advanced(file, at, total);
            byte[] buffer = new byte[BUFFER_BYTES];
            try (Watchdog watchdog = new Watchdog(body, settings.stallTimeout())) {
                for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
                    watchdog.feed();
                    ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, count);
                    while (bytes.hasRemaining()) {
                        at += out.write(bytes, at);
                    }
                    if (remote.size().isPresent() && at > total) {
                        throw new WrongChecksumException(file + ": more than the announced " + total + " bytes");
                    }
                    progress.advanced(file, at, total);
                }
            }
            if (remote.size().isPresent() && at < total) {
                throw new IOException(file + " ends after " + at + " of " + total + " bytes");
            }
            out.force(true);
        }
    }

    private static long rangeStart(HttpResponse<?> response) {
        Matcher range = CONTENT_RANGE.matcher(header(response, "content-range").orElse(""));
        return range.matches() ? number(range.group(1)).orElse(-1L) : -1;
    }

    /** Closes a connection that gives nothing any more; reading from it fails then. */
    private static final class Watchdog implements AutoCloseable {
        private final Thread thread;
        private volatile long fedNanos = System.nanoTime();

        Watchdog(InputStream body, Duration timeout) {
            this.thread = Thread.ofVirtual().start(() -> {
                try {
                    while (System.nanoTime() - fedNanos < timeout.toNanos()) {
                        Thread.sleep(timeout.dividedBy(8).plusMillis(1));
                    }
                    body.close();
                } catch (InterruptedException | IOException done) {
                    Thread.currentThread().interrupt();
                }
            });
        }

        void feed() {
            fedNanos = System.nanoTime();
        }

        @Override
        public void close() {
            thread.interrupt();
        }
    }

    private static void verify(RemoteFile remote, String file, Path incomplete) throws IOException {
        long size = Files.size(incomplete);
        if (remote.size().isPresent() && remote.size().get() != size) {
            throw new WrongChecksumException(file + ": " + size + " bytes, the hub announced "
                    + remote.size().get());
        }
        String found;
        if (SHA256.matcher(remote.etag()).matches()) {
            found = digest("SHA-256", new byte[0], incomplete);
        } else if (GIT_SHA1.matcher(remote.etag()).matches()) {
            found = digest("SHA-1", ("blob " + size + "\0").getBytes(StandardCharsets.US_ASCII), incomplete);
        } else {
            return; // a mirror with entity tags of its own: the size must do
        }
        if (!found.equals(remote.etag())) {
            throw new WrongChecksumException(file + ": checksum " + found + ", the hub announced " + remote.etag());
        }
    }

    private static String digest(String algorithm, byte[] before, Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(before);
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                digest.update(buffer, 0, count);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private <T> T retrying(String what, Attempt<T> attempt) throws IOException {
        for (int number = 2; ; number++) {
            try {
                return attempt.run();
            } catch (HubException e) {
                throw e;
            } catch (IOException e) {
                waitOrGiveUp(what, number, e);
            }
        }
    }

    /** @param next the number of the attempt that would follow */
    private void waitOrGiveUp(String what, int next, IOException reason) throws IOException {
        if (next > settings.attempts()) {
            if (reason instanceof ConnectException || reason instanceof HttpTimeoutException) {
                throw new UnreachableException(reason);
            }
            throw new HubException(
                    "cannot fetch " + what + " from " + settings.endpoint() + " after " + settings.attempts()
                            + " attempts: " + reason.getMessage() + "; start again to resume",
                    reason);
        }
        Duration wait = settings.backOff().multipliedBy(1L << Math.min(Math.max(next - 2, 0), 16));
        if (reason instanceof BusyException busy && busy.retryAfter.isPresent()) {
            wait = busy.retryAfter.get();
        }
        sleep(wait.compareTo(MAX_WAIT) > 0 ? MAX_WAIT : wait);
    }

    private static void sleep(Duration duration) throws IOException {
        try {
            Thread.sleep(duration);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static InterruptedIOException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        InterruptedIOException interrupted = new InterruptedIOException("interrupted");
        interrupted.initCause(e);
        return interrupted;
    }

    /**
     * One request, and the redirects that it meets. A redirect within the hub is followed always; one that leads to
     * another host (where large files lie) only if {@code elsewhere} allows it, and without the token.
     */
    private HttpResponse<InputStream> send(String method, URI first, @Nullable String range, boolean elsewhere)
            throws IOException {
        URI uri = first;
        for (int redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
            boolean home = isHome(uri);
            HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                    .method(method, HttpRequest.BodyPublishers.noBody())
                    .timeout(settings.stallTimeout())
                    .header("User-Agent", "puna")
                    .header("Accept-Encoding", "identity");
            if (home) {
                settings.token().ifPresent(token -> request.header("Authorization", "Bearer " + token));
            }
            if (range != null) {
                request.header("Range", range);
            }
            HttpResponse<InputStream> response;
            try {
                response = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            } catch (InterruptedException e) {
                throw interrupted(e);
            }
            Optional<String> location =
                    response.statusCode() / 100 == 3 ? header(response, "location") : Optional.empty();
            if (location.isEmpty()) {
                return response;
            }
            URI next = resolve(uri, location.get());
            if (!elsewhere && !isHome(next)) {
                return response;
            }
            if ("https".equals(uri.getScheme()) && !"https".equals(next.getScheme())) {
                throw new HubException(uri + " leads from https to " + next.getScheme() + "; refused");
            }
            // What stands in a redirect to large files within the hub is said only there.
            if (!elsewhere && header(response, "x-linked-etag").isPresent()) {
                return response;
            }
            response.body().close();
            uri = next;
        }
        throw new HubException(first + " redirects more than " + MAX_REDIRECTS + " times");
    }

    private static URI resolve(URI base, String location) throws HubException {
        try {
            URI next = base.resolve(location);
            if (next.getHost() != null && ("http".equals(next.getScheme()) || "https".equals(next.getScheme()))) {
                return next;
            }
        } catch (IllegalArgumentException e) {
            throw new HubException(base + " redirects to \"" + location + "\", which is no address", e);
        }
        throw new HubException(base + " redirects to \"" + location + "\", which is no web address");
    }

    /** Whether a request goes to the hub itself, which alone may see the token. */
    private boolean isHome(URI uri) {
        return uri.getScheme().equals(settings.endpoint().getScheme())
                && uri.getHost().equalsIgnoreCase(settings.endpoint().getHost())
                && uri.getPort() == settings.endpoint().getPort();
    }

    private static Optional<String> header(HttpResponse<?> response, String name) {
        return response.headers().firstValue(name);
    }

    /** Nothing for 2xx; else what the user can do about it. */
    private void requireSuccess(HttpResponse<?> response, HubModel model, URI uri) throws IOException {
        int status = response.statusCode();
        if (status / 100 == 2) {
            return;
        }
        if (status == 408 || status == 429 || status >= 500) {
            throw new BusyException(status, header(response, "retry-after").flatMap(HubConnection::retryAfter));
        }
        String page = settings.endpoint() + "/" + model.id();
        String code = header(response, "x-error-code").orElse("");
        boolean token = settings.token().isPresent();
        throw new HubException(
                switch (status) {
                    case 401, 403 -> {
                        if (code.equals("GatedRepo")) {
                            yield model.id() + " is gated: accept its licence at " + page
                                    + (token ? " with the account of your token" : ", then set HF_TOKEN to your token");
                        }
                        yield token
                                ? page + " refuses the token (status " + status
                                        + "): is it valid, and may it read this model?"
                                : page + " does not exist or is private (status " + status
                                        + "): check the name, or set HF_TOKEN to a token that may read it";
                    }
                    case 404 ->
                        switch (code) {
                            case "RevisionNotFound" ->
                                page + " has no revision \"" + model.revision() + "\": leave out @" + model.revision()
                                        + " for the main branch";
                            case "EntryNotFound" -> uri + " does not exist";
                            default -> page + " does not exist: check the name (owner/name)";
                        };
                    default -> uri + " answers with status " + status;
                });
    }

    /** Seconds, or a date. */
    private static Optional<Duration> retryAfter(String text) {
        Optional<Long> seconds = number(text);
        if (seconds.isPresent()) {
            return Optional.of(Duration.ofSeconds(Math.min(seconds.get(), MAX_WAIT.toSeconds())));
        }
        try {
            Instant when = ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME.withLocale(Locale.ROOT))
                    .toInstant();
            Duration wait = Duration.between(Instant.now(), when);
            return Optional.of(wait.isNegative() ? Duration.ZERO : wait);
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }
}
