package dev.puna.tokenizer.template;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** The filters that follow {@code |}: jinja2's built-in ones, with the {@code tojson} of transformers. */
final class Filters {
    private static final Object MISSING = Rendering.MISSING;

    private Filters() {}

    static boolean knows(String name) {
        return switch (name) {
            case "abs",
                    "attr",
                    "batch",
                    "capitalize",
                    "center",
                    "count",
                    "d",
                    "default",
                    "dictsort",
                    "e",
                    "escape",
                    "filesizeformat",
                    "first",
                    "float",
                    "forceescape",
                    "format",
                    "groupby",
                    "indent",
                    "int",
                    "items",
                    "join",
                    "last",
                    "length",
                    "list",
                    "lower",
                    "map",
                    "max",
                    "min",
                    "reject",
                    "rejectattr",
                    "replace",
                    "reverse",
                    "round",
                    "safe",
                    "select",
                    "selectattr",
                    "slice",
                    "sort",
                    "string",
                    "sum",
                    "title",
                    "tojson",
                    "trim",
                    "truncate",
                    "unique",
                    "upper",
                    "urlencode",
                    "wordcount" -> true;
            default -> false;
        };
    }

    /** Why a name is no filter here. */
    static String refusal(String name) {
        return switch (name) {
            case "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr" ->
                "the filter '" + name + "' is for web pages and not supported in chat templates";
            default -> "no filter named '" + name + "'";
        };
    }

    static Object apply(Rendering r, String name, Object value, Arguments arguments) {
        return switch (name) {
            case "trim" -> {
                Object set = Arguments.or(arguments.bind(name, 0, "chars")[0], None.NONE);
                String text = r.made(Values.str(r, value));
                if (set == None.NONE) {
                    yield kept(value, Text.strip(text, true, true));
                }
                yield kept(value, Text.strip(text, requireText(set, name), true, true));
            }
            case "tojson" -> {
                yield Json.dump(r, value, arguments);
            }
            case "length", "count" -> {
                arguments.bind(name, 0);
                yield Values.length(r, value);
            }
            case "default", "d" -> {
                Object[] bound = arguments.bind(name, 0, "default_value", "boolean");
                boolean useDefault = value instanceof Undefined
                        || (Values.truth(Arguments.or(bound[1], false)) && !Values.truth(value));
                yield useDefault ? Arguments.or(bound[0], "") : value;
            }
            case "string" -> {
                arguments.bind(name, 0);
                yield value instanceof Markup ? value : Values.str(r, value);
            }
            case "safe" -> {
                arguments.bind(name, 0);
                yield value instanceof Markup ? value : new Markup(Values.str(r, value));
            }
            case "escape", "e" -> {
                arguments.bind(name, 0);
                yield new Markup(Markup.escaped(r, value));
            }
            case "forceescape" -> {
                arguments.bind(name, 0);
                yield new Markup(r.made(Markup.escape(Values.str(r, value))));
            }
            case "upper", "lower", "title", "capitalize" -> {
                arguments.bind(name, 0);
                yield kept(value, r.made(recased(r.made(Values.str(r, value)), name)));
            }
            case "replace" -> {
                Object[] bound = arguments.bind(name, 2, "old", "new", "count");
                Object count = Arguments.or(bound[2], None.NONE);
                yield StringMethods.replace(
                        r,
                        Values.str(r, value),
                        Values.str(r, bound[0]),
                        Values.str(r, bound[1]),
                        count == None.NONE ? -1 : Numbers.index(count));
            }
            case "format" -> {
                yield format(r, value, arguments);
            }
            case "join" -> {
                yield join(r, value, arguments);
            }
            case "indent" -> {
                yield indent(r, value, arguments);
            }
            case "truncate" -> {
                yield truncate(r, value, arguments);
            }
            case "center" -> {
                int width = Numbers.index(Arguments.or(arguments.bind(name, 0, "width")[0], 80L));
                yield kept(value, StringMethods.justify(r, Values.str(r, value), width, " ", "center"));
            }
            case "wordcount" -> {
                arguments.bind(name, 0);
                yield wordCount(r.made(Values.str(r, value)));
            }
            case "urlencode" -> {
                arguments.bind(name, 0);
                yield urlEncode(r, value);
            }
            case "filesizeformat" -> {
                yield fileSize(value, Values.truth(Arguments.or(arguments.bind(name, 0, "binary")[0], false)));
            }
            case "int", "float", "abs", "round" -> {
                yield number(r, name, value, arguments);
            }
            default -> {
                yield sequence(r, name, value, arguments);
            }
        };
    }

    private static Object sequence(Rendering r, String name, Object value, Arguments arguments) {
        return switch (name) {
            case "first" -> {
                arguments.bind(name, 0);
                Iterator<Object> items = Values.iterate(r, value);
                yield items.hasNext() ? items.next() : Undefined.because("No first item, sequence was empty.");
            }
            case "last" -> {
                arguments.bind(name, 0);
                requireReversible(value);
                List<Object> items = Values.list(r, value);
                yield items.isEmpty()
                        ? Undefined.because("No last item, sequence was empty.")
                        : items.get(items.size() - 1);
            }
            case "list" -> {
                arguments.bind(name, 0);
                yield Values.list(r, value);
            }
            case "items" -> {
                arguments.bind(name, 0);
                if (value instanceof Undefined) {
                    yield new Generator(Collections.emptyIterator());
                }
                if (!(value instanceof Dict dict)) {
                    throw TemplateException.runtime("Can only get item pairs from a mapping.");
                }
                yield new Generator(Values.iterate(r, new DictView(DictView.Kind.ITEMS, dict)));
            }
            case "reverse" -> {
                arguments.bind(name, 0);
                yield reverse(r, value);
            }
            case "map" -> {
                yield new Generator(mapped(r, value, arguments));
            }
            case "select", "reject", "selectattr", "rejectattr" -> {
                yield new Generator(
                        new Selected(r, value, arguments, name.startsWith("select"), name.endsWith("attr"), name));
            }
            case "sort" -> {
                yield sort(r, value, arguments);
            }
            case "unique" -> {
                yield unique(r, value, arguments);
            }
            case "min", "max" -> {
                yield extreme(r, name, value, arguments);
            }
            case "sum" -> {
                yield sum(r, value, arguments);
            }
            case "dictsort" -> {
                yield dictSort(r, value, arguments);
            }
            case "batch" -> {
                yield batch(r, value, arguments);
            }
            case "slice" -> {
                yield slices(r, value, arguments);
            }
            case "groupby" -> {
                yield groupBy(r, value, arguments);
            }
            case "attr" -> {
                String attribute = requireText(arguments.bind(name, 1, "name")[0], name);
                if (value instanceof Undefined undefined) {
                    throw undefined.failure();
                }
                Object own = Access.ownAttribute(value, attribute);
                yield own == null ? Undefined.attribute(value, attribute) : own;
            }
            default -> throw TemplateException.runtime(refusal(name));
        };
    }

    // ---- text

    private static Object kept(Object original, String text) {
        return original instanceof Markup ? new Markup(text) : text;
    }

    private static String requireText(Object value, String filter) {
        String text = Values.textOrNull(value);
        if (text == null) {
            throw Numbers.failure(value, filter + " expects a string, not " + Values.typeName(value));
        }
        return text;
    }

    private static String recased(String text, String name) {
        return switch (name) {
            case "upper" -> Text.upper(text);
            case "lower" -> Text.lower(text);
            case "title" -> StringMethods.titleWords(text);
            default -> Text.capitalize(text);
        };
    }

    private static Object format(Rendering r, Object value, Arguments arguments) {
        Object values;
        if (arguments.named().length > 0) {
            if (arguments.positional().length > 0) {
                throw TemplateException.runtime("can't handle positional and keyword arguments at the same time");
            }
            Dict dict = new Dict();
            for (int i = 0; i < arguments.names().length; i++) {
                dict.put(arguments.names()[i], arguments.named()[i]);
            }
            values = dict;
        } else {
            values = Tuple.of(arguments.positional());
        }
        boolean marked = value instanceof Markup;
        return kept(value, PercentFormat.format(r, Values.str(r, value), values, marked));
    }

    private static String join(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("join", 0, "d", "attribute");
        String separator = Values.str(r, Arguments.or(bound[0], ""));
        Attribute attribute = Attribute.of(bound[1]);
        StringBuilder out = new StringBuilder();
        boolean first = true;
        for (Iterator<Object> items = Values.iterate(r, value); items.hasNext(); ) {
            r.step();
            String text = Values.str(r, attribute.of(r, items.next()));
            r.reserve((long) text.length() + separator.length());
            if (!first) {
                out.append(separator);
            }
            first = false;
            out.append(text);
        }
        return out.toString();
    }

    private static Object indent(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("indent", 0, "width", "first", "blank");
        Object width = Arguments.or(bound[0], 4L);
        String margin = Values.textOrNull(width);
        if (margin == null) {
            margin = Values.repeat(r, " ", Numbers.index(width));
        }
        String text = requireText(value, "indent");
        boolean blank = Values.truth(Arguments.or(bound[2], false));
        StringBuilder out = new StringBuilder();
        boolean firstLine = true;
        for (String line : Text.splitLines(r.made(text.concat("\n")), false)) {
            boolean indented = firstLine ? Values.truth(Arguments.or(bound[1], false)) : blank || !line.isEmpty();
            r.reserve(line.length() + (long) margin.length() + 1);
            if (!firstLine) {
                out.append('\n');
            }
            if (indented) {
                out.append(margin);
            }
            out.append(line);
            firstLine = false;
        }
        return kept(value, out.toString());
    }

    private static Object truncate(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("truncate", 0, "length", "killwords", "end", "leeway");
        int length = Numbers.index(Arguments.or(bound[0], 255L));
        String end = requireText(Arguments.or(bound[2], "..."), "truncate");
        Object leeway = Arguments.or(bound[3], None.NONE);
        int tolerance = leeway == None.NONE ? 5 : Numbers.index(leeway);
        String text = requireText(value, "truncate");
        int keep = length - Text.length(end);
        if (keep < 0 || tolerance < 0) {
            throw TemplateException.runtime(
                    "truncate expects a length of at least that of its end, and no negative leeway");
        }
        if (Text.length(text) <= (long) length + tolerance) {
            return value;
        }
        String part = text.substring(0, Text.offset(text, keep));
        if (!Values.truth(Arguments.or(bound[1], false)) && part.lastIndexOf(' ') >= 0) {
            part = part.substring(0, part.lastIndexOf(' '));
        }
        return kept(value, r.made(part + end));
    }

    private static Object wordCount(String text) {
        long count = 0;
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            boolean word = c == '_'
                    || Character.isLetterOrDigit(c)
                    || Character.getType(c) == Character.OTHER_NUMBER
                    || Character.getType(c) == Character.LETTER_NUMBER;
            if (word && !inWord) {
                count++;
            }
            inWord = word;
        }
        return count;
    }

    private static String urlEncode(Rendering r, Object value) {
        if (Values.textOrNull(value) != null || !Values.isIterable(value)) {
            return quoted(r, Values.str(r, value), false);
        }
        StringBuilder out = new StringBuilder();
        Object pairs = value instanceof Dict dict ? new DictView(DictView.Kind.ITEMS, dict) : value;
        for (Iterator<Object> items = Values.iterate(r, pairs); items.hasNext(); ) {
            List<Object> pair = Values.list(r, items.next());
            if (pair.size() != 2) {
                throw TemplateException.runtime("urlencode expects pairs of key and value");
            }
            if (!out.isEmpty()) {
                out.append('&');
            }
            out.append(quoted(r, Values.str(r, pair.get(0)), true)).append('=');
            out.append(quoted(r, Values.str(r, pair.get(1)), true));
        }
        return r.made(out.toString());
    }

    private static String quoted(Rendering r, String text, boolean inQuery) {
        r.reserve(3L * text.length());
        StringBuilder out = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            int c = b & 0xff;
            boolean plain = c < 128 && (Character.isLetterOrDigit(c) || "_.-~".indexOf(c) >= 0);
            if (plain || (c == '/' && !inQuery)) {
                out.append((char) c);
            } else if (c == ' ' && inQuery) {
                out.append('+');
            } else {
                out.append('%').append(Text.upper(Integer.toHexString(c | 0x100).substring(1)));
            }
        }
        return out.toString();
    }

    private static String fileSize(Object value, boolean binary) {
        Object parsed = toFloat(value);
        if (parsed == null) {
            throw TemplateException.runtime("filesizeformat expects a number");
        }
        double bytes = Numbers.asDouble(parsed);
        double base = binary ? 1024 : 1000;
        if (bytes == 1) {
            return "1 Byte";
        }
        if (bytes < base) {
            return Numbers.truncate(bytes) + " Bytes";
        }
        String prefixes = "kMGTPEZY";
        double unit = base;
        int i = 0;
        do {
            unit *= base;
        } while (bytes >= unit && ++i < prefixes.length() - 1);
        char prefix = prefixes.charAt(i);
        String name = binary ? Character.toUpperCase(prefix) + "iB" : prefix + "B";
        return FloatText.format(base * bytes / unit, 'f', 1, false) + " " + name;
    }

    // ---- numbers

    private static Object number(Rendering r, String name, Object value, Arguments arguments) {
        return switch (name) {
            case "abs" -> {
                arguments.bind(name, 0);
                yield Numbers.absolute(value);
            }
            case "int" -> {
                Object[] bound = arguments.bind(name, 0, "default", "base");
                yield toInt(value, Arguments.or(bound[0], 0L), Numbers.index(Arguments.or(bound[1], 10L)));
            }
            case "float" -> {
                Object fallback = Arguments.or(arguments.bind(name, 0, "default")[0], 0.0);
                if (value instanceof Undefined undefined) {
                    throw undefined.failure();
                }
                Object number = toFloat(value);
                yield number == null ? fallback : number;
            }
            default -> {
                yield round(r, value, arguments);
            }
        };
    }

    private static @Nullable Object toFloat(Object value) {
        String text = Values.textOrNull(value);
        if (text != null) {
            return Numbers.parseDouble(text);
        }
        return Numbers.isNumber(value) ? (Object) Numbers.asDouble(value) : null;
    }

    private static Object toInt(Object value, Object fallback, int base) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        BigInteger whole = Numbers.whole(value);
        if (whole != null) {
            return Numbers.integer(whole);
        }
        if (value instanceof Double number) {
            return Double.isNaN(number) ? fallback : Numbers.truncate(number);
        }
        String text = Values.textOrNull(value);
        if (text == null) {
            return fallback;
        }
        Object parsed = Numbers.parseWhole(text, base);
        if (parsed != null) {
            return parsed;
        }
        Double number = Numbers.parseDouble(text);
        return number == null || Double.isNaN(number) || Double.isInfinite(number)
                ? fallback
                : Numbers.truncate(number);
    }

    private static Object round(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("round", 0, "precision", "method");
        int precision = Numbers.index(Arguments.or(bound[0], 0L));
        Object method = Arguments.or(bound[1], "common");
        if (Values.equal(r, method, "common")) {
            return Numbers.round(value, precision);
        }
        boolean up = Values.equal(r, method, "ceil");
        if (!up && !Values.equal(r, method, "floor")) {
            throw TemplateException.runtime("method must be common, ceil or floor");
        }
        Object scale = Numbers.power(10L, (long) precision);
        Object scaled = Values.multiply(r, value, scale);
        if (scaled instanceof Double number) {
            scaled = Numbers.truncate(up ? Math.ceil(number) : Math.floor(number));
        }
        return Numbers.divide(scaled, scale);
    }

    // ---- sequences

    /** A path to a part of an item, such as {@code function.name} or {@code 0}. */
    private record Attribute(Object[] parts) {
        private static final Attribute ITSELF = new Attribute(new Object[0]);

        static Attribute of(Object path) {
            if (path instanceof Rendering.Missing || path == None.NONE) {
                return ITSELF;
            }
            if (!(path instanceof String text)) {
                return new Attribute(new Object[] {path});
            }
            List<Object> parts = new ArrayList<>();
            int start = 0;
            while (start <= text.length()) {
                int dot = text.indexOf('.', start);
                int end = dot < 0 ? text.length() : dot;
                String part = text.substring(start, end);
                parts.add(isDigits(part) ? Numbers.integer(new BigInteger(part)) : part);
                start = end + 1;
            }
            return new Attribute(parts.toArray());
        }

        private static boolean isDigits(String text) {
            for (int i = 0; i < text.length(); i++) {
                if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                    return false;
                }
            }
            return !text.isEmpty() && text.length() < 1_000;
        }

        Object of(Rendering r, Object item) {
            return of(r, item, None.NONE);
        }

        Object of(Rendering r, Object item, Object fallback) {
            Object value = item;
            for (Object part : parts) {
                r.step();
                value = Access.item(r, value, part);
                if (value instanceof Undefined && fallback != None.NONE) {
                    value = fallback;
                }
            }
            return value;
        }
    }

    private static Object comparable(Rendering r, Object key, boolean caseSensitive) {
        String text = Values.textOrNull(key);
        return caseSensitive || text == null ? key : r.made(Text.lower(text));
    }

    private static void requireReversible(Object value) {
        if (value instanceof Generator || !Values.isIterable(value)) {
            throw TemplateException.runtime("'" + Values.typeName(value) + "' object is not reversible");
        }
    }

    private static Object reverse(Rendering r, Object value) {
        String text = Values.textOrNull(value);
        if (text != null) {
            r.reserve(text.length());
            int[] characters = text.codePoints().toArray();
            StringBuilder out = new StringBuilder(text.length());
            for (int i = characters.length - 1; i >= 0; i--) {
                out.appendCodePoint(characters[i]);
            }
            return kept(value, out.toString());
        }
        List<Object> items = Values.list(r, value);
        Collections.reverse(items);
        return value instanceof Generator ? items : new Generator(items.iterator());
    }

    private static Iterator<Object> mapped(Rendering r, Object value, Arguments arguments) {
        if (arguments.positional().length == 0) {
            Object[] bound = arguments.bind("map", 0, "attribute", "default");
            if (bound[0] instanceof Rendering.Missing) {
                throw TemplateException.runtime("map requires a filter argument");
            }
            return new Mapped(r, value, Attribute.of(bound[0]), Arguments.or(bound[1], None.NONE), "", Arguments.NONE);
        }
        String filter = requireText(arguments.positional()[0], "map");
        if (!knows(filter)) {
            throw TemplateException.runtime(refusal(filter));
        }
        return new Mapped(r, value, Attribute.ITSELF, None.NONE, filter, arguments.dropFirst(1));
    }

    private static final class Mapped implements Iterator<Object> {
        private final Rendering r;
        private final Iterator<Object> items;
        private final Attribute attribute;
        private final Object fallback;
        private final String filter;
        private final Arguments arguments;

        private Mapped(
                Rendering r, Object value, Attribute attribute, Object fallback, String filter, Arguments arguments) {
            this.r = r;
            this.items = Values.truth(value) ? Values.iterate(r, value) : Collections.emptyIterator();
            this.attribute = attribute;
            this.fallback = fallback;
            this.filter = filter;
            this.arguments = arguments;
        }

        @Override
        public boolean hasNext() {
            return items.hasNext();
        }

        @Override
        public Object next() {
            r.step();
            Object item = items.next();
            return filter.isEmpty() ? attribute.of(r, item, fallback) : apply(r, filter, item, arguments);
        }
    }

    private static final class Selected implements Iterator<Object> {
        private final Rendering r;
        private final Iterator<Object> items;
        private final Attribute attribute;
        private final String test;
        private final Arguments arguments;
        private final boolean wanted;
        private @Nullable Object next;

        private Selected(Rendering r, Object value, Arguments given, boolean wanted, boolean byAttribute, String name) {
            this.r = r;
            this.wanted = wanted;
            this.items = Values.truth(value) ? Values.iterate(r, value) : Collections.emptyIterator();
            Arguments rest = given;
            if (byAttribute) {
                if (rest.positional().length == 0) {
                    throw TemplateException.runtime("Missing parameter for attribute name");
                }
                attribute = Attribute.of(rest.positional()[0]);
                rest = rest.dropFirst(1);
            } else {
                attribute = Attribute.ITSELF;
            }
            if (rest.positional().length == 0) {
                test = "";
            } else {
                test = requireText(rest.positional()[0], name);
                if (!Tests.knows(test)) {
                    throw TemplateException.runtime("no test named '" + test + "'");
                }
                rest = rest.dropFirst(1);
            }
            arguments = rest;
        }

        @Override
        public boolean hasNext() {
            while (next == null && items.hasNext()) {
                r.step();
                Object item = items.next();
                Object tested = attribute.of(r, item);
                boolean holds = test.isEmpty() ? Values.truth(tested) : Tests.holds(r, test, tested, arguments);
                if (holds == wanted) {
                    next = item;
                }
            }
            return next != null;
        }

        @Override
        public Object next() {
            if (!hasNext() || next == null) {
                throw new NoSuchElementException();
            }
            Object item = next;
            next = null;
            return item;
        }
    }

    private static List<Object> sort(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("sort", 0, "reverse", "case_sensitive", "attribute");
        boolean caseSensitive = Values.truth(Arguments.or(bound[1], false));
        List<Attribute> attributes = new ArrayList<>();
        Object path = Arguments.or(bound[2], None.NONE);
        if (path instanceof String text) {
            for (String one : text.split(",", -1)) {
                attributes.add(Attribute.of(one));
            }
        } else {
            attributes.add(Attribute.of(path));
        }
        List<Object> items = Values.list(r, value);
        List<Object> keys = new ArrayList<>(items.size());
        for (Object item : items) {
            List<Object> key = new ArrayList<>(attributes.size());
            for (Attribute attribute : attributes) {
                key.add(comparable(r, attribute.of(r, item), caseSensitive));
            }
            r.reserve(16);
            keys.add(key);
        }
        return sorted(r, items, keys, Values.truth(Arguments.or(bound[0], false)));
    }

    /** The items in the order of their keys; a merge sort, so that items with equal keys keep their order. */
    static List<Object> sorted(Rendering r, List<Object> items, List<Object> keys, boolean reverse) {
        int size = items.size();
        int[] order = new int[size];
        for (int i = 0; i < size; i++) {
            order[i] = i;
        }
        int[] merged = new int[size];
        for (int width = 1; width < size; width *= 2) {
            for (int low = 0; low < size; low += 2 * width) {
                int middle = Math.min(low + width, size);
                int high = Math.min(low + 2 * width, size);
                int left = low;
                int right = middle;
                for (int to = low; to < high; to++) {
                    boolean takeRight = left == middle
                            || (right < high && comesFirst(r, keys.get(order[right]), keys.get(order[left]), reverse));
                    merged[to] = takeRight ? order[right++] : order[left++];
                }
            }
            int[] swap = order;
            order = merged;
            merged = swap;
        }
        r.reserve(32 + 8L * size);
        List<Object> result = new ArrayList<>(size);
        for (int index : order) {
            result.add(items.get(index));
        }
        return result;
    }

    private static boolean comesFirst(Rendering r, Object x, Object y, boolean reverse) {
        return reverse ? Values.less(r, y, x, "<") : Values.less(r, x, y, "<");
    }

    private static Object unique(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("unique", 0, "case_sensitive", "attribute");
        boolean caseSensitive = Values.truth(Arguments.or(bound[0], false));
        Attribute attribute = Attribute.of(bound[1]);
        Dict seen = new Dict();
        List<Object> items = new ArrayList<>();
        for (Iterator<Object> rest = Values.iterate(r, value); rest.hasNext(); ) {
            Object item = rest.next();
            Object key = comparable(r, attribute.of(r, item), caseSensitive);
            if (seen.get(key) == null) {
                r.reserve(48);
                seen.put(key, true);
                items.add(item);
            }
        }
        return new Generator(items.iterator());
    }

    private static Object extreme(Rendering r, String name, Object value, Arguments arguments) {
        Object[] bound = arguments.bind(name, 0, "case_sensitive", "attribute");
        boolean caseSensitive = Values.truth(Arguments.or(bound[0], false));
        Attribute attribute = Attribute.of(bound[1]);
        Iterator<Object> items = Values.iterate(r, value);
        if (!items.hasNext()) {
            return Undefined.because("No aggregated item, sequence was empty.");
        }
        Object best = items.next();
        Object bestKey = comparable(r, attribute.of(r, best), caseSensitive);
        while (items.hasNext()) {
            Object item = items.next();
            Object key = comparable(r, attribute.of(r, item), caseSensitive);
            if (name.equals("min") ? Values.less(r, key, bestKey, "<") : Values.less(r, bestKey, key, ">")) {
                best = item;
                bestKey = key;
            }
        }
        return best;
    }

    private static Object sum(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("sum", 0, "attribute", "start");
        Attribute attribute = Attribute.of(bound[0]);
        Object total = Arguments.or(bound[1], 0L);
        if (Values.textOrNull(total) != null) {
            throw TemplateException.runtime("sum() can't sum strings [use ''.join(seq) instead]");
        }
        for (Iterator<Object> items = Values.iterate(r, value); items.hasNext(); ) {
            r.step();
            total = Values.add(r, total, attribute.of(r, items.next()));
        }
        return total;
    }

    private static List<Object> dictSort(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        Object by = Arguments.or(bound[1], "key");
        boolean byKey = Values.equal(r, by, "key");
        if (!byKey && !Values.equal(r, by, "value")) {
            throw TemplateException.runtime("You can only sort by either \"key\" or \"value\"");
        }
        if (!(value instanceof Dict dict)) {
            throw Numbers.failure(value, "'" + Values.typeName(value) + "' object has no attribute 'items'");
        }
        boolean caseSensitive = Values.truth(Arguments.or(bound[0], false));
        r.reserve(32 + 16L * dict.size());
        List<Object> items = dict.itemList();
        List<Object> keys = new ArrayList<>(items.size());
        for (Object item : items) {
            keys.add(comparable(r, ((Tuple) item).items().get(byKey ? 0 : 1), caseSensitive));
        }
        return sorted(r, items, keys, Values.truth(Arguments.or(bound[2], false)));
    }

    private static Object batch(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("batch", 1, "linecount", "fill_with");
        int size = Numbers.index(bound[0]);
        Object fill = Arguments.or(bound[1], None.NONE);
        List<Object> batches = new ArrayList<>();
        List<Object> current = new ArrayList<>();
        for (Iterator<Object> items = Values.iterate(r, value); items.hasNext(); ) {
            r.reserve(16);
            if (current.size() == size) {
                batches.add(current);
                current = new ArrayList<>();
            }
            current.add(items.next());
        }
        if (!current.isEmpty()) {
            if (fill != None.NONE && current.size() < size) {
                r.reserve(8L * (size - current.size()));
                current.addAll(Collections.nCopies(size - current.size(), fill));
            }
            batches.add(current);
        }
        return new Generator(batches.iterator());
    }

    private static Object slices(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("slice", 1, "slices", "fill_with");
        List<Object> items = Values.list(r, value);
        int count = Numbers.index(bound[0]);
        if (count == 0) {
            throw TemplateException.runtime("integer division or modulo by zero");
        }
        r.reserve(32L * Math.max(0, count));
        Object fill = Arguments.or(bound[1], None.NONE);
        int each = Math.floorDiv(items.size(), count);
        int extra = Math.floorMod(items.size(), count);
        List<Object> slices = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < count; i++) {
            int to = from + each + (i < extra ? 1 : 0);
            List<Object> slice = new ArrayList<>(items.subList(from, to));
            if (fill != None.NONE && i >= extra) {
                slice.add(fill);
            }
            slices.add(slice);
            from = to;
        }
        return new Generator(slices.iterator());
    }

    /** The pair that {@code groupby} gives for each group: it also answers to {@code grouper} and {@code list}. */
    static final class Group extends AbstractList<Object> {
        private final Object grouper;
        private final List<Object> members;

        private Group(Object grouper, List<Object> members) {
            this.grouper = grouper;
            this.members = members;
        }

        @Override
        public Object get(int index) {
            return switch (index) {
                case 0 -> grouper;
                case 1 -> members;
                default -> throw new IndexOutOfBoundsException(index);
            };
        }

        @Override
        public int size() {
            return 2;
        }
    }

    private static List<Object> groupBy(Rendering r, Object value, Arguments arguments) {
        Object[] bound = arguments.bind("groupby", 1, "attribute", "default", "case_sensitive");
        Attribute attribute = Attribute.of(bound[0]);
        Object fallback = Arguments.or(bound[1], None.NONE);
        boolean caseSensitive = Values.truth(Arguments.or(bound[2], false));
        List<Object> items = Values.list(r, value);
        List<Object> keys = new ArrayList<>(items.size());
        for (Object item : items) {
            r.reserve(16);
            keys.add(comparable(r, attribute.of(r, item, fallback), caseSensitive));
        }
        List<Object> groups = new ArrayList<>();
        List<Object> members = new ArrayList<>();
        Object currentKey = MISSING;
        for (Object item : sorted(r, items, keys, false)) {
            Object key = comparable(r, attribute.of(r, item, fallback), caseSensitive);
            if (currentKey instanceof Rendering.Missing || !Values.equal(r, key, currentKey)) {
                members = new ArrayList<>();
                groups.add(new Tuple(new Group(attribute.of(r, item, fallback), members)));
                currentKey = key;
            }
            r.reserve(8);
            members.add(item);
        }
        return groups;
    }
}
