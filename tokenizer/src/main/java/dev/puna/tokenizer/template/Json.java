package dev.puna.tokenizer.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The {@code tojson} that transformers gives to templates: Python's {@code json.dumps}, to the byte. */
final class Json {
    private final Rendering r;
    private final boolean asciiOnly;
    private final @Nullable String indent;
    private final String itemSeparator;
    private final String keySeparator;
    private final boolean sortKeys;
    private final StringBuilder out = new StringBuilder();

    private Json(Rendering r, Object[] options) {
        this.r = r;
        this.asciiOnly = Values.truth(Arguments.or(options[0], false));
        Object width = Arguments.or(options[1], None.NONE);
        if (width == None.NONE) {
            this.indent = null;
        } else if (width instanceof String text) {
            this.indent = text;
        } else {
            this.indent = Values.repeat(r, " ", Numbers.index(width));
        }
        Object separators = Arguments.or(options[2], None.NONE);
        if (separators == None.NONE) {
            this.itemSeparator = indent == null ? ", " : ",";
            this.keySeparator = ": ";
        } else {
            List<Object> pair = Values.list(r, separators);
            if (pair.size() != 2) {
                throw TemplateException.runtime("tojson() expects two separators, found " + pair.size());
            }
            this.itemSeparator = Values.str(r, pair.get(0));
            this.keySeparator = Values.str(r, pair.get(1));
        }
        this.sortKeys = Values.truth(Arguments.or(options[3], false));
    }

    static String dump(Rendering r, Object value, Arguments arguments) {
        Json json = new Json(r, arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys"));
        json.write(value, 0);
        return json.out.toString();
    }

    private void append(String text) {
        r.reserve(text.length());
        out.append(text);
    }

    private void write(Object value, int depth) {
        if (depth > Values.MAX_NESTING) {
            throw TemplateException.limit("tojson: a value nests more than " + Values.MAX_NESTING + " levels deep");
        }
        r.step();
        switch (value) {
            case String text -> string(text);
            case Markup markup -> string(markup.text());
            case None none -> append("null");
            case Boolean truth -> append(truth ? "true" : "false");
            case Long number -> append(number.toString());
            case BigInteger number -> append(number.toString());
            case Double number -> append(number(number));
            case List<?> list -> array(list, depth);
            case Tuple tuple -> array(tuple.items(), depth);
            case Dict dict -> object(dict, depth);
            default ->
                throw TemplateException.runtime(
                        "Object of type " + Values.typeName(value) + " is not JSON serializable");
        }
    }

    private static String number(double value) {
        if (Double.isNaN(value)) {
            return "NaN";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "Infinity" : "-Infinity";
        }
        return FloatText.repr(value);
    }

    private void newLine(int depth) {
        if (indent != null) {
            r.reserve(1 + (long) indent.length() * depth);
            out.append('\n').repeat(indent, depth);
        }
    }

    private void array(List<?> items, int depth) {
        if (items.isEmpty()) {
            append("[]");
            return;
        }
        append("[");
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) {
                append(itemSeparator);
            }
            newLine(depth + 1);
            write(items.get(i), depth + 1);
        }
        newLine(depth);
        append("]");
    }

    private void object(Dict dict, int depth) {
        if (dict.size() == 0) {
            append("{}");
            return;
        }
        List<Object> items = dict.itemList();
        if (sortKeys) {
            List<Object> keys = new ArrayList<>();
            for (Object item : items) {
                keys.add(((Tuple) item).items().get(0));
            }
            items = Filters.sorted(r, items, keys, false);
        }
        append("{");
        boolean first = true;
        for (Object item : items) {
            Tuple pair = (Tuple) item;
            if (!first) {
                append(itemSeparator);
            }
            first = false;
            newLine(depth + 1);
            string(key(pair.items().get(0)));
            append(keySeparator);
            write(pair.items().get(1), depth + 1);
        }
        newLine(depth);
        append("}");
    }

    private static String key(Object key) {
        return switch (key) {
            case String text -> text;
            case None none -> "null";
            case Boolean truth -> truth ? "true" : "false";
            case Long number -> number.toString();
            case BigInteger number -> number.toString();
            case Double number -> number(number);
            default ->
                throw TemplateException.runtime(
                        "keys must be str, int, float, bool or None, not " + Values.typeName(key));
        };
    }

    private void string(String text) {
        r.reserve(text.length() + 2L);
        out.append('"');
        int plain = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= ' ' && c != '"' && c != '\\' && (c < 127 || !asciiOnly)) {
                continue;
            }
            out.append(text, plain, i);
            plain = i + 1;
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    r.reserve(5);
                    Text.hex(out.append("\\u"), c, 4);
                }
            }
        }
        out.append(text, plain, text.length()).append('"');
    }
}
