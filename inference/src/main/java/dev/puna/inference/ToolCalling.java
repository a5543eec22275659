package dev.puna.inference;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/**
 * Calls of tools as Llama 3.1 writes them: {@code {"name": "f", "parameters": {…}}}, the whole answer, several separated
 * by a semicolon. The chat template shows the model its tools; this reads the answer, and can make every other answer
 * impossible.
 *
 * @see <a href="https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/">Llama 3.1, JSON based tool
 *     calling</a>
 */
public final class ToolCalling {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private ToolCalling() {}

    /** The grammar (GBNF) of a call of one of these tools, with arguments that fit its schema. */
    public static String grammarOfCall(List<Tool> tools) {
        return JsonSchema.grammar(schemaOfCall(tools, null));
    }

    /** The grammar of a call, or of a text that does not look like one. */
    public static String grammarOfCallOrText(List<Tool> tools) {
        return "call" + grammarOfCall(tools).substring("root".length())
                + "root ::= call | \"\" | [^{\\x00-\\x20] [^\\x00]*\n";
    }

    /** The grammar of a call, or of a JSON value that fits a schema. */
    public static String grammarOfCallOr(List<Tool> tools, Map<?, ?> schema) {
        return JsonSchema.grammar(schemaOfCall(tools, schema));
    }

    /** A call is an object with the tool's name and its arguments. */
    private static Map<String, Object> schemaOfCall(List<Tool> tools, @Nullable Map<?, ?> otherwise) {
        Map<String, Object> definitions = new LinkedHashMap<>();
        List<Object> answers = new ArrayList<>();
        for (Tool tool : tools) {
            String place = "tool" + definitions.size();
            define(definitions, place, tool.parameters().isEmpty() ? Map.of("type", "object") : tool.parameters());
            Map<String, Object> properties = new LinkedHashMap<>();
            properties.put("name", Map.of("const", tool.name()));
            properties.put("parameters", Map.of("$ref", "#/$defs/" + place));
            answers.add(Map.of("type", "object", "properties", properties, "required", List.of("name", "parameters")));
        }
        if (otherwise != null) {
            define(definitions, "answer", otherwise);
            answers.add(Map.of("$ref", "#/$defs/answer"));
        }
        return Map.of("$defs", definitions, "anyOf", answers);
    }

    private static void define(Map<String, Object> definitions, String place, Map<?, ?> schema) {
        definitions.put(place, Objects.requireNonNull(moved(schema, "#/$defs/" + place)));
    }

    /** A schema inside another one: what referred to its root refers to its new place. */
    private static @Nullable Object moved(@Nullable Object value, String place) {
        return switch (value) {
            case Map<?, ?> map -> {
                Map<String, @Nullable Object> all = new LinkedHashMap<>();
                map.forEach((key, each) -> all.put(
                        String.valueOf(key),
                        key.equals("$ref") && each instanceof String reference && reference.startsWith("#")
                                ? place + reference.substring(1)
                                : moved(each, place)));
                yield all;
            }
            case List<?> list -> {
                List<@Nullable Object> all = new ArrayList<>();
                list.forEach(each -> all.add(moved(each, place)));
                yield all;
            }
            case null, default -> value;
        };
    }

    /** Whether this may become a call when more follows: a stream holds such a text back. */
    public static boolean mayBegin(String text) {
        String begun = text.stripLeading();
        return begun.isEmpty() || begun.charAt(0) == '{';
    }

    /** The calls that an answer consists of; empty if it is a text, or names a tool that is not there. */
    public static List<ToolCall> parse(String answer, List<Tool> tools) {
        List<ToolCall> calls = new ArrayList<>();
        if (answer.isBlank() || !mayBegin(answer)) {
            return List.of();
        }
        int at = 0;
        while (at < answer.length()) {
            char c = answer.charAt(at);
            if (Character.isWhitespace(c) || c == ';') {
                at++;
                continue;
            }
            try (JsonParser parser = JSON.createParser(answer.substring(at))) {
                if (parser.nextToken() != JsonToken.START_OBJECT) {
                    return List.of();
                }
                Optional<ToolCall> call = call(parser.readValueAs(Map.class), tools);
                if (call.isEmpty()) {
                    return List.of();
                }
                calls.add(call.get());
                at += (int) parser.currentLocation().getCharOffset();
            } catch (JacksonException e) {
                return List.of(); // an object that does not end, or none
            }
        }
        return calls;
    }

    private static Optional<ToolCall> call(Map<?, ?> object, List<Tool> tools) {
        Object arguments = object.containsKey("parameters") ? object.get("parameters") : object.get("arguments");
        if (!(arguments instanceof Map<?, ?>)
                || tools.stream().noneMatch(tool -> tool.name().equals(object.get("name")))) {
            return Optional.empty();
        }
        return Optional.of(new ToolCall(String.valueOf(object.get("name")), JSON.writeValueAsString(arguments)));
    }
}
