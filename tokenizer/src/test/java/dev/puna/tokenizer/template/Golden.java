package dev.puna.tokenizer.template;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** The files that {@code tools/golden/templates.py} made. -Dtemplate.golden=DIR reads those of another run. */
final class Golden {
    /** The moment at which the golden files were made. */
    static final Clock CLOCK = Clock.fixed(Instant.parse("2024-07-26T14:05:09Z"), ZoneOffset.UTC);

    private static final JsonFactory JSON = new JsonFactory();

    private Golden() {}

    static String text(String file) {
        String folder = System.getProperty("template.golden", "");
        try {
            if (!folder.isEmpty() && Files.exists(Path.of(folder, file))) {
                return Files.readString(Path.of(folder, file));
            }
            try (InputStream in = Golden.class.getResourceAsStream("/template/" + file)) {
                return new String(Objects.requireNonNull(in, file).readAllBytes(), StandardCharsets.UTF_8);
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    static List<Map<String, Object>> lines(String file) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (String line : text(file).split("\n")) {
            rows.add(object(json(line)));
        }
        return rows;
    }

    static List<Map<String, Object>> renderings() {
        List<Map<String, Object>> rows = lines("renderings-1.jsonl");
        rows.addAll(lines("renderings-2.jsonl"));
        return rows;
    }

    static Map<String, Object> inputs() {
        return object(json(text("inputs.json")));
    }

    /** The source of a template by the name that the golden files give it. */
    static String template(String name) {
        if (name.startsWith("puna-")) {
            for (StandardTemplate template : StandardTemplate.values()) {
                if (template.name()
                        .replace("_", "")
                        .equalsIgnoreCase(name.substring(5).replace("-", ""))) {
                    return template.source();
                }
            }
        }
        return text(name.startsWith("own-") ? "own/" + name.substring(4) + ".jinja" : "templates/" + name + ".jinja");
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(@Nullable Object value) {
        return (Map<String, Object>) Objects.requireNonNull(value);
    }

    @SuppressWarnings("unchecked")
    static <T> List<T> list(@Nullable Object value) {
        return (List<T>) Objects.requireNonNull(value);
    }

    static @Nullable Object json(String text) {
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), text)) {
            parser.nextToken();
            return value(parser);
        }
    }

    private static @Nullable Object value(JsonParser parser) {
        return switch (parser.currentToken()) {
            case START_OBJECT -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    String name = parser.currentName();
                    parser.nextToken();
                    map.put(name, value(parser));
                }
                yield map;
            }
            case START_ARRAY -> {
                List<@Nullable Object> list = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(parser));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT -> {
                BigInteger number = parser.getBigIntegerValue();
                yield number.bitLength() < 64 ? (Object) number.longValue() : number;
            }
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            default -> throw new IllegalStateException("unexpected " + parser.currentToken());
        };
    }
}
