package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;

/** The methods of Python's strings. Positions count code points. Methods of marked text give marked text. */
final class StringMethods {
    private StringMethods() {}

    static boolean knows(String name) {
        return switch (name) {
            case "capitalize",
                    "casefold",
                    "center",
                    "count",
                    "encode",
                    "endswith",
                    "expandtabs",
                    "find",
                    "format",
                    "format_map",
                    "index",
                    "isalnum",
                    "isalpha",
                    "isascii",
                    "isdecimal",
                    "isdigit",
                    "isidentifier",
                    "islower",
                    "isnumeric",
                    "isprintable",
                    "isspace",
                    "istitle",
                    "isupper",
                    "join",
                    "ljust",
                    "lower",
                    "lstrip",
                    "maketrans",
                    "partition",
                    "removeprefix",
                    "removesuffix",
                    "replace",
                    "rfind",
                    "rindex",
                    "rjust",
                    "rpartition",
                    "rsplit",
                    "rstrip",
                    "split",
                    "splitlines",
                    "startswith",
                    "strip",
                    "swapcase",
                    "title",
                    "translate",
                    "upper",
                    "zfill" -> true;
            default -> false;
        };
    }

    static Object call(Rendering r, String text, boolean marked, String name, Arguments given) {
        r.steps(1 + (text.length() >> 6));
        Arguments arguments = marked ? escaped(r, name, given) : given;
        Object result = call(r, text, name, arguments, marked);
        return marked ? marked(result) : result;
    }

    private static Object marked(Object result) {
        return switch (result) {
            case String text -> new Markup(text);
            case List<?> list -> {
                List<Object> all = new ArrayList<>(list.size());
                for (Object item : list) {
                    all.add(marked(item));
                }
                yield all;
            }
            case Tuple tuple -> {
                List<Object> all = new ArrayList<>(tuple.items().size());
                for (Object item : tuple.items()) {
                    all.add(marked(item));
                }
                yield new Tuple(all);
            }
            default -> result;
        };
    }

    /** What {@code replace} and the padding methods of marked text insert is escaped. */
    private static Arguments escaped(Rendering r, String name, Arguments given) {
        boolean inserts =
                name.equals("replace") || name.equals("center") || name.equals("ljust") || name.equals("rjust");
        if (!inserts || given.positional().length < 2) {
            return given;
        }
        Object[] values = given.positional().clone();
        if (Values.textOrNull(values[1]) != null) {
            values[1] = Markup.escaped(r, values[1]);
        }
        return new Arguments(values, given.names(), given.named());
    }

    private static Object call(Rendering r, String text, String name, Arguments arguments, boolean marked) {
        return switch (name) {
            case "format" -> {
                yield BraceFormat.format(r, text, arguments, marked);
            }
            case "strip", "lstrip", "rstrip" -> {
                Object set = Arguments.or(arguments.bind(name, 0, "chars")[0], None.NONE);
                boolean left = !name.equals("rstrip");
                boolean right = !name.equals("lstrip");
                yield r.made(
                        set == None.NONE
                                ? Text.strip(text, left, right)
                                : Text.strip(text, require(set, name), left, right));
            }
            case "split", "rsplit" -> {
                Object[] bound = arguments.bind(name, 0, "sep", "maxsplit");
                int limit = Numbers.index(Arguments.or(bound[1], -1L));
                yield split(r, text, Arguments.or(bound[0], None.NONE), limit, name.equals("rsplit"));
            }
            case "splitlines" -> {
                boolean keep = Values.truth(Arguments.or(arguments.bind(name, 0, "keepends")[0], false));
                r.reserve(text.length());
                List<String> lines = Text.splitLines(text, keep);
                r.reserve(8L * lines.size());
                yield new ArrayList<Object>(lines);
            }
            case "replace" -> {
                Object[] bound = arguments.bind(name, 2, "old", "new", "count");
                yield replace(
                        r,
                        text,
                        require(bound[0], name),
                        require(bound[1], name),
                        Numbers.index(Arguments.or(bound[2], -1L)));
            }
            case "startswith", "endswith" -> {
                Object[] bound = arguments.bind(name, 1, "prefix", "start", "end");
                Span span = Span.of(text, bound[1], bound[2]);
                yield affix(text, span, bound[0], name);
            }
            case "find", "rfind", "index", "rindex" -> {
                yield find(text, name, arguments);
            }
            case "count" -> {
                yield count(r, text, arguments);
            }
            case "join" -> {
                yield join(r, text, arguments.bind(name, 1, "iterable")[0], marked);
            }
            case "removeprefix" -> {
                String prefix = require(arguments.bind(name, 1, "prefix")[0], name);
                yield text.startsWith(prefix) ? r.made(text.substring(prefix.length())) : text;
            }
            case "removesuffix" -> {
                String suffix = require(arguments.bind(name, 1, "suffix")[0], name);
                yield text.endsWith(suffix) ? r.made(text.substring(0, text.length() - suffix.length())) : text;
            }
            case "partition", "rpartition" -> {
                yield partition(r, text, require(arguments.bind(name, 1, "sep")[0], name), name.equals("rpartition"));
            }
            case "center", "ljust", "rjust" -> {
                Object[] bound = arguments.bind(name, 1, "width", "fillchar");
                String fill = require(Arguments.or(bound[1], " "), name);
                if (Text.length(fill) != 1) {
                    throw TemplateException.runtime("The fill character must be exactly one character long");
                }
                yield justify(r, text, Numbers.index(bound[0]), fill, name);
            }
            case "zfill" -> {
                yield zeroFill(r, text, Numbers.index(arguments.bind(name, 1, "width")[0]));
            }
            case "expandtabs" -> {
                yield expandTabs(r, text, Numbers.index(Arguments.or(arguments.bind(name, 0, "tabsize")[0], 8L)));
            }
            default -> {
                arguments.bind(name, 0);
                yield plain(r, text, name);
            }
        };
    }

    /** The methods without arguments. */
    private static Object plain(Rendering r, String text, String name) {
        return switch (name) {
            case "upper" -> r.made(Text.upper(text));
            case "lower" -> r.made(Text.lower(text));
            case "casefold" -> r.made(Text.lower(Text.upper(text)).replace("\u03c2", "\u03c3"));
            case "title" -> r.made(Text.title(text));
            case "capitalize" -> r.made(Text.capitalize(text));
            case "swapcase" -> r.made(Text.swapCase(text));
            case "isupper" -> Text.isCase(text, true);
            case "islower" -> Text.isCase(text, false);
            case "isascii" -> text.chars().allMatch(c -> c < 128);
            case "isspace" -> !text.isEmpty() && text.codePoints().allMatch(Text::isSpace);
            case "isalpha" -> !text.isEmpty() && text.codePoints().allMatch(Character::isLetter);
            case "isalnum" -> !text.isEmpty() && text.codePoints().allMatch(StringMethods::isAlphanumeric);
            case "isdecimal" -> !text.isEmpty() && text.codePoints().allMatch(Character::isDigit);
            case "isdigit" -> !text.isEmpty() && text.codePoints().allMatch(StringMethods::isDigit);
            case "isnumeric" -> !text.isEmpty() && text.codePoints().allMatch(StringMethods::isNumeric);
            default -> throw TemplateException.runtime("the string method " + name + "() is not supported");
        };
    }

    private static boolean isAlphanumeric(int c) {
        return Character.isLetter(c) || isNumeric(c);
    }

    private static boolean isDigit(int c) {
        return Character.isDigit(c)
                || "\u00b2\u00b3\u00b9".indexOf(c) >= 0
                || (c >= 0x2070 && c <= 0x2089 && Character.getType(c) == Character.OTHER_NUMBER);
    }

    private static boolean isNumeric(int c) {
        return switch (Character.getType(c)) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
            default -> false;
        };
    }

    private static String require(Object value, String method) {
        String text = Values.textOrNull(value);
        if (text == null) {
            throw Numbers.failure(value, method + "() expects a string, not " + Values.typeName(value));
        }
        return text;
    }

    private static List<Object> split(Rendering r, String text, Object separator, int limit, boolean fromRight) {
        int most = limit < 0 ? Integer.MAX_VALUE : limit;
        List<Object> parts = new ArrayList<>();
        if (separator == None.NONE) {
            splitAtSpace(r, text, most, fromRight, parts);
        } else {
            String at = require(separator, "split");
            if (at.isEmpty()) {
                throw TemplateException.runtime("empty separator");
            }
            splitAt(r, text, at, most, fromRight, parts);
        }
        if (fromRight) {
            java.util.Collections.reverse(parts);
        }
        return parts;
    }

    private static void add(Rendering r, List<Object> parts, String part) {
        r.reserve(8L + part.length());
        parts.add(part);
    }

    private static void splitAt(Rendering r, String text, String at, int most, boolean fromRight, List<Object> parts) {
        int start = 0;
        int end = text.length();
        while (parts.size() < most) {
            int found = fromRight ? text.lastIndexOf(at, end - at.length()) : text.indexOf(at, start);
            if (found < 0) {
                break;
            }
            if (fromRight) {
                add(r, parts, text.substring(found + at.length(), end));
                end = found;
            } else {
                add(r, parts, text.substring(start, found));
                start = found + at.length();
            }
        }
        add(r, parts, text.substring(start, end));
    }

    private static void splitAtSpace(Rendering r, String text, int most, boolean fromRight, List<Object> parts) {
        int start = 0;
        int end = text.length();
        while (true) {
            while (start < end && Text.isSpace(text.charAt(start))) {
                start++;
            }
            while (fromRight && end > start && Text.isSpace(text.charAt(end - 1))) {
                end--;
            }
            if (start == end) {
                return;
            }
            if (parts.size() == most) {
                String rest = text.substring(fromRight ? 0 : start, end);
                add(r, parts, rest);
                return;
            }
            if (fromRight) {
                int word = end;
                while (word > start && !Text.isSpace(text.charAt(word - 1))) {
                    word--;
                }
                add(r, parts, text.substring(word, end));
                end = word;
            } else {
                int word = start;
                while (word < end && !Text.isSpace(text.charAt(word))) {
                    word++;
                }
                add(r, parts, text.substring(start, word));
                start = word;
            }
        }
    }

    static String replace(Rendering r, String text, String old, String replacement, int count) {
        int most = count < 0 ? Integer.MAX_VALUE : count;
        StringBuilder out = new StringBuilder();
        int from = 0;
        int done = 0;
        if (old.isEmpty()) {
            while (done < most && from <= text.length()) {
                r.reserve(replacement.length() + 2L);
                out.append(replacement);
                done++;
                if (from == text.length()) {
                    return out.toString();
                }
                int next = from + Character.charCount(text.codePointAt(from));
                out.append(text, from, next);
                from = next;
            }
        }
        int found = done < most && !old.isEmpty() ? text.indexOf(old, from) : -1;
        if (found < 0 && done == 0) {
            return text;
        }
        while (found >= 0 && done < most) {
            r.reserve((long) found - from + replacement.length());
            out.append(text, from, found).append(replacement);
            from = found + old.length();
            done++;
            found = text.indexOf(old, from);
        }
        r.reserve(text.length() - from);
        return out.append(text, from, text.length()).toString();
    }

    /** A part of a text given by two optional positions, in UTF-16 units. */
    private record Span(int start, int end, int startIndex) {
        static Span of(String text, Object start, Object end) {
            boolean whole = (start == Rendering.MISSING || start == None.NONE)
                    && (end == Rendering.MISSING || end == None.NONE);
            if (whole) {
                return new Span(0, text.length(), 0);
            }
            int length = Text.length(text);
            int from = clip(start, 0, length);
            int to = clip(end, length, length);
            int given = start == Rendering.MISSING || start == None.NONE ? 0 : Numbers.index(start);
            if (given > length || from > to) {
                return new Span(1, 0, from);
            }
            return new Span(Text.offset(text, from), Text.offset(text, to), from);
        }

        private static int clip(Object value, int fallback, int length) {
            if (value == Rendering.MISSING || value == None.NONE) {
                return fallback;
            }
            int index = Numbers.index(value);
            return Math.clamp(index < 0 ? (long) index + length : index, 0, length);
        }

        boolean isNowhere() {
            return start > end;
        }
    }

    private static boolean affix(String text, Span span, Object affixes, String name) {
        if (affixes instanceof Tuple choices) {
            for (Object choice : choices.items()) {
                if (affix(text, span, choice, name)) {
                    return true;
                }
            }
            return false;
        }
        String affix = require(affixes, name);
        if (span.isNowhere() || span.end - span.start < affix.length()) {
            return false;
        }
        return text.startsWith(affix, name.equals("startswith") ? span.start : span.end - affix.length());
    }

    private static Object find(String text, String name, Arguments arguments) {
        Object[] bound = arguments.bind(name, 1, "sub", "start", "end");
        String sought = require(bound[0], name);
        Span span = Span.of(text, bound[1], bound[2]);
        int found = -1;
        if (!span.isNowhere()) {
            String part = text.substring(span.start, span.end);
            found = name.startsWith("r") ? part.lastIndexOf(sought) : part.indexOf(sought);
            if (found >= 0) {
                return (long) span.startIndex + part.codePointCount(0, found);
            }
        }
        if (name.endsWith("index")) {
            throw TemplateException.runtime("substring not found");
        }
        return (long) found;
    }

    private static Object count(Rendering r, String text, Arguments arguments) {
        Object[] bound = arguments.bind("count", 1, "sub", "start", "end");
        String sought = require(bound[0], "count");
        Span span = Span.of(text, bound[1], bound[2]);
        if (span.isNowhere()) {
            return 0L;
        }
        String part = text.substring(span.start, span.end);
        if (sought.isEmpty()) {
            return Text.length(part) + 1L;
        }
        long count = 0;
        for (int at = part.indexOf(sought); at >= 0; at = part.indexOf(sought, at + sought.length())) {
            r.step();
            count++;
        }
        return count;
    }

    private static String join(Rendering r, String separator, Object items, boolean marked) {
        StringBuilder out = new StringBuilder();
        int index = 0;
        boolean escaping = marked;
        for (Iterator<Object> rest = Values.iterate(r, items); rest.hasNext(); index++) {
            Object item = rest.next();
            String text = escaping ? Markup.escaped(r, item) : Values.textOrNull(item);
            if (text == null) {
                throw TemplateException.runtime(
                        "sequence item " + index + ": expected str instance, " + Values.typeName(item) + " found");
            }
            if (index > 0) {
                r.reserve(separator.length());
                out.append(separator);
            }
            r.reserve(text.length() + 1L);
            out.append(text);
        }
        return out.toString();
    }

    private static Tuple partition(Rendering r, String text, String separator, boolean fromRight) {
        if (separator.isEmpty()) {
            throw TemplateException.runtime("empty separator");
        }
        r.reserve(text.length());
        int at = fromRight ? text.lastIndexOf(separator) : text.indexOf(separator);
        if (at < 0) {
            return fromRight ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    static String justify(Rendering r, String text, int width, String fill, String side) {
        int missing = width - Text.length(text);
        if (missing <= 0) {
            return text;
        }
        int left = switch (side) {
            case "ljust" -> 0;
            case "rjust" -> missing;
            default -> missing / 2 + (missing & width & 1);
        };
        r.reserve(text.length());
        return Values.repeat(r, fill, left) + text + Values.repeat(r, fill, missing - left);
    }

    private static String zeroFill(Rendering r, String text, int width) {
        int missing = width - Text.length(text);
        if (missing <= 0) {
            return text;
        }
        boolean signed = text.startsWith("-") || text.startsWith("+");
        String zeros = Values.repeat(r, "0", missing);
        return r.made(signed ? text.charAt(0) + zeros + text.substring(1) : zeros + text);
    }

    private static String expandTabs(Rendering r, String text, int size) {
        StringBuilder out = new StringBuilder();
        int column = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\t') {
                int spaces = size <= 0 ? 0 : size - column % size;
                out.append(Values.repeat(r, " ", spaces));
                column += spaces;
            } else {
                r.reserve(1);
                out.append(c);
                column = c == '\n' || c == '\r' ? 0 : Character.isLowSurrogate(c) ? column : column + 1;
            }
        }
        return out.toString();
    }

    /** The words of {@code |title}: jinja2 divides at blanks, hyphens and opening brackets only. */
    static String titleWords(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int i = 0;
        while (i < text.length()) {
            int end = i;
            while (end < text.length() && !dividesWords(text.charAt(end))) {
                end++;
            }
            if (end > i) {
                int first = i + Character.charCount(text.codePointAt(i));
                out.append(text.substring(i, first).toUpperCase(Locale.ROOT));
                out.append(Text.lower(text.substring(first, end)));
            }
            i = end;
            while (i < text.length() && dividesWords(text.charAt(i))) {
                out.append(text.charAt(i++));
            }
        }
        return out.toString();
    }

    private static boolean dividesWords(char c) {
        return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || Text.isSpace(c);
    }
}
