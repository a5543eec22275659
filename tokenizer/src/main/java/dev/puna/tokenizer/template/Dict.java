package dev.puna.tokenizer.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Python's dict: keeps the order of insertion, and takes 1, 1.0 and True for one key. Strings, nearly all keys there
 * are, are stored as they come; any other key is stored with the form that it is compared in.
 */
final class Dict {
    private static final int MAX_KEY_PARTS = 10_000;

    private record Key(Object compared, Object original) {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Key key && compared.equals(key.compared);
        }

        @Override
        public int hashCode() {
            return compared.hashCode();
        }
    }

    private final Map<Object, Object> entries;

    Dict() {
        this(8);
    }

    Dict(int expected) {
        entries = LinkedHashMap.newLinkedHashMap(expected);
    }

    private static Object stored(Object key) {
        return switch (key) {
            case String text -> text;
            case Markup markup -> markup.text();
            default -> new Key(compared(key, 0, new int[1]), key);
        };
    }

    /** A form whose Java equality is Python's. */
    private static Object compared(Object key, int depth, int[] parts) {
        if (depth > Values.MAX_NESTING) {
            throw TemplateException.limit("a key is nested more than " + Values.MAX_NESTING + " levels deep");
        }
        if (++parts[0] > MAX_KEY_PARTS) {
            throw TemplateException.limit("a key of more than " + MAX_KEY_PARTS + " parts");
        }
        return switch (key) {
            case Boolean truth -> BigInteger.valueOf(truth ? 1 : 0);
            case Long number -> BigInteger.valueOf(number);
            case Double number
            when number == Math.rint(number) && !Double.isInfinite(number) ->
                new java.math.BigDecimal(number).toBigInteger();
            case Tuple tuple -> {
                List<Object> items = new ArrayList<>(tuple.items().size());
                for (Object item : tuple.items()) {
                    items.add(compared(item, depth + 1, parts));
                }
                yield items;
            }
            case Markup markup -> markup.text();
            case List<?> list -> throw TemplateException.runtime("unhashable type: 'list'");
            case Dict dict -> throw TemplateException.runtime("unhashable type: 'dict'");
            default -> key;
        };
    }

    int size() {
        return entries.size();
    }

    @Nullable
    Object get(Object key) {
        return entries.get(stored(key));
    }

    @Nullable
    Object get(String key) {
        return entries.get(key);
    }

    void put(Object key, Object value) {
        entries.put(stored(key), value);
    }

    Iterator<Object> keys() {
        Iterator<Object> stored = entries.keySet().iterator();
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return stored.hasNext();
            }

            @Override
            public Object next() {
                return original(stored.next());
            }
        };
    }

    List<Object> keyList() {
        List<Object> keys = new ArrayList<>(size());
        for (Object key : entries.keySet()) {
            keys.add(original(key));
        }
        return keys;
    }

    List<Object> valueList() {
        return new ArrayList<>(entries.values());
    }

    List<Object> itemList() {
        List<Object> items = new ArrayList<>(size());
        for (Map.Entry<Object, Object> entry : entries.entrySet()) {
            items.add(Tuple.of(original(entry.getKey()), entry.getValue()));
        }
        return items;
    }

    Dict copy() {
        Dict copy = new Dict(size());
        copy.entries.putAll(entries);
        return copy;
    }

    void putAll(Dict other) {
        entries.putAll(other.entries);
    }

    private static Object original(Object stored) {
        return stored instanceof Key key ? key.original() : stored;
    }
}
