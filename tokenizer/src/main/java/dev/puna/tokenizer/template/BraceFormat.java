package dev.puna.tokenizer.template;

import java.math.BigInteger;

/** {@code "{0}: {name!r:>8}".format(…)}, as Python formats it. */
final class BraceFormat {
    private final Rendering r;
    private final Arguments arguments;
    private final boolean escaping;
    private int automatic;
    private boolean numbered;

    private BraceFormat(Rendering r, Arguments arguments, boolean escaping) {
        this.r = r;
        this.arguments = arguments;
        this.escaping = escaping;
    }

    static String format(Rendering r, String format, Arguments arguments, boolean escaping) {
        return new BraceFormat(r, arguments, escaping).run(format, 2);
    }

    private String run(String format, int depth) {
        if (depth == 0) {
            throw TemplateException.runtime("Max string recursion exceeded");
        }
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < format.length()) {
            char c = format.charAt(i);
            boolean doubled = i + 1 < format.length() && format.charAt(i + 1) == c;
            if (c != '{' && c != '}') {
                r.reserve(1);
                out.append(c);
                i++;
            } else if (doubled) {
                r.reserve(1);
                out.append(c);
                i += 2;
            } else if (c == '}') {
                throw TemplateException.runtime("Single '}' encountered in format string");
            } else {
                int end = closing(format, i);
                String text = field(format.substring(i + 1, end), depth);
                r.reserve(text.length());
                out.append(text);
                i = end + 1;
            }
        }
        return out.toString();
    }

    private static int closing(String format, int open) {
        int depth = 0;
        for (int i = open; i < format.length(); i++) {
            if (format.charAt(i) == '{') {
                depth++;
            } else if (format.charAt(i) == '}' && --depth == 0) {
                return i;
            }
        }
        throw TemplateException.runtime("expected '}' before end of string");
    }

    private String field(String field, int depth) {
        int nameEnd = 0;
        boolean inBrackets = false;
        while (nameEnd < field.length()) {
            char c = field.charAt(nameEnd);
            if (c == '[') {
                inBrackets = true;
            } else if (c == ']') {
                inBrackets = false;
            } else if (!inBrackets && (c == '!' || c == ':')) {
                break;
            }
            nameEnd++;
        }
        Object value = lookup(field.substring(0, nameEnd));
        String rest = field.substring(nameEnd);
        if (rest.startsWith("!")) {
            if (rest.length() < 2 || (rest.length() > 2 && rest.charAt(2) != ':')) {
                throw TemplateException.runtime("expected ':' after conversion specifier");
            }
            value = switch (rest.charAt(1)) {
                case 'r', 'a' -> Values.repr(r, value);
                case 's' -> Values.str(r, value);
                default -> throw TemplateException.runtime("Unknown conversion specifier '" + rest.charAt(1) + "'");
            };
            rest = rest.substring(2);
        }
        String specification = rest.isEmpty() ? "" : run(rest.substring(1), depth - 1);
        if (escaping && specification.isEmpty()) {
            return Markup.escaped(r, value);
        }
        String text = new Specification(r, specification).apply(value);
        return escaping ? r.made(Markup.escape(text)) : text;
    }

    private Object lookup(String name) {
        int end = 0;
        while (end < name.length() && name.charAt(end) != '.' && name.charAt(end) != '[') {
            end++;
        }
        Object value = argument(name.substring(0, end));
        int i = end;
        while (i < name.length()) {
            r.step();
            if (name.charAt(i) == '.') {
                int stop = i + 1;
                while (stop < name.length() && name.charAt(stop) != '.' && name.charAt(stop) != '[') {
                    stop++;
                }
                value = Access.attribute(r, value, name.substring(i + 1, stop));
                i = stop;
            } else {
                int stop = name.indexOf(']', i);
                if (name.charAt(i) != '[' || stop < 0) {
                    throw TemplateException.runtime("Missing ']' in format string");
                }
                String key = name.substring(i + 1, stop);
                Object number = isDigits(key) ? Numbers.integer(new BigInteger(key)) : key;
                value = Access.item(r, value, number);
                i = stop + 1;
            }
        }
        return value;
    }

    private static boolean isDigits(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return false;
            }
        }
        return !text.isEmpty() && text.length() < 1_000;
    }

    private Object argument(String name) {
        if (name.isEmpty() || isDigits(name)) {
            if (name.isEmpty() ? numbered : automatic > 0) {
                throw TemplateException.runtime("cannot mix manual and automatic field numbering");
            }
            int index = name.isEmpty() ? automatic++ : Numbers.index(Numbers.integer(new BigInteger(name)));
            numbered |= !name.isEmpty();
            if (index >= arguments.positional().length) {
                throw TemplateException.runtime(
                        "Replacement index " + index + " out of range for positional args tuple");
            }
            return arguments.positional()[index];
        }
        for (int i = 0; i < arguments.names().length; i++) {
            if (arguments.names()[i].equals(name)) {
                return arguments.named()[i];
            }
        }
        throw TemplateException.runtime("format() misses its argument " + Text.repr(name));
    }

    /** The part after the colon: {@code [[fill]align][sign][#][0][width][grouping][.precision][type]}. */
    private static final class Specification {
        private final Rendering r;
        private String fill = " ";
        private char align;
        private char sign = '-';
        private boolean alternate;
        private int width;
        private char grouping;
        private int precision = -1;
        private char type;

        Specification(Rendering r, String text) {
            this.r = r;
            int i = 0;
            if (!text.isEmpty()) {
                int first = Character.charCount(text.codePointAt(0));
                if (text.length() > first && "<>=^".indexOf(text.charAt(first)) >= 0) {
                    fill = text.substring(0, first);
                    align = text.charAt(first);
                    i = first + 1;
                } else if ("<>=^".indexOf(text.charAt(0)) >= 0) {
                    align = text.charAt(0);
                    i = 1;
                }
            }
            if (i < text.length() && "+- ".indexOf(text.charAt(i)) >= 0) {
                sign = text.charAt(i++);
            }
            if (i < text.length() && text.charAt(i) == '#') {
                alternate = true;
                i++;
            }
            if (i < text.length() && text.charAt(i) == '0') {
                if (align == 0) {
                    fill = "0";
                    align = '=';
                }
                i++;
            }
            while (i < text.length() && isDigit(text.charAt(i))) {
                width = Math.min(100_000_000, width * 10 + text.charAt(i++) - '0');
            }
            if (i < text.length() && (text.charAt(i) == ',' || text.charAt(i) == '_')) {
                grouping = text.charAt(i++);
            }
            if (i < text.length() && text.charAt(i) == '.') {
                i++;
                precision = 0;
                if (i >= text.length() || !isDigit(text.charAt(i))) {
                    throw TemplateException.runtime("Format specifier missing precision");
                }
                while (i < text.length() && isDigit(text.charAt(i))) {
                    precision = Math.min(100_000_000, precision * 10 + text.charAt(i++) - '0');
                }
            }
            if (i < text.length()) {
                type = text.charAt(i++);
            }
            if (i < text.length()) {
                throw TemplateException.runtime("Invalid format specifier " + Text.repr(text));
            }
        }

        private static boolean isDigit(char c) {
            return c >= '0' && c <= '9';
        }

        String apply(Object value) {
            String text = Values.textOrNull(value);
            if (text == null && Numbers.isNumber(value) && !(value instanceof Boolean && type == 0)) {
                return number(value);
            }
            if (text == null) {
                text = Values.str(r, value);
                if (!(value instanceof Boolean) && (width > 0 || type != 0 || precision >= 0)) {
                    throw TemplateException.runtime(
                            "unsupported format string passed to " + Values.typeName(value) + ".__format__");
                }
            }
            if (type != 0 && type != 's') {
                throw TemplateException.runtime("Unknown format code '" + type + "' for object of type 'str'");
            }
            if (precision >= 0 && precision < Text.length(text)) {
                text = text.substring(0, Text.offset(text, precision));
            }
            if (align == '=') {
                throw TemplateException.runtime("'=' alignment not allowed in string format specifier");
            }
            return aligned("", text, align == 0 ? '<' : align);
        }

        private String number(Object value) {
            BigInteger whole = Numbers.whole(value);
            boolean asWhole = whole != null && (type == 0 || "dxXobcn".indexOf(type) >= 0);
            boolean negative;
            String digits;
            if (asWhole && whole != null) {
                if (type == 'c') {
                    return aligned("", Character.toString(whole.intValueExact()), align == 0 ? '<' : align);
                }
                negative = whole.signum() < 0;
                int radix = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
                digits = whole.abs().toString(radix);
                if (grouping != 0) {
                    digits = grouped(digits, radix == 10 ? 3 : 4);
                }
                if (alternate && radix != 10) {
                    digits = "0" + type + digits;
                }
                digits = type == 'X' ? Text.upper(digits) : digits;
            } else {
                if (type != 0 && "eEfFgG%n".indexOf(type) < 0) {
                    throw TemplateException.runtime(
                            "Unknown format code '" + type + "' for object of type '" + Values.typeName(value) + "'");
                }
                double number = Numbers.asDouble(value);
                negative = number < 0 || (number == 0 && 1 / number < 0);
                digits = floating(Math.abs(number));
            }
            r.made(digits);
            String signText = negative ? "-" : sign == '-' ? "" : String.valueOf(sign);
            return aligned(signText, digits, align == 0 ? '>' : align);
        }

        private String floating(double magnitude) {
            String digits;
            if (type == 0 && precision < 0) {
                digits = FloatText.repr(magnitude);
            } else if (type == '%') {
                digits = FloatText.format(magnitude * 100, 'f', precision < 0 ? 6 : precision, alternate) + "%";
            } else if (type == 0) {
                digits = FloatText.format(magnitude, 'g', precision, alternate);
                if (digits.indexOf('.') < 0 && digits.indexOf('e') < 0 && digits.indexOf('n') < 0) {
                    digits = digits + ".0";
                }
            } else {
                char style = type == 'n' ? 'g' : Character.toLowerCase(type);
                digits = FloatText.format(magnitude, style, precision < 0 ? 6 : precision, alternate);
            }
            if (grouping != 0) {
                int end = 0;
                while (end < digits.length() && isDigit(digits.charAt(end))) {
                    end++;
                }
                digits = grouped(digits.substring(0, end), 3) + digits.substring(end);
            }
            return Character.isUpperCase(type) ? Text.upper(digits) : digits;
        }

        private String grouped(String digits, int size) {
            StringBuilder out = new StringBuilder();
            for (int i = 0; i < digits.length(); i++) {
                if (i > 0 && (digits.length() - i) % size == 0) {
                    out.append(grouping);
                }
                out.append(digits.charAt(i));
            }
            return out.toString();
        }

        private String aligned(String signText, String text, char side) {
            int missing = width - Text.length(text) - signText.length();
            if (missing <= 0) {
                return signText + text;
            }
            return switch (side) {
                case '<' -> signText + text + Values.repeat(r, fill, missing);
                case '^' ->
                    Values.repeat(r, fill, missing / 2)
                            + signText
                            + text
                            + Values.repeat(r, fill, missing - missing / 2);
                case '=' -> signText + Values.repeat(r, fill, missing) + text;
                default -> Values.repeat(r, fill, missing) + signText + text;
            };
        }
    }
}
