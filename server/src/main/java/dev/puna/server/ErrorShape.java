package dev.puna.server;

import java.util.Map;

/** How an API writes an error. */
enum ErrorShape {
    OPENAI {
        @Override
        Map<String, Object> body(ApiException e) {
            return Json.object(
                    "error",
                    Json.object("message", e.getMessage(), "type", e.type, "param", e.parameter, "code", e.code));
        }
    },
    ANTHROPIC {
        @Override
        Map<String, Object> body(ApiException e) {
            String type = switch (e.status) {
                case 401 -> "authentication_error";
                case 403 -> "permission_error";
                case 404 -> "not_found_error";
                case 413 -> "request_too_large";
                case 429 -> "rate_limit_error";
                case 503 -> "overloaded_error";
                default -> e.status < 500 ? "invalid_request_error" : "api_error";
            };
            return Json.object("type", "error", "error", Json.object("type", type, "message", e.getMessage()));
        }
    },
    OLLAMA {
        @Override
        Map<String, Object> body(ApiException e) {
            return Json.object("error", e.getMessage());
        }
    };

    abstract Map<String, Object> body(ApiException e);

    /** The shape for an address. */
    static ErrorShape of(String path) {
        if (path.startsWith("/api/")) {
            return OLLAMA;
        }
        return path.startsWith("/v1/messages") ? ANTHROPIC : OPENAI;
    }
}
