package dev.puna.server;

import io.helidon.common.socket.HelidonSocket;
import io.helidon.common.socket.SocketWriterException;
import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/** A request and its answer, on the virtual thread of its connection. */
final class Exchange {
    /**
     * How many times the longest body is read and thrown away: a connection that is closed with something unread is
     * reset, and the client never sees why.
     */
    static final int DISCARDED = 8;

    final ServerRequest request;
    final ServerResponse response;
    private final ServerOptions options;
    private final Deadlines deadlines;
    private final @Nullable HelidonSocket socket;
    private @Nullable OutputStream stream;
    private boolean watched;

    Exchange(
            ServerRequest request,
            ServerResponse response,
            ServerOptions options,
            Deadlines deadlines,
            @Nullable HelidonSocket socket) {
        this.request = request;
        this.response = response;
        this.options = options;
        this.deadlines = deadlines;
        this.socket = socket;
    }

    String path() {
        return request.path().path();
    }

    String header(String name) {
        return request.headers().first(HeaderNames.create(name)).orElse("");
    }

    /** Waiting clients take turns by address. */
    String client() {
        return request.remotePeer().host();
    }

    /** The body, a JSON object. */
    Body body() {
        byte[] bytes = read();
        try {
            return new Body(Json.readObject(bytes));
        } catch (JacksonException e) {
            throw new ApiException(
                    400, "invalid_request_error", "The body is no JSON object: " + e.getOriginalMessage(), null, null);
        }
    }

    private byte[] read() {
        if (!request.content().hasEntity()) {
            return new byte[0];
        }
        try (Deadlines.Deadline _ = deadlines.in(options.patience());
                InputStream in = request.content().inputStream()) {
            byte[] bytes = in.readNBytes((int) Math.min(options.maxBodyBytes(), Integer.MAX_VALUE - 16));
            if (in.read() >= 0) {
                in.transferTo(OutputStream.nullOutputStream());
                throw new ApiException(
                        413,
                        "invalid_request_error",
                        "The body is longer than " + options.maxBodyBytes() + " bytes.",
                        null,
                        "request_too_large");
            }
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Whether the client has gone, as far as the network says. The first look begins to watch, which may delay the next
     * request of this connection by a tenth of a second; so only answers that take long are watched.
     */
    boolean isAbandoned() {
        if (socket == null) {
            return false;
        }
        if (!watched) {
            watched = true;
            socket.idle();
        }
        return !socket.isConnected();
    }

    /** Closes the connection; what was sent still arrives. */
    void hangUp() {
        if (socket != null) {
            socket.close();
        }
    }

    void send(Object body) {
        send("application/json", Json.bytes(body));
    }

    void send(String type, byte[] body) {
        try (Deadlines.Deadline _ = deadlines.in(options.patience())) {
            response.header(HeaderNames.CONTENT_TYPE, type).send(body);
        }
    }

    /** Refuses, or says in the middle of a stream that there will be no more. */
    void refuse(ApiException e) {
        Object body = ErrorShape.of(path()).body(e);
        if (stream != null) {
            try {
                write(
                        ErrorShape.of(path()) == ErrorShape.ANTHROPIC
                                ? event("error", body)
                                : ErrorShape.of(path()) == ErrorShape.OLLAMA ? line(body) : event(body));
            } catch (CloseConnectionException | SocketWriterException | IOException | UncheckedIOException gone) {
                return; // nobody listens
            }
        } else if (!response.isSent()) {
            if (e.retryAfter.isPositive()) {
                response.header(HeaderNames.RETRY_AFTER, String.valueOf(e.retryAfter.toSeconds()));
            }
            response.status(Status.create(e.status));
            send(body);
        }
    }

    /** Begins an answer that comes in parts. */
    void stream(String type) {
        response.header(HeaderNames.CONTENT_TYPE, type);
        response.header(HeaderNames.CACHE_CONTROL, "no-cache");
        stream = response.outputStream();
    }

    boolean isStreaming() {
        return stream != null;
    }

    /** A server-sent event. */
    static String event(Object data) {
        return "data: " + Json.text(data) + "\n\n";
    }

    /** A server-sent event with a name. */
    static String event(String name, Object data) {
        return "event: " + name + "\ndata: " + Json.text(data) + "\n\n";
    }

    /** A line of JSON. */
    static String line(Object data) {
        return Json.text(data) + "\n";
    }

    /**
     * Sends a part now.
     *
     * @throws IOException if the client has gone
     */
    void write(String part) throws IOException {
        OutputStream out = stream;
        if (out == null) {
            throw new IllegalStateException("no stream was begun");
        }
        try (Deadlines.Deadline _ = deadlines.in(options.patience())) {
            out.write(part.getBytes(StandardCharsets.UTF_8));
            out.flush();
        }
    }

    /** Ends the parts. */
    void finish() throws IOException {
        OutputStream out = stream;
        if (out != null) {
            try (Deadlines.Deadline _ = deadlines.in(options.patience())) {
                out.close();
            }
        }
    }
}
