package dev.puna.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What a verb takes: declared once in the verb's fields, parsed here, shown by {@code --help}. Options may stand before
 * and after arguments, as {@code --name value} or {@code --name=value}; {@code --} ends them; an option given twice is
 * an error unless it was declared as a list.
 *
 * <p>Why not a library: docs/decisions/0004-own-option-parser.md.
 */
final class Options {
    private static final int HELP_COLUMN = 26;

    private final Map<String, Value<?>> byName = new LinkedHashMap<>();
    private final List<Value<?>> options = new ArrayList<>();
    private final List<Value<?>> arguments = new ArrayList<>();
    private boolean helpWanted;

    /**
     * One option or argument, and after {@link #parse} what was given for it.
     *
     * @param <T> what the text is read as
     */
    static final class Value<T> {
        private final List<String> names;
        private final String label;
        private final String description;
        private final Function<String, T> reader;
        private final boolean repeatable;
        private final List<T> given = new ArrayList<>();
        private boolean required;

        private Value(
                List<String> names, String label, String description, Function<String, T> reader, boolean repeatable) {
            this.names = names;
            this.label = label;
            this.description = description;
            this.reader = reader;
            this.repeatable = repeatable;
        }

        /** Makes its absence an error. */
        Value<T> required() {
            required = true;
            return this;
        }

        boolean isGiven() {
            return !given.isEmpty();
        }

        Optional<T> value() {
            return given.isEmpty() ? Optional.empty() : Optional.of(given.getFirst());
        }

        T or(T otherwise) {
            return given.isEmpty() ? otherwise : given.getFirst();
        }

        /** The value of a required option or argument. */
        T get() {
            return given.getFirst();
        }

        /** All values of an option that may be repeated. */
        List<T> all() {
            return List.copyOf(given);
        }

        private String shown() {
            return names.isEmpty() ? label : names.getLast();
        }

        private boolean isFlag() {
            return label.isEmpty();
        }

        private void add(String text) {
            if (!given.isEmpty() && !repeatable) {
                throw new UsageException(shown() + " is given twice");
            }
            try {
                given.add(reader.apply(text));
            } catch (NumberFormatException e) {
                throw new UsageException(shown() + ": expected a number, found '" + text + "'");
            } catch (IllegalArgumentException e) {
                throw new UsageException(shown() + ": " + e.getMessage());
            }
        }
    }

    /** A positional argument; they are filled in the order of their declaration. */
    Value<String> argument(String label, String description) {
        Value<String> value = new Value<>(List.of(), label, description, text -> text, false);
        arguments.add(value);
        return value;
    }

    /** The last arguments, any number of them. */
    Value<String> arguments(String label, String description) {
        Value<String> value = new Value<>(List.of(), label, description, text -> text, true);
        arguments.add(value);
        return value;
    }

    /** @param names separated by a comma, the one to show last: {@code "-p,--prompt"} */
    Value<Boolean> flag(String names, String description) {
        return option(names, "", description, text -> true, false);
    }

    Value<String> text(String names, String label, String description) {
        return option(names, label, description, text -> text, false);
    }

    /** Text that may be given several times. */
    Value<String> texts(String names, String label, String description) {
        return option(names, label, description, text -> text, true);
    }

    Value<Integer> integer(String names, String label, String description, int smallest) {
        return integer(names, label, description, smallest, Integer.MAX_VALUE);
    }

    Value<Integer> integer(String names, String label, String description, int smallest, int largest) {
        return option(
                names,
                label,
                description,
                text -> {
                    int number = Integer.parseInt(text);
                    if (number < smallest) {
                        throw new IllegalArgumentException("must be at least " + smallest + ", found " + number);
                    }
                    if (number > largest) {
                        throw new IllegalArgumentException("must be at most " + largest + ", found " + number);
                    }
                    return number;
                },
                false);
    }

    Value<Long> wholeNumber(String names, String label, String description) {
        return option(names, label, description, Long::parseLong, false);
    }

    Value<Double> number(String names, String label, String description, double smallest, double largest) {
        return option(
                names,
                label,
                description,
                text -> {
                    double number = Double.parseDouble(text);
                    if (!(number >= smallest && number <= largest)) {
                        throw new IllegalArgumentException(
                                "must be between " + trim(smallest) + " and " + trim(largest) + ", found " + text);
                    }
                    return number;
                },
                false);
    }

    /** One of a closed list of words, case not minded. */
    Value<String> choice(String names, String label, String description, List<String> choices) {
        return option(
                names,
                label,
                description,
                text -> choices.stream()
                        .filter(choice -> choice.equalsIgnoreCase(text))
                        .findFirst()
                        .orElseThrow(() -> new IllegalArgumentException(
                                "must be one of " + String.join(", ", choices) + "; found '" + text + "'")),
                false);
    }

    private <T> Value<T> option(
            String names, String label, String description, Function<String, T> reader, boolean repeatable) {
        Value<T> value = new Value<>(List.of(names.split(",")), label, description, reader, repeatable);
        options.add(value);
        for (String name : value.names) {
            byName.put(name, value);
        }
        return value;
    }

    /** @throws UsageException if the arguments do not fit */
    void parse(List<String> words) {
        int next = 0;
        boolean onlyArguments = false;
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (onlyArguments || word.equals("-") || !word.startsWith("-")) {
                if (next == arguments.size()) {
                    throw new UsageException("unexpected argument '" + word + "'");
                }
                Value<?> argument = arguments.get(next);
                argument.add(word);
                next += argument.repeatable ? 0 : 1;
            } else if (word.equals("--")) {
                onlyArguments = true;
            } else if (word.equals("--help") || word.equals("-h")) {
                helpWanted = true;
                return;
            } else {
                int equals = word.startsWith("--") ? word.indexOf('=') : -1;
                String name = equals < 0 ? word : word.substring(0, equals);
                Value<?> value = byName.get(name);
                if (value == null) {
                    throw new UsageException("unknown option '" + name + "'" + Similar.hint(name, byName.keySet()));
                }
                if (value.isFlag()) {
                    if (equals >= 0) {
                        throw new UsageException(name + " takes no value");
                    }
                    value.add(name);
                } else if (equals >= 0) {
                    value.add(word.substring(equals + 1));
                } else if (i + 1 < words.size()) {
                    value.add(words.get(++i));
                } else {
                    throw new UsageException(name + " needs a value: " + name + " " + value.label);
                }
            }
        }
        for (List<Value<?>> group : List.of(arguments, options)) {
            for (Value<?> value : group) {
                if (value.required && !value.isGiven()) {
                    throw new UsageException(
                            value.names.isEmpty()
                                    ? "names no " + value.label
                                    : "needs " + value.shown() + " " + value.label);
                }
            }
        }
    }

    /** Whether {@code --help} was among the words; nothing else is checked then. */
    boolean helpWanted() {
        return helpWanted;
    }

    /** {@code Usage: puna run MODEL -p PROMPT [options]}. */
    String usage(String verb) {
        StringBuilder line = new StringBuilder("Usage: puna ").append(verb);
        for (Value<?> argument : arguments) {
            line.append(' ').append(argument.required ? argument.label : "[" + argument.label + "]");
            line.append(argument.repeatable ? " …" : "");
        }
        for (Value<?> option : options) {
            if (option.required) {
                line.append(' ').append(option.names.getFirst()).append(' ').append(option.label);
            }
        }
        return line.append(" [options]").toString();
    }

    /** Arguments and options with their descriptions, {@code columns} wide. */
    String table(int columns) {
        StringBuilder table = new StringBuilder();
        for (Value<?> argument : arguments) {
            row(table, "  " + argument.label, argument.description, columns);
        }
        for (Value<?> option : options) {
            String names = option.names.stream()
                    .map(name -> option.names.size() == 1 && name.startsWith("--") ? "    " + name : name)
                    .collect(Collectors.joining(", "));
            row(table, "  " + names + (option.isFlag() ? "" : " " + option.label), option.description, columns);
        }
        row(table, "  -h, --help", "Show this.", columns);
        return table.toString();
    }

    private static void row(StringBuilder table, String left, String description, int columns) {
        StringBuilder line = new StringBuilder(left);
        if (left.length() >= HELP_COLUMN - 1) {
            table.append(line).append('\n');
            line.setLength(0);
        }
        for (String word : description.split(" ")) {
            if (line.length() + 1 + word.length() > columns && line.length() > HELP_COLUMN) {
                table.append(line.toString().stripTrailing()).append('\n');
                line.setLength(0);
            }
            while (line.length() < HELP_COLUMN) {
                line.append(' ');
            }
            line.append(word).append(' ');
        }
        table.append(line.toString().stripTrailing()).append('\n');
    }

    private static String trim(double number) {
        return number == Math.rint(number) ? String.format(Locale.ROOT, "%.0f", number) : Double.toString(number);
    }
}
