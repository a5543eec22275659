package dev.puna.data.pipeline;

import dev.puna.tensor.ConfigurationException;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** The settings of one thing in a recipe. A name that it does not have is refused, and so is a value of another kind. */
final class Settings {
    private final String of;
    private final JsonNode node;

    /**
     * @param of what the settings are of, for messages
     * @param names all that it has
     */
    Settings(String of, JsonNode node, String... names) {
        List<String> known = List.of(names);
        for (String name : node.propertyNames()) {
            if (!known.contains(name)) {
                throw new ConfigurationException(
                        of + "." + name, node.path(name), "there is no such setting; use one of " + known);
            }
        }
        this.of = of;
        this.node = node;
    }

    private ConfigurationException wrong(String name, String hint) {
        return new ConfigurationException(of + "." + name, node.path(name), hint);
    }

    boolean has(String name) {
        return node.has(name);
    }

    String text(String name, String otherwise) {
        if (!node.has(name)) {
            return otherwise;
        }
        if (!node.path(name).isValueNode()) {
            throw wrong(name, "use a text");
        }
        return node.path(name).asString("");
    }

    boolean flag(String name, boolean otherwise) {
        if (!node.has(name)) {
            return otherwise;
        }
        if (!node.path(name).isBoolean()) {
            throw wrong(name, "use true or false");
        }
        return node.path(name).asBoolean();
    }

    /** A whole number of at least {@code least}. */
    int integer(String name, int otherwise, int least) {
        if (!node.has(name)) {
            return otherwise;
        }
        JsonNode value = node.path(name);
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < least) {
            throw wrong(name, "use a whole number of at least " + least);
        }
        return value.asInt();
    }

    /** A number that is not negative. */
    double number(String name, double otherwise) {
        if (!node.has(name)) {
            return otherwise;
        }
        JsonNode value = node.path(name);
        if (!value.isNumber() || !(value.asDouble() >= 0)) {
            throw wrong(name, "use a number of at least 0");
        }
        return value.asDouble();
    }

    /** A list of texts. */
    List<String> texts(String name) {
        if (!node.has(name)) {
            return List.of();
        }
        if (!node.path(name).isArray()) {
            throw wrong(name, "use a list: [en, de]");
        }
        return node.path(name).valueStream().map(value -> value.asString("")).toList();
    }
}
