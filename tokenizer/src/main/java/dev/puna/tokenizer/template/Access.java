package dev.puna.tokenizer.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code value.name}, {@code value[index]} and {@code value[a:b:c]} as jinja2's immutable sandbox answers them: the dot
 * looks for a method first and an entry second, brackets the other way round; what would change a list or a dict is
 * undefined.
 */
final class Access {
    private Access() {}

    static Object attribute(Rendering r, Object owner, String name) {
        Object own = ownAttribute(owner, name);
        if (own != null) {
            return own;
        }
        if (owner instanceof Dict dict) {
            Object entry = dict.get(name);
            return entry == null ? Undefined.attribute(owner, name) : entry;
        }
        if (owner instanceof Undefined undefined) {
            throw undefined.failure();
        }
        return Undefined.attribute(owner, name);
    }

    /** Python's {@code getattr}; null if there is no such attribute. */
    static @Nullable Object ownAttribute(Object owner, String name) {
        return switch (owner) {
            case Loop loop -> loop.attribute(name);
            case Namespace namespace -> namespace.attributes().get(name);
            case MacroValue macro -> macroAttribute(macro.macro(), name);
            case GlobalFunction.Cycler cycler -> cycler.attribute(name);
            case Undefined undefined -> null;
            case Dict dict ->
                switch (name) {
                    case "get", "items", "keys", "values", "copy" -> new BoundMethod(owner, name);
                    case "clear", "pop", "popitem", "setdefault", "update", "fromkeys" -> Undefined.unsafe(owner, name);
                    default -> null;
                };
            case List<?> list ->
                switch (name) {
                    case "count", "index", "copy" -> new BoundMethod(owner, name);
                    case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort" ->
                        Undefined.unsafe(owner, name);
                    default -> null;
                };
            case Tuple tuple when name.equals("count") || name.equals("index") -> new BoundMethod(owner, name);
            case Tuple tuple
            when tuple.items().size() == 2 && tuple.items() instanceof Filters.Group ->
                switch (name) {
                    case "grouper" -> tuple.items().get(0);
                    case "list" -> tuple.items().get(1);
                    default -> null;
                };
            case String text when StringMethods.knows(name) -> new BoundMethod(owner, name);
            case Markup text when StringMethods.knows(name) -> new BoundMethod(owner, name);
            case Double number when name.equals("is_integer") -> new BoundMethod(owner, name);
            default -> null;
        };
    }

    private static @Nullable Object macroAttribute(Statement.MacroBody macro, String name) {
        return switch (name) {
            case "name" -> macro.name;
            case "arguments" -> Tuple.of((Object[]) macro.parameters);
            case "catch_kwargs" -> macro.catchesKwargs();
            case "catch_varargs" -> macro.catchesVarargs();
            case "caller" -> macro.acceptsCaller();
            default -> null;
        };
    }

    static Object item(Rendering r, Object owner, Object index) {
        Object value = entry(r, owner, index);
        if (value != null) {
            return value;
        }
        if (owner instanceof Undefined undefined) {
            throw undefined.failure();
        }
        String name = Values.textOrNull(index);
        if (name == null) {
            return Undefined.element(owner, Values.repr(r, index));
        }
        Object attribute = ownAttribute(owner, name);
        return attribute == null ? Undefined.attribute(owner, name) : attribute;
    }

    /** Python's {@code owner[index]}; null where that raises a type or lookup error. */
    private static @Nullable Object entry(Rendering r, Object owner, Object index) {
        if (owner instanceof Dict dict) {
            return index instanceof List<?> || index instanceof Dict ? null : dict.get(index);
        }
        BigInteger whole = Numbers.whole(index);
        if (whole == null || whole.bitLength() > 31) {
            return null;
        }
        int at = whole.intValue();
        String text = Values.textOrNull(owner);
        if (text != null) {
            r.read(text.length());
            int length = Text.length(text);
            int position = at < 0 ? at + length : at;
            if (position < 0 || position >= length) {
                return null;
            }
            String character = Character.toString(text.codePointAt(Text.offset(text, position)));
            return owner instanceof Markup ? new Markup(character) : character;
        }
        return switch (owner) {
            case List<?> list -> element(list, at);
            case Tuple tuple -> element(tuple.items(), at);
            case Range range -> {
                int position = at < 0 ? at + range.size() : at;
                yield position < 0 || position >= range.size() ? null : (Object) range.get(position);
            }
            default -> null;
        };
    }

    private static @Nullable Object element(List<?> list, int at) {
        int position = at < 0 ? at + list.size() : at;
        return position < 0 || position >= list.size() ? null : list.get(position);
    }

    static Object slice(Rendering r, Object owner, Object start, Object stop, Object step) {
        String text = Values.textOrNull(owner);
        if (text != null) {
            String part = sliceText(r, text, start, stop, step);
            return owner instanceof Markup ? new Markup(part) : part;
        }
        return switch (owner) {
            case List<?> list -> sliceList(r, list, start, stop, step);
            case Tuple tuple -> new Tuple(sliceList(r, tuple.items(), start, stop, step));
            case Range range -> {
                Bounds bounds = Bounds.of(range.size(), start, stop, step);
                yield new Range(
                        range.start() + bounds.start * range.step(),
                        range.start() + bounds.stop * range.step(),
                        bounds.step * range.step());
            }
            case Dict dict -> throw TemplateException.runtime("unhashable type: 'slice'");
            default -> throw Numbers.failure(owner, "'" + Values.typeName(owner) + "' object is not subscriptable");
        };
    }

    private static List<Object> sliceList(Rendering r, List<?> list, Object start, Object stop, Object step) {
        Bounds bounds = Bounds.of(list.size(), start, stop, step);
        int count = bounds.count();
        r.reserve(32 + 8L * count);
        List<Object> part = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            part.add(list.get((int) (bounds.start + i * bounds.step)));
        }
        return part;
    }

    private static String sliceText(Rendering r, String text, Object start, Object stop, Object step) {
        r.read(text.length());
        int length = Text.length(text);
        Bounds bounds = Bounds.of(length, start, stop, step);
        int count = bounds.count();
        r.reserve(count);
        if (bounds.step == 1) {
            int from = length == text.length() ? (int) bounds.start : Text.offset(text, (int) bounds.start);
            int to = length == text.length() ? from + count : text.offsetByCodePoints(from, count);
            return text.substring(from, to);
        }
        int[] characters = text.codePoints().toArray();
        StringBuilder part = new StringBuilder(count);
        for (int i = 0; i < count; i++) {
            part.appendCodePoint(characters[(int) (bounds.start + i * bounds.step)]);
        }
        return part.toString();
    }

    /** The bounds of a slice, clipped to a sequence as Python does. */
    private record Bounds(long start, long stop, long step) {
        static Bounds of(int size, Object start, Object stop, Object step) {
            long by = step == None.NONE ? 1 : Numbers.index(requireIndex(step));
            if (by == 0) {
                throw TemplateException.runtime("slice step cannot be zero");
            }
            long lowest = by > 0 ? 0 : -1;
            long highest = by > 0 ? size : size - 1L;
            long from = start == None.NONE ? (by > 0 ? lowest : highest) : clip(start, size, lowest, highest);
            long to = stop == None.NONE ? (by > 0 ? highest : lowest) : clip(stop, size, lowest, highest);
            return new Bounds(from, to, by);
        }

        private static Object requireIndex(Object value) {
            if (!Numbers.isWhole(value)) {
                throw TemplateException.runtime("slice indices must be integers or None or have an __index__ method");
            }
            return value;
        }

        private static long clip(Object value, int size, long lowest, long highest) {
            long index = Numbers.index(requireIndex(value));
            return Math.clamp(index < 0 ? index + size : index, lowest, highest);
        }

        int count() {
            if (step > 0 ? start >= stop : start <= stop) {
                return 0;
            }
            return (int) ((stop - start + step + (step > 0 ? -1 : 1)) / step);
        }
    }
}
