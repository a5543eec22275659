package dev.puna.inference;

import java.math.BigDecimal;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Whether what is written after one JSON schema can be valid under another. {@code oneOf} wants exactly one of its
 * schemas to accept a value, and a grammar can only say that one does; so it serves only where the schemas exclude each
 * other. This is shown by types, by {@code const} and {@code enum}, and by members: what cannot be shown so counts as an
 * overlap.
 */
final class SchemaExclusion {
    /** References that are followed one within the other. */
    private static final int DEPTH = 8;

    private final Function<String, @Nullable Object> references;

    /** @param references what a {@code $ref} leads to, null if nothing */
    SchemaExclusion(Function<String, @Nullable Object> references) {
        this.references = references;
    }

    /** Whether {@code other} accepts nothing that the grammar of {@code written} allows. */
    boolean excludes(@Nullable Object written, @Nullable Object other) {
        return excludes(written, other, 0);
    }

    private boolean excludes(@Nullable Object written, @Nullable Object other, int depth) {
        if (depth > DEPTH || !(written instanceof Map<?, ?> ours) || !(other instanceof Map<?, ?> theirs)) {
            return false;
        }
        if (ours.get("$ref") instanceof String reference) {
            return excludes(references.apply(reference), theirs, depth + 1);
        }
        if (theirs.get("$ref") instanceof String reference) {
            return excludes(ours, references.apply(reference), depth + 1);
        }
        for (String key : List.of("anyOf", "oneOf", "allOf")) {
            if (ours.get(key) instanceof List<?> parts) {
                return parts.stream().allMatch(part -> excludes(part, theirs, depth + 1));
            }
            if (theirs.get(key) instanceof List<?> parts) {
                return parts.stream().allMatch(part -> excludes(ours, part, depth + 1));
            }
        }
        List<?> values = values(ours);
        if (!values.isEmpty()) {
            return values.stream().allMatch(value -> rejects(theirs, value));
        }
        Set<String> our = types(ours);
        List<?> accepted = values(theirs);
        if (!accepted.isEmpty()) {
            return !our.isEmpty()
                    && accepted.stream().noneMatch(value -> our.stream().anyMatch(type -> isOfType(value, type)));
        }
        Set<String> their = types(theirs);
        if (!our.isEmpty() && !their.isEmpty() && !overlap(our, their)) {
            return true;
        }
        return our.equals(Set.of("object")) && excludesObjects(ours, theirs, depth);
    }

    /** Objects have the members of {@code ours}, the required ones always, and no others. */
    private boolean excludesObjects(Map<?, ?> ours, Map<?, ?> theirs, int depth) {
        Map<?, ?> members = members(ours);
        Map<?, ?> known = members(theirs);
        if (members.isEmpty()) {
            return false; // any members at all
        }
        for (Object name : required(theirs)) {
            if (!members.containsKey(name)
                    || (known.containsKey(name) && excludes(members.get(name), known.get(name), depth + 1))) {
                return true;
            }
        }
        for (Object name : required(ours)) {
            if (known.containsKey(name)
                    ? excludes(members.get(name), known.get(name), depth + 1)
                    : Boolean.FALSE.equals(theirs.get("additionalProperties"))) {
                return true;
            }
        }
        return false;
    }

    private static Map<?, ?> members(Map<?, ?> schema) {
        return schema.get("properties") instanceof Map<?, ?> members ? members : Map.of();
    }

    private static List<?> required(Map<?, ?> schema) {
        return schema.get("required") instanceof List<?> names ? names : List.of();
    }

    /** Those of {@code const} or {@code enum} that are of the {@code type} beside it; none if it names no values. */
    static List<?> values(Map<?, ?> schema) {
        List<?> all = List.of();
        if (schema.containsKey("const")) {
            all = java.util.Collections.singletonList(schema.get("const"));
        } else if (schema.get("enum") instanceof List<?> several) {
            all = several;
        }
        Set<String> types = types(schema);
        return !schema.containsKey("type")
                ? all
                : all.stream()
                        .filter(value -> types.stream().anyMatch(type -> isOfType(value, type)))
                        .toList();
    }

    /** The types that are named; {@code properties} alone are written as an object. */
    private static Set<String> types(Map<?, ?> schema) {
        Set<String> types = new HashSet<>();
        if (schema.get("type") instanceof List<?> several) {
            several.forEach(type -> types.add(String.valueOf(type)));
        } else if (schema.get("type") instanceof String type) {
            types.add(type);
        }
        return types;
    }

    private static boolean overlap(Set<String> some, Set<String> others) {
        return some.stream()
                .anyMatch(type -> others.contains(type)
                        || (type.equals("integer") && others.contains("number"))
                        || (type.equals("number") && others.contains("integer")));
    }

    /** Whether a value is of a JSON type; a number without a fraction is an integer, too. */
    static boolean isOfType(@Nullable Object value, String type) {
        return switch (type) {
            case "null" -> value == null;
            case "boolean" -> value instanceof Boolean;
            case "string" -> value instanceof String;
            case "array" -> value instanceof List<?>;
            case "object" -> value instanceof Map<?, ?>;
            case "number" -> value instanceof Number;
            case "integer" ->
                value instanceof Number number
                        && decimal(number).stripTrailingZeros().scale() <= 0;
            default -> false;
        };
    }

    private static BigDecimal decimal(Number number) {
        return new BigDecimal(number.toString());
    }

    private static boolean rejects(Map<?, ?> schema, @Nullable Object value) {
        List<?> accepted = values(schema);
        if (!accepted.isEmpty()) {
            return accepted.stream().allMatch(each -> differ(each, value));
        }
        Set<String> types = types(schema);
        return !types.isEmpty() && types.stream().noneMatch(type -> isOfType(value, type));
    }

    /** Whether two values are certainly not the same. */
    private static boolean differ(@Nullable Object one, @Nullable Object other) {
        if (one instanceof Number a && other instanceof Number b) {
            return decimal(a).compareTo(decimal(b)) != 0;
        }
        boolean nested = (one instanceof List<?> && other instanceof List<?>)
                || (one instanceof Map<?, ?> && other instanceof Map<?, ?>);
        return !nested && !java.util.Objects.equals(one, other);
    }
}
