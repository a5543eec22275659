package dev.puna.server;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A JSON object of a request, read strictly: a field of another type, or one that nobody asked for, is refused. */
final class Body {
    private final Map<?, ?> fields;
    private final Set<String> read = new HashSet<>();

    Body(Map<?, ?> fields) {
        this.fields = fields;
    }

    /** Null for what is absent or null. */
    @Nullable
    Object value(String name) {
        read.add(name);
        return fields.get(name);
    }

    String text(String name, String otherwise) {
        Object value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof String text) {
            return text;
        }
        throw ApiException.invalid(name, "'" + name + "' must be a string.");
    }

    boolean flag(String name) {
        Object value = value(name);
        if (value == null) {
            return false;
        }
        if (value instanceof Boolean flag) {
            return flag;
        }
        throw ApiException.invalid(name, "'" + name + "' must be true or false.");
    }

    double number(String name, double otherwise, double least, double most) {
        Object value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof Number number && number.doubleValue() >= least && number.doubleValue() <= most) {
            return number.doubleValue();
        }
        throw ApiException.invalid(name, "'" + name + "' must be a number between " + least + " and " + most + ".");
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
        throw ApiException.invalid(
                name, "'" + name + "' must be a whole number between " + least + " and " + most + ".");
    }

    int count(String name, int otherwise, int least, int most) {
        return (int) whole(name, () -> (long) otherwise, least, most);
    }

    @Nullable
    Map<?, ?> object(String name) {
        Object value = value(name);
        if (value == null || value instanceof Map) {
            return (Map<?, ?>) value;
        }
        throw ApiException.invalid(name, "'" + name + "' must be an object.");
    }

    List<String> texts(String name) {
        return switch (value(name)) {
            case null -> List.of();
            case String text -> List.of(text);
            case List<?> list
            when list.stream().allMatch(String.class::isInstance) ->
                list.stream().map(String.class::cast).toList();
            default -> throw ApiException.invalid(name, "'" + name + "' must be a string or a list of strings.");
        };
    }

    /** Refuses what was not read. */
    void end() {
        for (Map.Entry<?, ?> field : fields.entrySet()) {
            String name = String.valueOf(field.getKey());
            if (!read.contains(name) && field.getValue() != null) {
                throw ApiException.unsupported(name);
            }
        }
    }
}
