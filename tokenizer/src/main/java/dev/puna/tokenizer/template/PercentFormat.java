package dev.puna.tokenizer.template;

import java.math.BigInteger;
import java.util.List;

/** {@code "%s: %d" % values}, as Python formats it. */
final class PercentFormat {
    private final Rendering r;
    private final String format;
    private final Object values;
    private final boolean escaping;
    private final boolean single;
    private int used;

    private PercentFormat(Rendering r, String format, Object values, boolean escaping) {
        this.r = r;
        this.format = format;
        this.values = values;
        this.escaping = escaping;
        this.single = !(values instanceof Tuple);
    }

    /** With {@code escaping}, text that is put in is escaped as marked text wants it. */
    static String format(Rendering r, String format, Object values, boolean escaping) {
        return new PercentFormat(r, format, values, escaping).run();
    }

    private String run() {
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < format.length()) {
            int percent = format.indexOf('%', i);
            if (percent < 0) {
                percent = format.length();
            }
            r.reserve(percent - i + 1L);
            out.append(format, i, percent);
            i = percent == format.length() ? percent : directive(percent + 1, out);
        }
        int given = values instanceof Tuple tuple ? tuple.items().size() : 1;
        if (used < given
                && !(values instanceof Dict)
                && !(values instanceof List<?>)
                && !(values instanceof Undefined)) {
            throw TemplateException.runtime("not all arguments converted during string formatting");
        }
        return out.toString();
    }

    private char at(int i) {
        if (i >= format.length()) {
            throw TemplateException.runtime("incomplete format");
        }
        return format.charAt(i);
    }

    private Object next() {
        if (values instanceof Tuple tuple) {
            if (used < tuple.items().size()) {
                return tuple.items().get(used++);
            }
        } else if (single && used == 0) {
            used++;
            return values;
        }
        throw TemplateException.runtime("not enough arguments for format string");
    }

    private int directive(int start, StringBuilder out) {
        int i = start;
        Object keyed = Rendering.MISSING;
        if (at(i) == '(') {
            int end = format.indexOf(')', i);
            if (end < 0) {
                throw TemplateException.runtime("incomplete format key");
            }
            if (!(values instanceof Dict dict)) {
                throw TemplateException.runtime("format requires a mapping");
            }
            Object value = dict.get(format.substring(i + 1, end));
            if (value == null) {
                throw TemplateException.runtime("missing key " + Text.repr(format.substring(i + 1, end)));
            }
            keyed = value;
            i = end + 1;
        }
        String flags = "";
        while ("#0- +".indexOf(at(i)) >= 0) {
            flags += at(i++);
            if (flags.length() > 16) {
                throw TemplateException.runtime("too many flags in a format");
            }
        }
        int width = 0;
        if (at(i) == '*') {
            width = Numbers.index(next());
            i++;
        } else {
            while (at(i) >= '0' && at(i) <= '9') {
                width = Math.min(100_000_000, width * 10 + at(i++) - '0');
            }
        }
        int precision = -1;
        if (at(i) == '.') {
            i++;
            precision = 0;
            if (at(i) == '*') {
                precision = Math.max(0, Numbers.index(next()));
                i++;
            } else {
                while (at(i) >= '0' && at(i) <= '9') {
                    precision = Math.min(100_000_000, precision * 10 + at(i++) - '0');
                }
            }
        }
        while (at(i) == 'l' || at(i) == 'h' || at(i) == 'L') {
            i++;
        }
        char style = at(i);
        if (style == '%') {
            r.reserve(1);
            out.append('%');
            return i + 1;
        }
        Object value = keyed == Rendering.MISSING ? next() : keyed;
        String text = converted(value, style, flags, precision);
        boolean numeric = "diuxXoeEfFgG".indexOf(style) >= 0;
        int missing = Math.abs(width) - Text.length(text);
        r.reserve(text.length());
        if (missing <= 0) {
            out.append(text);
        } else if (width < 0 || flags.indexOf('-') >= 0) {
            out.append(text).append(Values.repeat(r, " ", missing));
        } else if (numeric && flags.indexOf('0') >= 0) {
            int sign = text.startsWith("-") || text.startsWith("+") || text.startsWith(" ") ? 1 : 0;
            if (text.startsWith("0x", sign) || text.startsWith("0X", sign) || text.startsWith("0o", sign)) {
                sign += 2;
            }
            out.append(text, 0, sign).append(Values.repeat(r, "0", missing)).append(text, sign, text.length());
        } else {
            out.append(Values.repeat(r, " ", missing)).append(text);
        }
        return i + 1;
    }

    private String converted(Object value, char style, String flags, int precision) {
        return switch (style) {
            case 's', 'r', 'a' -> {
                String text = style == 's' ? Values.str(r, value) : Values.repr(r, value);
                if (escaping) {
                    text = style == 's' ? Markup.escaped(r, value) : r.made(Markup.escape(text));
                }
                yield precision >= 0 && precision < Text.length(text)
                        ? text.substring(0, Text.offset(text, precision))
                        : text;
            }
            case 'c' -> {
                String text = Values.textOrNull(value);
                if (text != null && Text.length(text) == 1) {
                    yield text;
                }
                int c = text == null ? Numbers.index(value) : -1;
                if (!Character.isValidCodePoint(c)) {
                    throw TemplateException.runtime("%c requires int or char");
                }
                yield Character.toString(c);
            }
            case 'd', 'i', 'u', 'x', 'X', 'o' -> {
                yield wholeNumber(value, style, flags, precision);
            }
            case 'e', 'E', 'f', 'F', 'g', 'G' -> {
                if (!Numbers.isNumber(value)) {
                    throw Numbers.failure(value, "must be real number, not " + Values.typeName(value));
                }
                double number = Numbers.asDouble(value);
                String magnitude = FloatText.format(
                        Math.abs(number),
                        Character.toLowerCase(style),
                        precision < 0 ? 6 : precision,
                        flags.indexOf('#') >= 0);
                r.made(magnitude);
                boolean negative = number < 0 || (number == 0 && 1 / number < 0);
                String text = sign(negative, flags) + magnitude;
                yield Character.isUpperCase(style) ? Text.upper(text) : text;
            }
            default -> throw TemplateException.runtime("unsupported format character '" + style + "'");
        };
    }

    private String wholeNumber(Object value, char style, String flags, int precision) {
        BigInteger whole = Numbers.whole(value);
        if (whole == null && value instanceof Double number && (style == 'd' || style == 'i' || style == 'u')) {
            whole = Numbers.whole(Numbers.truncate(number));
        }
        if (whole == null) {
            throw Numbers.failure(
                    value,
                    "%" + style + " format: " + (style == 'd' ? "a real number" : "an integer") + " is required, not "
                            + Values.typeName(value));
        }
        int radix = style == 'x' || style == 'X' ? 16 : style == 'o' ? 8 : 10;
        String digits = whole.abs().toString(radix);
        if (precision > digits.length()) {
            digits = Values.repeat(r, "0", precision - digits.length()) + digits;
        }
        String prefix = flags.indexOf('#') < 0 || radix == 10 ? "" : radix == 16 ? "0x" : "0o";
        String text = sign(whole.signum() < 0, flags) + prefix + digits;
        return style == 'X' ? Text.upper(text) : text;
    }

    private static String sign(boolean negative, String flags) {
        return negative ? "-" : flags.indexOf('+') >= 0 ? "+" : flags.indexOf(' ') >= 0 ? " " : "";
    }
}
