package dev.puna.server;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A JSON object of a request, read strictly: a field of another type, or one that nobody asked for, is refused. */
final class Body {
    private final String place;
    private final Map<?, ?> fields;
    private final Set<String> read = new HashSet<>();

    Body(Map<?, ?> fields) {
        this("", fields);
    }

    private Body(String place, Map<?, ?> fields) {
        this.place = place;
        this.fields = fields;
    }

    /** The object {@code value} at a place of a request; {@link #end} it, too. */
    static Body of(String place, @Nullable Object value) {
        if (value instanceof Map<?, ?> map) {
            return new Body(place, map);
        }
        throw ApiException.invalid(place, "'" + place + "' must be an object.");
    }

    /** The name of a field as errors call it: {@code messages[0].role}. */
    String place(String name) {
        return place.isEmpty() ? name : place + "." + name;
    }

    boolean has(String name) {
        return value(name) != null;
    }

    /** Null for what is absent or null. */
    @Nullable
    Object value(String name) {
        read.add(name);
        return fields.get(name);
    }

    ApiException invalid(String name, String rule) {
        return ApiException.invalid(place(name), "'" + place(name) + "' must be " + rule + ".");
    }

    String text(String name, String otherwise) {
        Object value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof String text) {
            return text;
        }
        throw invalid(name, "a string");
    }

    String requiredText(String name) {
        if (!has(name)) {
            throw ApiException.invalid(place(name), "'" + place(name) + "' is missing.");
        }
        return text(name, "");
    }

    boolean flag(String name, boolean otherwise) {
        Object value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof Boolean flag) {
            return flag;
        }
        throw invalid(name, "true or false");
    }

    double number(String name, double otherwise, double least, double most) {
        Object value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof Number number && number.doubleValue() >= least && number.doubleValue() <= most) {
            return number.doubleValue();
        }
        throw invalid(name, "a number between " + least + " and " + most);
    }

    long whole(String name, Supplier<Long> otherwise, long least, long most) {
        Object value = value(name);
        if (value == null) {
            return otherwise.get();
        }
        if ((value instanceof Integer || value instanceof Long)
                && ((Number) value).longValue() >= least
                && ((Number) value).longValue() <= most) {
            return ((Number) value).longValue();
        }
        throw invalid(name, "a whole number between " + least + " and " + most);
    }

    int count(String name, int otherwise, int least, int most) {
        return (int) whole(name, () -> (long) otherwise, least, most);
    }

    /** An object, or null for none. */
    @Nullable
    Body object(String name) {
        Object value = value(name);
        return value == null ? null : of(place(name), value);
    }

    /** An object whose fields are somebody else's business, or null for none. */
    @Nullable
    Map<?, ?> map(String name) {
        Object value = value(name);
        if (value == null || value instanceof Map) {
            return (Map<?, ?>) value;
        }
        throw invalid(name, "an object");
    }

    /** The objects of a list; empty if there is none. */
    List<Body> objects(String name) {
        Object value = value(name);
        if (value == null) {
            return List.of();
        }
        if (!(value instanceof List<?> list)) {
            throw invalid(name, "a list");
        }
        List<Body> all = new ArrayList<>();
        for (Object each : list) {
            all.add(of(place(name) + "[" + all.size() + "]", each));
        }
        return all;
    }

    List<String> texts(String name) {
        return switch (value(name)) {
            case null -> List.of();
            case String text -> List.of(text);
            case List<?> list
            when list.stream().allMatch(String.class::isInstance) ->
                list.stream().map(String.class::cast).toList();
            default -> throw invalid(name, "a string or a list of strings");
        };
    }

    /** A field that changes nothing here, whatever it says. */
    Body without(String... names) {
        read.addAll(List.of(names));
        return this;
    }

    /** A field that may only say what is done anyway. */
    Body only(String name, Object... values) {
        Object value = value(name);
        if (value != null && !List.of(values).contains(value)) {
            throw ApiException.unsupported(place(name), "only " + Json.text(values[0]) + " is understood.");
        }
        return this;
    }

    /** Refuses what was not read. */
    void end() {
        for (Map.Entry<?, ?> field : fields.entrySet()) {
            String name = String.valueOf(field.getKey());
            if (!read.contains(name) && field.getValue() != null) {
                throw ApiException.unsupported(place(name));
            }
        }
    }
}
