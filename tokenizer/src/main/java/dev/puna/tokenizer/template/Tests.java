package dev.puna.tokenizer.template;

import java.math.BigInteger;

/** The tests that follow {@code is}. */
final class Tests {
    private Tests() {}

    static boolean knows(String name) {
        return switch (name) {
            case "odd",
                    "even",
                    "divisibleby",
                    "defined",
                    "undefined",
                    "filter",
                    "test",
                    "none",
                    "boolean",
                    "false",
                    "true",
                    "integer",
                    "float",
                    "lower",
                    "upper",
                    "string",
                    "mapping",
                    "number",
                    "sequence",
                    "iterable",
                    "callable",
                    "sameas",
                    "escaped",
                    "in",
                    "==",
                    "eq",
                    "equalto",
                    "!=",
                    "ne",
                    ">",
                    "gt",
                    "greaterthan",
                    "ge",
                    ">=",
                    "<",
                    "lt",
                    "lessthan",
                    "<=",
                    "le" -> true;
            default -> false;
        };
    }

    static boolean holds(Rendering r, String name, Object value, Arguments arguments) {
        return switch (name) {
            case "divisibleby" -> {
                Object divisor = arguments.bind(name, 1, "num")[0];
                yield Values.equal(r, Values.modulo(r, value, divisor), 0L);
            }
            case "sameas" -> {
                yield same(value, arguments.bind(name, 1, "other")[0]);
            }
            case "in" -> {
                yield Values.contains(r, arguments.bind(name, 1, "seq")[0], value);
            }
            case "==", "eq", "equalto" -> {
                yield Values.equal(r, value, other(name, arguments));
            }
            case "!=", "ne" -> {
                yield !Values.equal(r, value, other(name, arguments));
            }
            case ">", "gt", "greaterthan" -> {
                yield Values.less(r, other(name, arguments), value, ">");
            }
            case ">=", "ge" -> {
                yield Values.lessOrEqual(r, other(name, arguments), value, ">=");
            }
            case "<", "lt", "lessthan" -> {
                yield Values.less(r, value, other(name, arguments), "<");
            }
            case "<=", "le" -> {
                yield Values.lessOrEqual(r, value, other(name, arguments), "<=");
            }
            default -> {
                if (arguments.size() > 0) {
                    throw TemplateException.runtime("the test '" + name + "' takes no arguments");
                }
                yield holds(r, name, value);
            }
        };
    }

    private static Object other(String name, Arguments arguments) {
        return arguments.bind(name, 1, "other")[0];
    }

    private static boolean holds(Rendering r, String name, Object value) {
        return switch (name) {
            case "odd" -> Values.equal(r, Values.modulo(r, value, 2L), 1L);
            case "even" -> Values.equal(r, Values.modulo(r, value, 2L), 0L);
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "filter" -> value instanceof String filter && Filters.knows(filter);
            case "test" -> value instanceof String test && knows(test);
            case "none" -> value == None.NONE;
            case "boolean" -> value instanceof Boolean;
            case "false" -> value instanceof Boolean truth && !truth;
            case "true" -> value instanceof Boolean truth && truth;
            case "integer" -> value instanceof Long || value instanceof BigInteger;
            case "float" -> value instanceof Double;
            case "lower" -> Text.isCase(r.made(Values.str(r, value)), false);
            case "upper" -> Text.isCase(r.made(Values.str(r, value)), true);
            case "string" -> value instanceof String || value instanceof Markup;
            case "mapping" -> value instanceof Dict;
            case "number" -> Numbers.isNumber(value);
            case "sequence" -> isSequence(value);
            case "iterable" -> Values.isIterable(value);
            case "callable" -> isCallable(value);
            case "escaped" -> value instanceof Markup;
            default -> throw TemplateException.runtime("the test '" + name + "' misses its argument");
        };
    }

    private static boolean isSequence(Object value) {
        return Values.lengthIfKnown(value) >= 0 && !(value instanceof DictView);
    }

    private static boolean isCallable(Object value) {
        return value instanceof BoundMethod
                || value instanceof MacroValue
                || value instanceof GlobalFunction
                || value instanceof GlobalFunction.Joiner
                || value instanceof Loop
                || value instanceof Undefined;
    }

    /** Python's {@code is}: small numbers, truth values and None are single objects there. */
    @SuppressWarnings("ReferenceEquality") // identity is the question
    private static boolean same(Object x, Object y) {
        if (x instanceof Long a && y instanceof Long b) {
            return a.equals(b);
        }
        if (x instanceof Boolean a && y instanceof Boolean b) {
            return a.equals(b);
        }
        if (x instanceof String a && y instanceof String b) {
            return a.equals(b);
        }
        return x == y;
    }
}
