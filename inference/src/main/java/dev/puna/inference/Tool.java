package dev.puna.inference;

import java.util.Map;

/**
 * A function that a model may ask its caller to call.
 *
 * @param name letters, digits, {@code _} and {@code -}
 * @param description when to call it, and what comes of it
 * @param parameters the JSON schema of its arguments: an object's
 * @param strict whether arguments that do not fit the schema must be impossible, and not only unlikely
 */
public record Tool(String name, String description, Map<String, ?> parameters, boolean strict) {
    /** The tool as chat templates read it. */
    public Map<String, ?> forTemplate() {
        return Map.of(
                "type",
                "function",
                "function",
                Map.of("name", name, "description", description, "parameters", parameters));
    }
}
