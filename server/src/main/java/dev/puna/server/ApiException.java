package dev.puna.server;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A refusal, as OpenAI's API names its parts; {@link ErrorShape} writes it as each API does. */
final class ApiException extends RuntimeException {
    private static final long serialVersionUID = 1;

    final int status;
    final String type;
    final @Nullable String parameter;
    final @Nullable String code;
    final Duration retryAfter;

    ApiException(int status, String type, String message, @Nullable String parameter, @Nullable String code) {
        this(status, type, message, parameter, code, Duration.ZERO);
    }

    private ApiException(
            int status,
            String type,
            String message,
            @Nullable String parameter,
            @Nullable String code,
            Duration retryAfter) {
        super(message);
        this.status = status;
        this.type = type;
        this.parameter = parameter;
        this.code = code;
        this.retryAfter = retryAfter;
    }

    static ApiException invalid(String parameter, String message) {
        return new ApiException(400, "invalid_request_error", message, parameter, null);
    }

    static ApiException unsupported(String parameter) {
        return new ApiException(
                400,
                "invalid_request_error",
                "Unsupported parameter: '" + parameter + "'.",
                parameter,
                "unsupported_parameter");
    }

    static ApiException unsupported(String parameter, String hint) {
        return new ApiException(
                400,
                "invalid_request_error",
                "Unsupported value of '" + parameter + "': " + hint,
                parameter,
                "unsupported_value");
    }

    static ApiException tooMany(int limit, Duration retryAfter) {
        return new ApiException(
                429,
                "rate_limit_error",
                limit + " requests wait already; try again in " + retryAfter.toSeconds() + " s.",
                null,
                "queue_full",
                retryAfter);
    }

    static ApiException closing() {
        return new ApiException(503, "server_error", "The server is shutting down.", null, "shutting_down");
    }

    static ApiException failed(String message) {
        return new ApiException(500, "server_error", message, null, null);
    }
}
