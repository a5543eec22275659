package dev.puna.tokenizer;

import dev.puna.tensor.CorruptFileException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A cursor over a JSON file as bytes. A {@code tokenizer.json} has half a million strings: the cursor gives them as
 * bytes in one scratch array, so that opening one makes no string for each token.
 */
final class Json {
    /** What {@code null} in a file becomes. */
    static final Object NULL = new Object() {
        @Override
        public String toString() {
            return "null";
        }
    };

    private static final int DEEPEST = 100;

    private final byte[] file;
    private final Path path;
    private int at;
    private int depth;

    /** The last string, as UTF-8. */
    private byte[] text = new byte[256];

    private int textLength;

    Json(byte[] file, int at, Path path) {
        this.file = file;
        this.at = at;
        this.path = path;
        if (at == 0 && file.length >= 3 && file[0] == (byte) 0xEF && file[1] == (byte) 0xBB && file[2] == (byte) 0xBF) {
            this.at = 3;
        }
    }

    /** A whole file as maps, lists, strings, longs, doubles, booleans and {@link #NULL}. */
    static Object parse(byte[] file, Path path) {
        Json json = new Json(file, 0, path);
        Object value = json.value();
        json.space();
        if (json.at != file.length) {
            throw json.corrupt("the end of the file");
        }
        return value;
    }

    /** A whole file that is an object. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> parseObject(byte[] file, Path path) {
        if (parse(file, path) instanceof Map<?, ?> map) {
            return (Map<String, Object>) map;
        }
        throw new CorruptFileException(path, 0, "a JSON object", "another value");
    }

    CorruptFileException corrupt(String expected) {
        String found = at >= file.length ? "the end of the file" : String.format("0x%02X", file[at]);
        return new CorruptFileException(path, at, expected, found);
    }

    int position() {
        return at;
    }

    private void space() {
        while (at < file.length && (file[at] == ' ' || file[at] == '\n' || file[at] == '\r' || file[at] == '\t')) {
            at++;
        }
    }

    /** The next byte that is no white space; nothing is consumed. */
    byte peek() {
        space();
        if (at >= file.length) {
            throw corrupt("a value");
        }
        return file[at];
    }

    void expect(char character) {
        space();
        if (at >= file.length || file[at] != character) {
            throw corrupt("'" + character + "'");
        }
        at++;
    }

    private boolean take(char character) {
        space();
        if (at < file.length && file[at] == character) {
            at++;
            return true;
        }
        return false;
    }

    /** Inside an object or an array that was opened: whether another member follows. Call before every member. */
    boolean next(boolean first, char close) {
        if (take(close)) {
            return false;
        }
        if (!first) {
            expect(',');
        }
        return true;
    }

    /** Reads a string into {@link #text()}. */
    void string() {
        expect('"');
        textLength = 0;
        while (true) {
            int start = at;
            while (at < file.length && file[at] != '"' && file[at] != '\\' && (file[at] & 0xFF) >= 0x20) {
                at++;
            }
            append(file, start, at);
            if (at >= file.length || (file[at] & 0xFF) < 0x20) {
                throw corrupt("the end of a string");
            }
            if (file[at++] == '"') {
                return;
            }
            escape();
        }
    }

    private void append(byte[] source, int from, int to) {
        int length = to - from;
        if (textLength + length + Words.PADDING > text.length) {
            text = Arrays.copyOf(text, Math.max(textLength + length + Words.PADDING, 2 * text.length));
        }
        System.arraycopy(source, from, text, textLength, length);
        textLength += length;
    }

    private void escape() {
        if (at >= file.length) {
            throw corrupt("an escape");
        }
        int character = switch (file[at]) {
            case '"' -> '"';
            case '\\' -> '\\';
            case '/' -> '/';
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> -1;
            default -> throw corrupt("an escape");
        };
        at++;
        if (character < 0) {
            character = hex();
            if (Character.isHighSurrogate((char) character)
                    && at + 1 < file.length
                    && file[at] == '\\'
                    && file[at + 1] == 'u') {
                int before = at;
                at += 2;
                int low = hex();
                if (Character.isLowSurrogate((char) low)) {
                    character = Character.toCodePoint((char) character, (char) low);
                } else {
                    at = before;
                }
            }
        }
        byte[] bytes = Utf8.bytes(Character.toString(character));
        append(bytes, 0, bytes.length);
    }

    private int hex() {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = at < file.length ? Character.digit(file[at], 16) : -1;
            if (digit < 0) {
                throw corrupt("four hexadecimal digits");
            }
            value = value << 4 | digit;
            at++;
        }
        return value;
    }

    /** The bytes of the last string, padded; valid until the next one. */
    byte[] text() {
        return text;
    }

    int textLength() {
        return textLength;
    }

    String name() {
        string();
        return new String(text, 0, textLength, StandardCharsets.UTF_8);
    }

    /** A whole number of the range of int. */
    int integer() {
        space();
        int start = at;
        long value = 0;
        boolean negative = at < file.length && file[at] == '-';
        if (negative) {
            at++;
        }
        int digits = at;
        while (at < file.length && file[at] >= '0' && file[at] <= '9' && at - digits < 11) {
            value = value * 10 + file[at++] - '0';
        }
        if (at == digits || value > Integer.MAX_VALUE) {
            at = start;
            throw corrupt("a whole number");
        }
        return (int) (negative ? -value : value);
    }

    /** Steps over an array without looking at what its strings say; whoever reads it later does. */
    void skipArray() {
        expect('[');
        byte[] bytes = file;
        int end = bytes.length;
        int open = 1;
        int i = at;
        while (i < end && open > 0) {
            byte value = bytes[i++];
            if (value == '"') {
                while (i < end && bytes[i] != '"') {
                    i += bytes[i] == '\\' ? 2 : 1;
                }
                i++;
            } else if (value == '[') {
                open++;
            } else if (value == ']') {
                open--;
            }
        }
        at = Math.min(i, end);
        if (open > 0 || i > end) {
            throw corrupt("the end of an array");
        }
    }

    private void deeper() {
        if (++depth > DEEPEST) {
            throw corrupt("at most " + DEEPEST + " levels of nesting");
        }
    }

    Object value() {
        byte lead = peek();
        if (lead == '"') {
            return name();
        }
        if (lead == '{') {
            deeper();
            at++;
            Map<String, Object> map = new LinkedHashMap<>();
            while (next(map.isEmpty(), '}')) {
                String name = name();
                expect(':');
                if (map.put(name, value()) != null) {
                    throw corrupt("the name " + name + " once");
                }
            }
            depth--;
            return map;
        }
        if (lead == '[') {
            deeper();
            at++;
            List<Object> list = new ArrayList<>();
            while (next(list.isEmpty(), ']')) {
                list.add(value());
            }
            depth--;
            return list;
        }
        return scalar();
    }

    private Object scalar() {
        int start = at;
        while (at < file.length && at - start < 64 && isScalar(file[at])) {
            at++;
        }
        String word = new String(file, start, at - start, StandardCharsets.ISO_8859_1);
        if (word.equals("true") || word.equals("false")) {
            return Boolean.valueOf(word);
        }
        if (word.equals("null")) {
            return NULL;
        }
        if (word.matches("-?[0-9]{1,18}")) {
            return Long.valueOf(word);
        }
        if (word.matches("-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
            return Double.valueOf(word);
        }
        at = start;
        throw corrupt("a JSON value");
    }

    private static boolean isScalar(byte value) {
        return (value >= '0' && value <= '9')
                || (value >= 'a' && value <= 'z')
                || value == '-'
                || value == '+'
                || value == '.'
                || value == 'E';
    }

    /** Appends a string with its quotes. */
    static void quote(StringBuilder out, String string) {
        out.append('"');
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < 0x20 || c == 0x7F) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    /** Appends a value made of maps, lists, strings, numbers, booleans and {@link #NULL}, indented by two. */
    static void write(StringBuilder out, Object value, int indent) {
        if (value instanceof Map<?, ?> map) {
            String separator = "{\n";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(separator).repeat(' ', indent + 2);
                quote(out, String.valueOf(entry.getKey()));
                out.append(": ");
                write(out, entry.getValue(), indent + 2);
                separator = ",\n";
            }
            if (map.isEmpty()) {
                out.append("{}");
            } else {
                out.append('\n').repeat(' ', indent).append('}');
            }
        } else if (value instanceof List<?> list) {
            String separator = "[\n";
            for (Object element : list) {
                out.append(separator).repeat(' ', indent + 2);
                write(out, element, indent + 2);
                separator = ",\n";
            }
            if (list.isEmpty()) {
                out.append("[]");
            } else {
                out.append('\n').repeat(' ', indent).append(']');
            }
        } else if (value instanceof String string) {
            quote(out, string);
        } else {
            out.append(value);
        }
    }
}
