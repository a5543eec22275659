package dev.puna.tokenizer.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What Python does with its values: truth, text, equality, order, membership, iteration, and the sums of sequences. */
final class Values {
    /** Levels of lists and dicts in one another that are printed, compared or taken over. */
    static final int MAX_NESTING = 200;

    private Values() {}

    /**
     * Takes over a value of the caller: maps, lists, strings, numbers, truth values and null, copied so that nothing the
     * caller does later can change them.
     */
    static Object imported(@Nullable Object value) {
        return imported(value, 0);
    }

    private static Object imported(@Nullable Object value, int depth) {
        if (depth > MAX_NESTING) {
            throw TemplateException.limit("a conversation value nests more than " + MAX_NESTING + " levels deep");
        }
        return switch (value) {
            case null -> None.NONE;
            case String text -> text;
            case Boolean truth -> truth;
            case Long number -> number;
            case Double number -> number;
            case Integer number -> (long) number;
            case Short number -> (long) number;
            case Byte number -> (long) number;
            case Float number -> (double) number;
            case BigInteger number -> Numbers.integer(number);
            case BigDecimal number -> number.doubleValue();
            case Map<?, ?> map -> {
                Dict dict = new Dict(map.size());
                for (Map.Entry<?, ?> entry : map.entrySet()) {
                    dict.put(imported(entry.getKey(), depth + 1), imported(entry.getValue(), depth + 1));
                }
                yield dict;
            }
            case Iterable<?> items -> {
                List<Object> list = new ArrayList<>();
                for (Object item : items) {
                    list.add(imported(item, depth + 1));
                }
                yield list;
            }
            case CharSequence text -> text.toString();
            default ->
                throw TemplateException.runtime("a conversation value of " + value.getClass()
                        + "; expected maps, lists, strings, numbers, true, false or null");
        };
    }

    static String typeName(Object value) {
        return switch (value) {
            case None none -> "NoneType";
            case Boolean truth -> "bool";
            case Long number -> "int";
            case BigInteger number -> "int";
            case Double number -> "float";
            case String text -> "str";
            case Markup text -> "Markup";
            case List<?> list -> "list";
            case Tuple tuple -> "tuple";
            case Dict dict -> "dict";
            case DictView view -> view.typeName();
            case Range range -> "range";
            case Generator generator -> "generator";
            case Namespace namespace -> "Namespace";
            case MacroValue macro -> "Macro";
            case Loop loop -> "LoopContext";
            case Undefined undefined -> "Undefined";
            case BoundMethod method -> "builtin_function_or_method";
            default -> "function";
        };
    }

    /** The characters of a string, marked or not; null for any other value. */
    static @Nullable String textOrNull(Object value) {
        return value instanceof String text ? text : value instanceof Markup markup ? markup.text() : null;
    }

    static boolean truth(Object value) {
        return switch (value) {
            case Boolean truth -> truth;
            case String text -> !text.isEmpty();
            case None none -> false;
            case Undefined undefined -> false;
            case List<?> list -> !list.isEmpty();
            case Dict dict -> dict.size() > 0;
            case Long number -> number != 0;
            case Double number -> number != 0;
            case BigInteger number -> number.signum() != 0;
            case Markup markup -> !markup.text().isEmpty();
            case Tuple tuple -> !tuple.items().isEmpty();
            case DictView view -> view.dict().size() > 0;
            case Range range -> range.size() > 0;
            default -> true;
        };
    }

    // ---- text

    static String str(Rendering r, Object value) {
        return switch (value) {
            case String text -> text;
            case Markup markup -> markup.text();
            case Undefined undefined -> "";
            default -> repr(r, value);
        };
    }

    static String repr(Rendering r, Object value) {
        StringBuilder out = new StringBuilder();
        repr(r, value, out, 0);
        return out.toString();
    }

    private static void repr(Rendering r, Object value, StringBuilder out, int depth) {
        if (depth > MAX_NESTING) {
            throw TemplateException.limit("a printed value nests more than " + MAX_NESTING + " levels deep");
        }
        switch (value) {
            case String text -> append(r, out, Text.repr(text));
            case Markup markup -> append(r, out, "Markup(" + Text.repr(markup.text()) + ")");
            case Boolean truth -> append(r, out, truth ? "True" : "False");
            case Double number -> append(r, out, FloatText.repr(number));
            case Undefined undefined -> append(r, out, "Undefined");
            case List<?> list -> {
                append(r, out, "[");
                reprAll(r, list, out, depth);
                append(r, out, "]");
            }
            case Tuple tuple -> {
                append(r, out, "(");
                reprAll(r, tuple.items(), out, depth);
                append(r, out, tuple.items().size() == 1 ? ",)" : ")");
            }
            case Dict dict -> reprDict(r, dict, out, depth);
            case DictView view -> {
                append(r, out, view.typeName() + "([");
                reprAll(r, view.list(), out, depth);
                append(r, out, "])");
            }
            case Namespace namespace -> {
                append(r, out, "<Namespace ");
                reprDict(r, namespace.attributes(), out, depth);
                append(r, out, ">");
            }
            case MacroValue macro -> append(r, out, "<Macro " + Text.repr(macro.macro().name) + ">");
            case None none -> append(r, out, "None");
            case Long number -> append(r, out, number.toString());
            case BigInteger number -> append(r, out, number.toString());
            case Range range -> append(r, out, range.toString());
            default -> append(r, out, "<" + typeName(value) + " object>");
        }
    }

    private static void append(Rendering r, StringBuilder out, String text) {
        r.reserve(text.length());
        out.append(text);
    }

    private static void reprAll(Rendering r, List<?> items, StringBuilder out, int depth) {
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) {
                append(r, out, ", ");
            }
            repr(r, items.get(i), out, depth + 1);
        }
    }

    private static void reprDict(Rendering r, Dict dict, StringBuilder out, int depth) {
        append(r, out, "{");
        boolean first = true;
        for (Object item : dict.itemList()) {
            if (!first) {
                append(r, out, ", ");
            }
            first = false;
            Tuple pair = (Tuple) item;
            repr(r, pair.items().get(0), out, depth + 1);
            append(r, out, ": ");
            repr(r, pair.items().get(1), out, depth + 1);
        }
        append(r, out, "}");
    }

    // ---- equality and order

    static boolean equal(Rendering r, Object x, Object y) {
        return equal(r, x, y, 0);
    }

    @SuppressWarnings("ReferenceEquality") // one object equals itself; the rest is compared below
    private static boolean equal(Rendering r, Object x, Object y, int depth) {
        if (x == y) {
            return !(x instanceof Double number) || !Double.isNaN(number);
        }
        if (depth > MAX_NESTING) {
            throw TemplateException.limit("a compared value nests more than " + MAX_NESTING + " levels deep");
        }
        r.step();
        String a = textOrNull(x);
        if (a != null) {
            String b = textOrNull(y);
            if (b == null || a.length() != b.length()) {
                return false;
            }
            r.read(a.length());
            return a.equals(b);
        }
        if (Numbers.isNumber(x)) {
            return Numbers.isNumber(y) && Numbers.compare(x, y) == 0;
        }
        return switch (x) {
            case Undefined undefined -> y instanceof Undefined;
            case List<?> list -> y instanceof List<?> other && equalItems(r, list, other, depth);
            case Tuple tuple -> y instanceof Tuple other && equalItems(r, tuple.items(), other.items(), depth);
            case Dict dict -> y instanceof Dict other && equalDicts(r, dict, other, depth);
            case Range range -> y instanceof Range other && range.equals(other);
            default -> false;
        };
    }

    private static boolean equalItems(Rendering r, List<?> x, List<?> y, int depth) {
        if (x.size() != y.size()) {
            return false;
        }
        for (int i = 0; i < x.size(); i++) {
            if (!equal(r, x.get(i), y.get(i), depth + 1)) {
                return false;
            }
        }
        return true;
    }

    private static boolean equalDicts(Rendering r, Dict x, Dict y, int depth) {
        if (x.size() != y.size()) {
            return false;
        }
        for (Iterator<Object> keys = x.keys(); keys.hasNext(); ) {
            Object key = keys.next();
            Object other = y.get(key);
            if (other == null || !equal(r, java.util.Objects.requireNonNull(x.get(key)), other, depth + 1)) {
                return false;
            }
        }
        return true;
    }

    static boolean less(Rendering r, Object x, Object y, String operator) {
        return order(r, x, y, operator, 0) == -1;
    }

    static boolean lessOrEqual(Rendering r, Object x, Object y, String operator) {
        int order = order(r, x, y, operator, 0);
        return order == -1 || order == 0;
    }

    /** -1, 0, 1, or another number where NaN makes both false. */
    private static int order(Rendering r, Object x, Object y, String operator, int depth) {
        if (depth > MAX_NESTING) {
            throw TemplateException.limit("a compared value nests more than " + MAX_NESTING + " levels deep");
        }
        r.step();
        if (Numbers.isNumber(x) && Numbers.isNumber(y)) {
            return Numbers.compare(x, y);
        }
        String a = textOrNull(x);
        String b = textOrNull(y);
        if (a != null && b != null) {
            r.read(Math.min(a.length(), b.length()));
            return Text.compare(a, b);
        }
        if (x instanceof List<?> p && y instanceof List<?> q) {
            return orderItems(r, p, q, operator, depth);
        }
        if (x instanceof Tuple p && y instanceof Tuple q) {
            return orderItems(r, p.items(), q.items(), operator, depth);
        }
        if (x instanceof Undefined undefined) {
            throw undefined.failure();
        }
        boolean turned = operator.startsWith(">");
        throw Numbers.failure(
                y,
                "'" + operator + "' not supported between instances of '" + typeName(turned ? y : x) + "' and '"
                        + typeName(turned ? x : y) + "'");
    }

    private static int orderItems(Rendering r, List<?> x, List<?> y, String operator, int depth) {
        int shared = Math.min(x.size(), y.size());
        for (int i = 0; i < shared; i++) {
            if (!equal(r, x.get(i), y.get(i), depth + 1)) {
                return order(r, x.get(i), y.get(i), operator, depth + 1);
            }
        }
        return Integer.compare(x.size(), y.size());
    }

    static boolean contains(Rendering r, Object container, Object item) {
        String text = textOrNull(container);
        if (text != null) {
            String part = textOrNull(item);
            if (part == null) {
                throw Numbers.failure(item, "'in <string>' requires string as left operand, not " + typeName(item));
            }
            r.read(text.length());
            return text.contains(part);
        }
        return switch (container) {
            case Dict dict -> dict.get(item) != null;
            case DictView view
            when view.kind() == DictView.Kind.KEYS -> view.dict().get(item) != null;
            case Namespace namespace -> throw notIterable(container, "argument of type 'Namespace' is not iterable");
            default -> {
                for (Iterator<Object> items =
                                iterate(r, container, "argument of type '" + typeName(container) + "' is not iterable");
                        items.hasNext(); ) {
                    if (equal(r, items.next(), item)) {
                        yield true;
                    }
                }
                yield false;
            }
        };
    }

    // ---- sequences

    private static TemplateException notIterable(Object value, String detail) {
        return Numbers.failure(value, detail);
    }

    static Iterator<Object> iterate(Rendering r, Object value) {
        return iterate(r, value, null);
    }

    private static Iterator<Object> iterate(Rendering r, Object value, @Nullable String refusal) {
        return switch (value) {
            case List<?> list -> Collections.<Object>unmodifiableList(list).iterator();
            case String text -> new Characters(r, text, false);
            case Markup markup -> new Characters(r, markup.text(), true);
            case Tuple tuple -> tuple.items().iterator();
            case Dict dict -> dict.keys();
            case DictView view -> {
                r.reserve(16L + 8L * view.dict().size());
                yield view.list().iterator();
            }
            case Range range -> new Numbers.Counting(range);
            case Generator generator -> generator.iterator();
            case Undefined undefined -> Collections.emptyIterator();
            default ->
                throw TemplateException.runtime(
                        refusal == null ? "'" + typeName(value) + "' object is not iterable" : refusal);
        };
    }

    static boolean isIterable(Object value) {
        return value instanceof List<?>
                || value instanceof String
                || value instanceof Markup
                || value instanceof Tuple
                || value instanceof Dict
                || value instanceof DictView
                || value instanceof Range
                || value instanceof Generator
                || value instanceof Loop
                || value instanceof Undefined;
    }

    /** The characters of a string as strings of one code point. */
    private static final class Characters implements Iterator<Object> {
        private final Rendering r;
        private final String text;
        private final boolean marked;
        private int position;

        private Characters(Rendering r, String text, boolean marked) {
            this.r = r;
            this.text = text;
            this.marked = marked;
        }

        @Override
        public boolean hasNext() {
            return position < text.length();
        }

        @Override
        public Object next() {
            r.reserve(1);
            int c = text.codePointAt(position);
            position += Character.charCount(c);
            return marked ? new Markup(Character.toString(c)) : Character.toString(c);
        }
    }

    /** All items of an iterable value, in a new list. */
    static List<Object> list(Rendering r, Object value) {
        List<Object> list = new ArrayList<>();
        for (Iterator<Object> items = iterate(r, value); items.hasNext(); ) {
            r.reserve(8);
            list.add(items.next());
        }
        return list;
    }

    /** {@code len(value)}; -1 if the value has no length. */
    static int lengthIfKnown(Object value) {
        return switch (value) {
            case String text -> Text.length(text);
            case Markup markup -> Text.length(markup.text());
            case List<?> list -> list.size();
            case Tuple tuple -> tuple.items().size();
            case Dict dict -> dict.size();
            case DictView view -> view.dict().size();
            case Range range -> range.size();
            case Undefined undefined -> 0;
            default -> -1;
        };
    }

    static long length(Rendering r, Object value) {
        String text = textOrNull(value);
        if (text != null) {
            r.read(text.length());
        }
        if (value instanceof Loop loop) {
            return (Long) java.util.Objects.requireNonNull(loop.attribute("length"));
        }
        int length = lengthIfKnown(value);
        if (length < 0) {
            throw TemplateException.runtime("object of type '" + typeName(value) + "' has no len()");
        }
        return length;
    }

    // ---- operators that numbers share with other values

    static Object add(Rendering r, Object x, Object y) {
        if (x instanceof String a && y instanceof String b) {
            r.reserve((long) a.length() + b.length());
            return a.concat(b);
        }
        if (x instanceof Markup a && textOrNull(y) != null) {
            return new Markup(r.made(a.text().concat(Markup.escaped(r, y))));
        }
        if (y instanceof Markup b && x instanceof String) {
            return new Markup(r.made(Markup.escaped(r, x).concat(b.text())));
        }
        if (textOrNull(x) != null) {
            throw Numbers.failure(y, "can only concatenate str (not \"" + typeName(y) + "\") to str");
        }
        if (x instanceof List<?> a && y instanceof List<?> b) {
            return joined(r, a, b);
        }
        if (x instanceof Tuple a && y instanceof Tuple b) {
            return new Tuple(joined(r, a.items(), b.items()));
        }
        if (x instanceof List<?> || x instanceof Tuple) {
            throw Numbers.failure(
                    y, "can only concatenate " + typeName(x) + " (not \"" + typeName(y) + "\") to " + typeName(x));
        }
        return Numbers.add(x, y);
    }

    private static List<Object> joined(Rendering r, List<?> a, List<?> b) {
        r.reserve(32 + 8L * (a.size() + b.size()));
        List<Object> all = new ArrayList<>(a.size() + b.size());
        all.addAll(a);
        all.addAll(b);
        return all;
    }

    static Object multiply(Rendering r, Object x, Object y) {
        if (Numbers.isWhole(y)) {
            Object repeated = repeated(r, x, y);
            if (repeated != null) {
                return repeated;
            }
        }
        if (Numbers.isWhole(x)) {
            Object repeated = repeated(r, y, x);
            if (repeated != null) {
                return repeated;
            }
        }
        return Numbers.multiply(x, y);
    }

    private static @Nullable Object repeated(Rendering r, Object value, Object times) {
        int count = Math.max(0, Numbers.index(times));
        String text = textOrNull(value);
        if (text != null) {
            String result = repeat(r, text, count);
            return value instanceof Markup ? new Markup(result) : result;
        }
        return switch (value) {
            case List<?> list -> repeat(r, list, count);
            case Tuple tuple -> new Tuple(repeat(r, tuple.items(), count));
            default -> null;
        };
    }

    static String repeat(Rendering r, String text, int count) {
        r.reserve((long) text.length() * Math.max(0, count));
        return text.repeat(Math.max(0, count));
    }

    private static List<Object> repeat(Rendering r, List<?> items, int count) {
        r.reserve(32 + 8L * items.size() * count);
        List<Object> all = new ArrayList<>(items.size() * count);
        for (int i = 0; i < count && !items.isEmpty(); i++) {
            all.addAll(items);
        }
        return all;
    }

    static Object modulo(Rendering r, Object x, Object y) {
        if (x instanceof String format) {
            return PercentFormat.format(r, format, y, false);
        }
        if (x instanceof Markup format) {
            return new Markup(PercentFormat.format(r, format.text(), y, true));
        }
        return Numbers.modulo(x, y);
    }
}
