package dev.puna.tokenizer.template;

import java.time.LocalDateTime;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;

/** The functions that every template finds: jinja2's own, and the two that transformers adds. */
enum GlobalFunction {
    RANGE,
    DICT,
    NAMESPACE,
    CYCLER,
    JOINER,
    RAISE_EXCEPTION,
    STRFTIME_NOW;

    static @Nullable GlobalFunction named(String name) {
        return switch (name) {
            case "range" -> RANGE;
            case "dict" -> DICT;
            case "namespace" -> NAMESPACE;
            case "cycler" -> CYCLER;
            case "joiner" -> JOINER;
            case "raise_exception" -> RAISE_EXCEPTION;
            case "strftime_now" -> STRFTIME_NOW;
            default -> null;
        };
    }

    Object call(Rendering r, Arguments arguments) {
        return switch (this) {
            case RANGE -> range(arguments);
            case DICT -> dict(r, arguments);
            case NAMESPACE -> new Namespace(dict(r, arguments));
            case CYCLER -> new Cycler(arguments);
            case JOINER -> new Joiner(Arguments.or(arguments.bind("joiner", 0, "sep")[0], ", "));
            case RAISE_EXCEPTION -> {
                Object message = arguments.bind("raise_exception", 1, "message")[0];
                throw new TemplateException(TemplateException.Kind.RAISED, r.line, Values.str(r, message));
            }
            case STRFTIME_NOW -> {
                String format = Values.textOrNull(arguments.bind("strftime_now", 1, "format")[0]);
                if (format == null) {
                    throw TemplateException.runtime("strftime_now() expects a format string");
                }
                yield r.made(Strftime.format(format, LocalDateTime.now(r.clock())));
            }
        };
    }

    private static Range range(Arguments arguments) {
        Object[] values = arguments.positional();
        if (values.length == 0 || values.length > 3 || arguments.named().length > 0) {
            throw TemplateException.runtime("range() takes one to three numbers");
        }
        long[] numbers = new long[values.length];
        for (int i = 0; i < values.length; i++) {
            java.math.BigInteger whole = Numbers.requireWhole(values[i]);
            if (whole.bitLength() > 62) {
                throw TemplateException.limit("a bound of range() has more than 62 bits");
            }
            numbers[i] = whole.longValue();
        }
        return values.length == 1
                ? Range.of(0, numbers[0], 1)
                : Range.of(numbers[0], numbers[1], values.length == 3 ? numbers[2] : 1);
    }

    private static Dict dict(Rendering r, Arguments arguments) {
        if (arguments.positional().length > 1) {
            throw TemplateException.runtime("dict expected at most 1 argument, got " + arguments.positional().length);
        }
        r.reserve(64 + 8L * arguments.size());
        Dict dict = new Dict();
        if (arguments.positional().length == 1) {
            if (arguments.positional()[0] instanceof Dict source) {
                r.reserve(8L * source.size());
                dict.putAll(source);
            } else {
                for (Iterator<Object> pairs = Values.iterate(r, arguments.positional()[0]); pairs.hasNext(); ) {
                    java.util.List<Object> pair = Values.list(r, pairs.next());
                    if (pair.size() != 2) {
                        throw TemplateException.runtime(
                                "dictionary update sequence element has length " + pair.size() + "; 2 is required");
                    }
                    dict.put(pair.get(0), pair.get(1));
                }
            }
        }
        for (int i = 0; i < arguments.names().length; i++) {
            dict.put(arguments.names()[i], arguments.named()[i]);
        }
        return dict;
    }

    /** {@code cycler(a, b, …)}: gives its values in turn. */
    static final class Cycler {
        private final Object[] values;
        private int position;

        private Cycler(Arguments arguments) {
            values = arguments.positional();
            if (values.length == 0 || arguments.named().length > 0) {
                throw TemplateException.runtime("cycler() takes one value or more");
            }
        }

        @Nullable
        Object attribute(String name) {
            return switch (name) {
                case "current" -> values[position];
                case "next", "reset" -> new BoundMethod(this, name);
                default -> null;
            };
        }

        Object call(String method) {
            if (method.equals("reset")) {
                position = 0;
                return None.NONE;
            }
            Object value = values[position];
            position = (position + 1) % values.length;
            return value;
        }
    }

    /** {@code joiner(separator)}: nothing at its first call, then the separator. */
    static final class Joiner {
        private final Object separator;
        private boolean used;

        private Joiner(Object separator) {
            this.separator = separator;
        }

        Object call() {
            boolean first = !used;
            used = true;
            return first ? "" : separator;
        }
    }
}
