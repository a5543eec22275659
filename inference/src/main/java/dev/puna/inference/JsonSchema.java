package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A JSON schema as a grammar (GBNF): every answer that it allows is JSON that the schema accepts. Members come in the
 * order of {@code properties}; others are not written. There is at most one space after a colon or a comma. Characters
 * beyond the first plane are written as themselves, not as two escapes, so that each counts once.
 *
 * <p>Understood: {@code type} (also several), {@code properties}, {@code required}, {@code additionalProperties} (as a
 * schema only where there are no properties), {@code items}, {@code minItems}, {@code maxItems}, {@code minLength},
 * {@code maxLength}, {@code enum}, {@code const}, {@code anyOf}, {@code oneOf} of schemas that exclude each other,
 * {@code allOf} of one, {@code $ref} into {@code $defs} or {@code definitions}. What else restricts values is refused,
 * never ignored; {@code title}, {@code description}, {@code default}, {@code examples}, {@code format} and
 * {@code discriminator} say nothing here.
 */
public final class JsonSchema {
    private static final Set<String> SILENT = Set.of(
            "title",
            "description",
            "default",
            "examples",
            "format",
            "discriminator",
            "$schema",
            "$id",
            "$comment",
            "$defs",
            "definitions",
            "deprecated",
            "readOnly",
            "writeOnly",
            "strict");

    private static final String COMMON = """
            sp ::= " "?
            hex ::= [0-9a-fA-F]
            char ::= [^"\\\\\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex | [dD] [0-7]) hex hex)
            string ::= "\\"" char* "\\""
            integer ::= "-"? ("0" | [1-9] [0-9]{0,17})
            number ::= integer ("." [0-9]{1,17})? ([eE] [-+]? [0-9]{1,3})?
            boolean ::= "true" | "false"
            null ::= "null"
            value ::= string | number | boolean | null | array | object
            array ::= "[" (value ("," sp value)*)? "]"
            object ::= "{" (member ("," sp member)*)? "}"
            member ::= string ":" sp value
            """;

    private final Map<?, ?> whole;
    private final StringBuilder rules = new StringBuilder();
    private final Map<String, String> references = new HashMap<>();
    private int next;

    private JsonSchema(Map<?, ?> whole) {
        this.whole = whole;
    }

    /** The grammar of any JSON object. */
    public static String anyObject() {
        return "root ::= object\n" + COMMON;
    }

    /**
     * The grammar of a schema.
     *
     * @param schema as parsed: maps, lists, strings, numbers, booleans and null
     * @throws ConfigurationException if it is no schema, or restricts values in a way that is not understood
     */
    public static String grammar(Map<?, ?> schema) {
        JsonSchema translation = new JsonSchema(schema);
        String root = translation.schema(schema, "schema");
        return "root ::= " + root + "\n" + translation.rules + COMMON;
    }

    private String define(String body) {
        String name = "r" + next++;
        rules.append(name).append(" ::= ").append(body).append('\n');
        return name;
    }

    /** An expression for what a schema allows. */
    private String schema(@Nullable Object value, String where) {
        if (Boolean.TRUE.equals(value)) {
            return "value";
        }
        if (!(value instanceof Map<?, ?> schema)) {
            throw new ConfigurationException(where, String.valueOf(value), "a schema is an object or true");
        }
        if (schema.get("$ref") instanceof String reference) {
            only(schema, where, Set.of("$ref"));
            return reference(reference, where);
        }
        if (schema.containsKey("const") || schema.get("enum") instanceof List<?>) {
            return values(schema, where);
        }
        for (String key : List.of("anyOf", "oneOf", "allOf")) {
            if (schema.get(key) instanceof List<?> parts) {
                only(schema, where, Set.of(key));
                if (key.equals("oneOf")) {
                    requireExclusive(parts, where);
                }
                if (key.equals("allOf") && parts.size() != 1) {
                    throw new ConfigurationException(
                            where + ".allOf", parts.size() + " schemas", "only one is understood");
                }
                List<String> choices = new ArrayList<>();
                for (int i = 0; i < parts.size(); i++) {
                    choices.add(schema(parts.get(i), where + "." + key + "[" + i + "]"));
                }
                return choice(choices, where);
            }
        }
        Object type = schema.get("type");
        if (type instanceof List<?> types) {
            List<String> choices = new ArrayList<>();
            for (Object each : types) {
                choices.add(typed(schema, String.valueOf(each), where, true));
            }
            return choice(choices, where);
        }
        if (type == null) {
            if (schema.containsKey("properties")) {
                return typed(schema, "object", where, false);
            }
            only(schema, where, Set.of());
            return "value";
        }
        return typed(schema, String.valueOf(type), where, false);
    }

    /** What {@code const} or {@code enum} names, as far as it is of the {@code type} that may stand beside it. */
    private static String values(Map<?, ?> schema, String where) {
        only(schema, where, Set.of(schema.containsKey("const") ? "const" : "enum", "type"));
        List<String> literals = new ArrayList<>();
        for (Object each : SchemaExclusion.values(schema)) {
            literals.add(literal(json(each, where)));
        }
        if (literals.isEmpty() && schema.containsKey("type")) {
            throw new ConfigurationException(where + ".type", schema.get("type"), "no value is of this type");
        }
        return choice(literals, where);
    }

    private void requireExclusive(List<?> parts, String where) {
        SchemaExclusion exclusion = new SchemaExclusion(this::target);
        for (int i = 0; i < parts.size(); i++) {
            for (int j = 0; j < parts.size(); j++) {
                if (i != j && !exclusion.excludes(parts.get(i), parts.get(j))) {
                    throw new ConfigurationException(
                            where + ".oneOf",
                            "schemas " + i + " and " + j,
                            "an answer may fit both, which oneOf forbids: use anyOf, or let them differ by type, by"
                                    + " const, or by const of a required member");
                }
            }
        }
    }

    private static String choice(List<String> choices, String where) {
        if (choices.isEmpty()) {
            throw new ConfigurationException(where, "[]", "there is nothing to choose from");
        }
        return "(" + String.join(" | ", choices) + ")";
    }

    private String typed(Map<?, ?> schema, String type, String where, boolean several) {
        return switch (type) {
            case "object" -> object(schema, where, several);
            case "array" -> array(schema, where, several);
            case "string" -> {
                known(schema, where, several, Set.of("minLength", "maxLength"));
                yield schema.containsKey("minLength") || schema.containsKey("maxLength")
                        ? "\"\\\"\" char" + bounds(schema, "minLength", "maxLength", where) + " \"\\\"\""
                        : "string";
            }
            case "number", "integer", "boolean", "null" -> {
                known(schema, where, several, Set.of());
                yield type;
            }
            default -> throw new ConfigurationException(where + ".type", type, "is no JSON type");
        };
    }

    private void known(Map<?, ?> schema, String where, boolean several, Set<String> keys) {
        if (!several) {
            Set<String> all = new java.util.HashSet<>(keys);
            all.add("type");
            only(schema, where, all);
        } else {
            only(
                    schema,
                    where,
                    Set.of(
                            "type",
                            "minLength",
                            "maxLength",
                            "properties",
                            "required",
                            "additionalProperties",
                            "items",
                            "minItems",
                            "maxItems"));
        }
    }

    private static void only(Map<?, ?> schema, String where, Set<String> keys) {
        for (Object key : schema.keySet()) {
            if (!keys.contains(String.valueOf(key)) && !SILENT.contains(String.valueOf(key))) {
                throw new ConfigurationException(where, key, "this keyword is not understood here");
            }
        }
    }

    private static String bounds(Map<?, ?> schema, String least, String most, String where) {
        int from = bound(schema, least, 0, where);
        int to = bound(schema, most, -1, where);
        if (to >= 0 && to < from) {
            throw new ConfigurationException(where + "." + most, to, "is below " + least);
        }
        return "{" + from + "," + (to < 0 ? "" : to) + "}";
    }

    private static int bound(Map<?, ?> schema, String key, int otherwise, String where) {
        Object value = schema.get(key);
        if (value == null) {
            return otherwise;
        }
        if (!(value instanceof Number number) || number.doubleValue() != number.intValue() || number.intValue() < 0) {
            throw new ConfigurationException(where + "." + key, value, "must be a whole number, not negative");
        }
        return number.intValue();
    }

    private String array(Map<?, ?> schema, String where, boolean several) {
        known(schema, where, several, Set.of("items", "minItems", "maxItems"));
        String item = define(schema(schema.containsKey("items") ? schema.get("items") : true, where + ".items"));
        int least = bound(schema, "minItems", 0, where);
        int most = bound(schema, "maxItems", -1, where);
        if (most >= 0 && most < least) {
            throw new ConfigurationException(where + ".maxItems", most, "is below minItems");
        }
        if (most == 0) {
            return "\"[]\"";
        }
        String more = "(\",\" sp " + item + "){" + Math.max(0, least - 1) + "," + (most < 0 ? "" : most - 1) + "}";
        String items = item + " " + more;
        return "\"[\" " + (least == 0 ? "(" + items + ")?" : items) + " \"]\"";
    }

    private String object(Map<?, ?> schema, String where, boolean several) {
        known(schema, where, several, Set.of("properties", "required", "additionalProperties"));
        Object properties = schema.get("properties");
        List<?> required = schema.get("required") instanceof List<?> names ? names : List.of();
        if (!(properties instanceof Map<?, ?> members) || members.isEmpty()) {
            if (!required.isEmpty()) {
                throw new ConfigurationException(where + ".required", required, "names members without a schema");
            }
            Object additional = schema.get("additionalProperties");
            if (Boolean.FALSE.equals(additional)) {
                return "\"{}\"";
            }
            String value = define(schema(additional == null ? true : additional, where + ".additionalProperties"));
            String member = "string \":\" sp " + value;
            return "\"{\" (" + member + " (\",\" sp " + member + ")*)? \"}\"";
        }
        if (schema.get("additionalProperties") instanceof Map<?, ?>) {
            throw new ConfigurationException(
                    where + ".additionalProperties", "(a schema)", "is understood only where there are no properties");
        }
        for (Object name : required) {
            if (!members.containsKey(name)) {
                throw new ConfigurationException(where + ".required", name, "is not among the properties");
            }
        }
        // From the last member to the first: what may follow when a member was written before, and when none was.
        List<Map.Entry<?, ?>> ordered = new ArrayList<>(members.entrySet());
        String later = "\"\"";
        String first = "\"\"";
        for (int i = ordered.size() - 1; i >= 0; i--) {
            String name = String.valueOf(ordered.get(i).getKey());
            String member = literal(json(name, where) + ":") + " sp "
                    + define(schema(ordered.get(i).getValue(), where + "." + name));
            boolean needed = required.contains(name);
            String nextFirst = define(needed ? member + " " + later : member + " " + later + " | " + first);
            later = define("\",\" sp " + member + " " + later + (needed ? "" : " | " + later));
            first = nextFirst;
        }
        return "\"{\" " + first + " \"}\"";
    }

    private String reference(String reference, String where) {
        String known = references.get(reference);
        if (known != null) {
            return known;
        }
        Object target = target(reference);
        if (target == null) {
            throw new ConfigurationException(where + ".$ref", reference, "does not lead to a part of this schema");
        }
        String name = "ref" + references.size();
        references.put(reference, name);
        String body = schema(target, reference);
        rules.append(name).append(" ::= ").append(body).append('\n');
        return name;
    }

    /** What a reference leads to in this schema; null if nothing. */
    private @Nullable Object target(String reference) {
        @Nullable Object target = reference.equals("#") ? whole : null;
        if (reference.startsWith("#/")) {
            target = whole;
            for (String part : reference.substring(2).split("/", -1)) {
                target = target instanceof Map<?, ?> map
                        ? map.get(part.replace("~1", "/").replace("~0", "~"))
                        : null;
            }
        }
        return target;
    }

    private static String literal(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    private static String json(@Nullable Object value, String where) {
        return switch (value) {
            case null -> "null";
            case String text -> quoted(text);
            case Boolean truth -> truth.toString();
            case BigDecimal number -> number.toString();
            case Number number -> number.toString();
            case List<?> list -> {
                List<String> parts = new ArrayList<>();
                for (Object each : list) {
                    parts.add(json(each, where));
                }
                yield "[" + String.join(",", parts) + "]";
            }
            case Map<?, ?> map -> {
                List<String> parts = new ArrayList<>();
                map.forEach((key, each) -> parts.add(quoted(String.valueOf(key)) + ":" + json(each, where)));
                yield "{" + String.join(",", parts) + "}";
            }
            default -> throw new ConfigurationException(where, value, "is no JSON value");
        };
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c < 0x20) {
                        out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        return out.append('"').toString();
    }
}
