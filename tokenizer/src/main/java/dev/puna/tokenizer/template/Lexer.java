package dev.puna.tokenizer.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

/**
 * Cuts template source into tokens. Whitespace control happens here, as the Jinja documentation defines it for
 * {@code trim_blocks} and {@code lstrip_blocks}: the newline after a block or comment goes, as do the blanks before one
 * that stands first on its line; {@code -} removes all whitespace on its side, {@code +} keeps it.
 */
final class Lexer {
    private static final int MAX_NUMBER_LENGTH = 1_000;

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int position;
    private int line = 1;
    /** Whether what was read last ended in a newline. */
    private boolean lineStarting = true;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String source) {
        Lexer lexer = new Lexer(normalized(source));
        lexer.run();
        return lexer.tokens;
    }

    /** Line ends become {@code \n}; a single one at the end of the template goes. */
    private static String normalized(String source) {
        String text =
                source.indexOf('\r') < 0 ? source : source.replace("\r\n", "\n").replace('\r', '\n');
        return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
    }

    private TemplateException error(String detail) {
        return new TemplateException(TemplateException.Kind.SYNTAX, line, detail);
    }

    private void add(Token.Kind kind, String text) {
        tokens.add(new Token(kind, text, None.NONE, line));
    }

    private void run() {
        while (position < source.length()) {
            int tag = nextTag(position);
            if (tag < 0) {
                data(source.substring(position));
                moveTo(source.length());
                break;
            }
            String text = source.substring(position, tag);
            char opener = source.charAt(tag + 1);
            char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
            boolean signed = sign == '-' || sign == '+';
            if (sign == '-') {
                text = Text.strip(text, false, true);
            } else if (sign != '+' && opener != '{') {
                text = withoutIndent(text);
            }
            data(text);
            moveTo(tag);
            int inside = tag + (signed ? 3 : 2);
            if (opener == '#') {
                comment(inside);
            } else if (opener == '{') {
                add(Token.Kind.VARIABLE_BEGIN, "");
                moveTo(inside);
                expression(Token.Kind.VARIABLE_END);
            } else {
                int raw = rawBegin(inside);
                if (raw > 0) {
                    moveTo(raw);
                    raw();
                } else {
                    add(Token.Kind.BLOCK_BEGIN, "");
                    moveTo(inside);
                    expression(Token.Kind.BLOCK_END);
                }
            }
        }
        add(Token.Kind.END, "");
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            add(Token.Kind.DATA, text);
        }
    }

    /** Goes on to {@code end}, counting lines. */
    private void moveTo(int end) {
        for (int i = position; i < end; i++) {
            if (source.charAt(i) == '\n') {
                line++;
            }
        }
        if (end > position) {
            lineStarting = source.charAt(end - 1) == '\n';
        }
        position = end;
    }

    private int nextTag(int from) {
        for (int i = source.indexOf('{', from); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            char next = source.charAt(i + 1);
            if (next == '{' || next == '%' || next == '#') {
                return i;
            }
        }
        return -1;
    }

    private String withoutIndent(String text) {
        int lineStart = text.lastIndexOf('\n') + 1;
        if (lineStart == 0 && !lineStarting) {
            return text;
        }
        for (int i = lineStart; i < text.length(); i++) {
            if (!Text.isSpace(text.charAt(i))) {
                return text;
            }
        }
        return text.substring(0, lineStart);
    }

    private int skipSpace(int from) {
        int i = from;
        while (i < source.length() && Text.isSpace(source.charAt(i))) {
            i++;
        }
        return i;
    }

    /** Position after the end of a block or comment that begins at {@code at}; -1 if none begins there. */
    private int tagEnd(int at, String end, boolean trimNewline) {
        if (source.startsWith(end, at)) {
            int after = at + end.length();
            return trimNewline && after < source.length() && source.charAt(after) == '\n' ? after + 1 : after;
        }
        if (source.startsWith(end, at + 1)) {
            if (source.charAt(at) == '-') {
                return skipSpace(at + 1 + end.length());
            }
            if (source.charAt(at) == '+' && trimNewline) {
                return at + 1 + end.length();
            }
        }
        return -1;
    }

    private void comment(int inside) {
        for (int i = inside; i < source.length(); i++) {
            char c = source.charAt(i);
            if (c == '#' || c == '-' || c == '+') {
                int end = tagEnd(i, "#}", true);
                if (end > 0) {
                    moveTo(end);
                    return;
                }
            }
        }
        throw error("a comment begins with '{#' and has no '#}'");
    }

    /** Position after {@code raw %}} if the block that opens before {@code inside} is a raw block, else -1. */
    private int rawBegin(int inside) {
        int name = skipSpace(inside);
        if (!source.startsWith("raw", name)) {
            return -1;
        }
        return tagEnd(skipSpace(name + 3), "%}", false);
    }

    private void raw() {
        for (int i = source.indexOf("{%", position); i >= 0; i = source.indexOf("{%", i + 1)) {
            char sign = i + 2 < source.length() ? source.charAt(i + 2) : ' ';
            int name = skipSpace(sign == '-' || sign == '+' ? i + 3 : i + 2);
            if (!source.startsWith("endraw", name)) {
                continue;
            }
            int end = tagEnd(skipSpace(name + 6), "%}", true);
            if (end < 0) {
                continue;
            }
            String text = source.substring(position, i);
            data(sign == '-' ? Text.strip(text, false, true) : sign == '+' ? text : withoutIndent(text));
            moveTo(end);
            return;
        }
        throw error("a raw block has no '{% endraw %}'");
    }

    /** Reads tokens up to {@code end}, which counts only outside of brackets. */
    private void expression(Token.Kind end) {
        StringBuilder open = new StringBuilder();
        int begin = line;
        while (true) {
            moveTo(skipSpace(position));
            if (position >= source.length()) {
                throw new TemplateException(
                        TemplateException.Kind.SYNTAX,
                        begin,
                        "'" + (end == Token.Kind.BLOCK_END ? "{%" : "{{") + "' has no '"
                                + (end == Token.Kind.BLOCK_END ? "%}" : "}}") + "'");
            }
            if (open.isEmpty()) {
                int after = end == Token.Kind.BLOCK_END ? tagEnd(position, "%}", true) : tagEnd(position, "}}", false);
                if (after > 0) {
                    add(end, "");
                    moveTo(after);
                    return;
                }
            }
            char c = source.charAt(position);
            if (c >= '0' && c <= '9') {
                number();
            } else if (c == '\'' || c == '"') {
                string(c);
            } else if (c == '_' || Character.isUnicodeIdentifierStart(source.codePointAt(position))) {
                name();
            } else {
                operator(c, open);
            }
        }
    }

    private void name() {
        int i = position;
        while (i < source.length()) {
            int c = source.codePointAt(i);
            if (c != '_' && (!Character.isUnicodeIdentifierPart(c) || Character.isIdentifierIgnorable(c))) {
                break;
            }
            i += Character.charCount(c);
        }
        if (i == position) {
            throw error("unexpected character " + Text.repr(Character.toString(source.codePointAt(i))));
        }
        add(Token.Kind.NAME, source.substring(position, i));
        moveTo(i);
    }

    private void operator(char c, StringBuilder open) {
        char next = position + 1 < source.length() ? source.charAt(position + 1) : ' ';
        String text = switch (c) {
            case '/' -> next == '/' ? "//" : "/";
            case '*' -> next == '*' ? "**" : "*";
            case '=' -> next == '=' ? "==" : "=";
            case '<' -> next == '=' ? "<=" : "<";
            case '>' -> next == '=' ? ">=" : ">";
            case '!' -> next == '=' ? "!=" : "";
            case '+' -> "+";
            case '-' -> "-";
            case '%' -> "%";
            case '~' -> "~";
            case '.' -> ".";
            case ':' -> ":";
            case '|' -> "|";
            case ',' -> ",";
            case '(' -> "(";
            case '[' -> "[";
            case '{' -> "{";
            case ')' -> ")";
            case ']' -> "]";
            case '}' -> "}";
            default -> "";
        };
        if (text.isEmpty()) {
            throw error("unexpected character " + Text.repr(Character.toString(source.codePointAt(position))));
        }
        switch (c) {
            case '(' -> open.append(')');
            case '[' -> open.append(']');
            case '{' -> open.append('}');
            case ')', ']', '}' -> {
                int last = open.length() - 1;
                if (last < 0 || open.charAt(last) != c) {
                    throw error("unexpected '" + c + "'" + (last < 0 ? "" : ", expected '" + open.charAt(last) + "'"));
                }
                open.setLength(last);
            }
            default -> {}
        }
        add(Token.Kind.OPERATOR, text);
        moveTo(position + text.length());
    }

    /** End of a run of digits, single underscores allowed between them. */
    private int digits(int from, int radix) {
        int i = from;
        while (i < source.length()) {
            if (Character.digit(source.charAt(i), radix) >= 0 && source.charAt(i) < 128) {
                i++;
            } else if (source.charAt(i) == '_'
                    && i + 1 < source.length()
                    && source.charAt(i + 1) < 128
                    && Character.digit(source.charAt(i + 1), radix) >= 0) {
                i += 2;
            } else {
                break;
            }
        }
        return i;
    }

    private void number() {
        int start = position;
        boolean afterDot = start > 0 && source.charAt(start - 1) == '.';
        int whole = digits(start, 10);
        int end = whole;
        if (!afterDot) {
            if (end + 1 < source.length() && source.charAt(end) == '.' && isDigit(end + 1)) {
                end = digits(end + 1, 10);
            }
            if (end < source.length() && (source.charAt(end) == 'e' || source.charAt(end) == 'E')) {
                int exponent = end + 1;
                if (exponent < source.length() && (source.charAt(exponent) == '+' || source.charAt(exponent) == '-')) {
                    exponent++;
                }
                if (isDigit(exponent)) {
                    end = digits(exponent, 10);
                }
            }
        }
        if (end - start > MAX_NUMBER_LENGTH) {
            throw error("a number of more than " + MAX_NUMBER_LENGTH + " characters");
        }
        if (end > whole) {
            number(Double.valueOf(source.substring(start, end).replace("_", "")), end);
            return;
        }
        int radix = 10;
        int first = start;
        if (source.charAt(start) == '0' && start + 1 < source.length()) {
            radix = switch (source.charAt(start + 1)) {
                case 'x', 'X' -> 16;
                case 'o', 'O' -> 8;
                case 'b', 'B' -> 2;
                default -> 10;
            };
            if (radix != 10) {
                first = start + 2;
                if (first < source.length() && source.charAt(first) == '_') {
                    first++;
                }
                end = digits(first, radix);
                if (end == first) {
                    radix = 10;
                    first = start;
                    end = start + 1;
                }
            } else {
                end = start + 1;
                while (end < whole && (source.charAt(end) == '0' || source.charAt(end) == '_')) {
                    end++;
                }
            }
        }
        if (end - start > MAX_NUMBER_LENGTH) {
            throw error("a number of more than " + MAX_NUMBER_LENGTH + " characters");
        }
        number(Numbers.integer(new BigInteger(source.substring(first, end).replace("_", ""), radix)), end);
    }

    private boolean isDigit(int at) {
        return at < source.length() && source.charAt(at) >= '0' && source.charAt(at) <= '9';
    }

    private void number(Object value, int end) {
        tokens.add(new Token(Token.Kind.NUMBER, "", value, line));
        moveTo(end);
    }

    private void string(char quote) {
        StringBuilder text = new StringBuilder();
        int i = position + 1;
        while (true) {
            if (i >= source.length()) {
                throw error("a string begins with " + quote + " and has no end");
            }
            char c = source.charAt(i++);
            if (c == quote) {
                break;
            }
            if (c != '\\') {
                text.append(c);
                continue;
            }
            if (i >= source.length()) {
                throw error("a string begins with " + quote + " and has no end");
            }
            i = escape(i, text);
        }
        add(Token.Kind.STRING, text.toString());
        moveTo(i);
    }

    /** Resolves the escape whose character after the backslash stands at {@code at}; returns the position after it. */
    private int escape(int at, StringBuilder text) {
        char c = source.charAt(at);
        switch (c) {
            case '\n' -> {}
            case '\\', '\'', '"' -> text.append(c);
            case 'n' -> text.append('\n');
            case 't' -> text.append('\t');
            case 'r' -> text.append('\r');
            case 'a' -> text.append('\u0007');
            case 'b' -> text.append('\b');
            case 'f' -> text.append('\f');
            case 'v' -> text.append('\u000b');
            case 'x' -> {
                return hexEscape(at + 1, 2, text);
            }
            case 'u' -> {
                return hexEscape(at + 1, 4, text);
            }
            case 'U' -> {
                return hexEscape(at + 1, 8, text);
            }
            case 'N' -> {
                return namedEscape(at + 1, text);
            }
            case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                int value = 0;
                int i = at;
                while (i < at + 3 && i < source.length() && source.charAt(i) >= '0' && source.charAt(i) <= '7') {
                    value = value * 8 + source.charAt(i++) - '0';
                }
                text.append((char) value);
                return i;
            }
            default -> text.append('\\').append(c);
        }
        return at + 1;
    }

    private int hexEscape(int at, int digits, StringBuilder text) {
        int value = 0;
        for (int i = at; i < at + digits; i++) {
            int digit = i < source.length() && source.charAt(i) < 128 ? Character.digit(source.charAt(i), 16) : -1;
            if (digit < 0) {
                throw error("expected " + digits + " hexadecimal digits after '\\" + source.charAt(at - 1) + "'");
            }
            value = value << 4 | digit;
        }
        if (!Character.isValidCodePoint(value)) {
            throw error("'\\U" + source.substring(at, at + digits) + "' is no Unicode character");
        }
        text.appendCodePoint(value);
        return at + digits;
    }

    private int namedEscape(int at, StringBuilder text) {
        int end = source.indexOf('}', at);
        if (at >= source.length() || source.charAt(at) != '{' || end < 0) {
            throw error("expected '{' and the name of a character after '\\N'");
        }
        try {
            text.appendCodePoint(Character.codePointOf(source.substring(at + 1, end)));
        } catch (IllegalArgumentException unknown) {
            throw error("unknown Unicode character name " + Text.repr(source.substring(at + 1, end)));
        }
        return end + 1;
    }
}
