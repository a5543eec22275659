package dev.puna.server;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A refusal in OpenAI's shape. */
final class ApiException extends RuntimeException {
    private static final long serialVersionUID = 1;

    final int status;
    final String type;
    final @Nullable String parameter;
    final @Nullable String code;

    ApiException(int status, String type, String message, @Nullable String parameter, @Nullable String code) {
        super(message);
        this.status = status;
        this.type = type;
        this.parameter = parameter;
        this.code = code;
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

    Map<String, Object> body() {
        Map<String, @Nullable Object> error = new LinkedHashMap<>();
        error.put("message", getMessage());
        error.put("type", type);
        error.put("param", parameter);
        error.put("code", code);
        return Map.of("error", error);
    }
}
