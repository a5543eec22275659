package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A node that has a value. */
abstract sealed class Expression {
    /** Nodes in one another that a template may have. */
    static final int MAX_DEPTH = 200;

    private final Expression[] children;
    final int line;
    /** Nodes from here to the deepest one below. */
    final int depth;

    private Expression(int line, Expression... children) {
        this.line = line;
        this.children = children;
        int deepest = 0;
        for (Expression child : children) {
            deepest = Math.max(deepest, child.depth);
        }
        this.depth = deepest + 1;
        if (depth > MAX_DEPTH) {
            throw new TemplateException(
                    TemplateException.Kind.LIMIT, line, "an expression nests more than " + MAX_DEPTH + " levels deep");
        }
    }

    abstract Object evaluate(Rendering r, Activation a);

    void collect(Scope scope) {
        for (Expression child : children) {
            child.collect(scope);
        }
    }

    void bind(Scope scope) {
        for (Expression child : children) {
            child.bind(scope);
        }
    }

    static final class Constant extends Expression {
        private final Object value;

        Constant(int line, Object value) {
            super(line);
            this.value = value;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            return value;
        }
    }

    static final class Name extends Expression {
        final String name;
        private final Undefined undefined;
        private int hops;
        private int slot;

        Name(int line, String name) {
            super(line);
            this.name = name;
            this.undefined = Undefined.name(name);
        }

        @Override
        void collect(Scope scope) {
            scope.load(name);
        }

        @Override
        void bind(Scope scope) {
            Scope.Place place = scope.place(name);
            hops = place.hops();
            slot = place.slot();
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = (hops == 0 ? a : a.outward(hops)).slots[slot];
            return value == Rendering.MISSING ? undefined : value;
        }
    }

    static final class ListLiteral extends Expression {
        private final Expression[] items;

        ListLiteral(int line, Expression[] items) {
            super(line, items);
            this.items = items;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            return evaluateAll(items, r, a);
        }
    }

    static final class TupleLiteral extends Expression {
        private final Expression[] items;

        TupleLiteral(int line, Expression[] items) {
            super(line, items);
            this.items = items;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            return new Tuple(evaluateAll(items, r, a));
        }
    }

    private static List<Object> evaluateAll(Expression[] items, Rendering r, Activation a) {
        r.reserve(32 + 8L * items.length);
        List<Object> values = new ArrayList<>(items.length);
        for (Expression item : items) {
            values.add(item.evaluate(r, a));
        }
        return values;
    }

    static final class DictLiteral extends Expression {
        private final Expression[] keysAndValues;

        DictLiteral(int line, Expression[] keysAndValues) {
            super(line, keysAndValues);
            this.keysAndValues = keysAndValues;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.reserve(64 + 8L * keysAndValues.length);
            Dict dict = new Dict(keysAndValues.length / 2);
            for (int i = 0; i < keysAndValues.length; i += 2) {
                Object key = keysAndValues[i].evaluate(r, a);
                dict.put(key, keysAndValues[i + 1].evaluate(r, a));
            }
            return dict;
        }
    }

    static final class Attribute extends Expression {
        private final Expression owner;
        private final String name;

        Attribute(int line, Expression owner, String name) {
            super(line, owner);
            this.owner = owner;
            this.name = name;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = owner.evaluate(r, a);
            r.line = line;
            return Access.attribute(r, value, name);
        }
    }

    static final class Item extends Expression {
        private final Expression owner;
        private final Expression index;

        Item(int line, Expression owner, Expression index) {
            super(line, owner, index);
            this.owner = owner;
            this.index = index;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = owner.evaluate(r, a);
            Object at = index.evaluate(r, a);
            r.line = line;
            return Access.item(r, value, at);
        }
    }

    static final class Slice extends Expression {
        private final Expression owner;
        private final Expression start;
        private final Expression stop;
        private final Expression step;

        Slice(int line, Expression owner, Expression start, Expression stop, Expression step) {
            super(line, owner, start, stop, step);
            this.owner = owner;
            this.start = start;
            this.stop = stop;
            this.step = step;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = owner.evaluate(r, a);
            Object from = start.evaluate(r, a);
            Object to = stop.evaluate(r, a);
            Object by = step.evaluate(r, a);
            r.line = line;
            return Access.slice(r, value, from, to, by);
        }
    }

    /** The arguments of a call as they are written. */
    static final class CallArguments {
        private final Expression[] positional;
        private final String[] names;
        private final Expression[] named;
        private final @Nullable Expression star;
        private final @Nullable Expression doubleStar;

        CallArguments(
                Expression[] positional,
                String[] names,
                Expression[] named,
                @Nullable Expression star,
                @Nullable Expression doubleStar) {
            this.positional = positional;
            this.names = names;
            this.named = named;
            this.star = star;
            this.doubleStar = doubleStar;
        }

        private Expression[] with(Expression first) {
            List<Expression> all = new ArrayList<>();
            all.add(first);
            all.addAll(List.of(positional));
            all.addAll(List.of(named));
            if (star != null) {
                all.add(star);
            }
            if (doubleStar != null) {
                all.add(doubleStar);
            }
            return all.toArray(new Expression[0]);
        }

        Arguments evaluate(Rendering r, Activation a) {
            if (positional.length == 0 && named.length == 0 && star == null && doubleStar == null) {
                return Arguments.NONE;
            }
            Object[] values = new Object[positional.length];
            for (int i = 0; i < values.length; i++) {
                values[i] = positional[i].evaluate(r, a);
            }
            Object[] namedValues = new Object[named.length];
            for (int i = 0; i < namedValues.length; i++) {
                namedValues[i] = named[i].evaluate(r, a);
            }
            Arguments arguments = new Arguments(values, names, namedValues);
            return star == null && doubleStar == null ? arguments : spread(arguments, r, a);
        }

        private Arguments spread(Arguments written, Rendering r, Activation a) {
            List<Object> values = new ArrayList<>(List.of(written.positional()));
            if (star != null) {
                for (Iterator<Object> rest = Values.iterate(r, star.evaluate(r, a)); rest.hasNext(); ) {
                    r.step();
                    values.add(rest.next());
                }
            }
            List<String> allNames = new ArrayList<>(List.of(written.names()));
            List<Object> namedValues = new ArrayList<>(List.of(written.named()));
            if (doubleStar != null) {
                if (!(doubleStar.evaluate(r, a) instanceof Dict dict)) {
                    throw TemplateException.runtime("the argument after ** must be a mapping");
                }
                for (Object item : dict.itemList()) {
                    r.step();
                    Tuple pair = (Tuple) item;
                    if (!(pair.items().get(0) instanceof String name)) {
                        throw TemplateException.runtime("keywords must be strings");
                    }
                    if (allNames.contains(name)) {
                        throw TemplateException.runtime("multiple values for keyword argument '" + name + "'");
                    }
                    allNames.add(name);
                    namedValues.add(pair.items().get(1));
                }
            }
            return new Arguments(values.toArray(), allNames.toArray(new String[0]), namedValues.toArray());
        }
    }

    static final class Call extends Expression {
        private final Expression function;
        private final CallArguments arguments;

        Call(int line, Expression function, CallArguments arguments) {
            super(line, arguments.with(function));
            this.function = function;
            this.arguments = arguments;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object callee = function.evaluate(r, a);
            Arguments values = arguments.evaluate(r, a);
            r.line = line;
            return Calls.call(r, callee, values);
        }

        /** The same call with the body of a call block as its {@code caller}. */
        Object evaluate(Rendering r, Activation a, MacroValue caller) {
            Object callee = function.evaluate(r, a);
            Arguments values = arguments.evaluate(r, a);
            List<String> names = new ArrayList<>(List.of(values.names()));
            List<Object> named = new ArrayList<>(List.of(values.named()));
            names.add("caller");
            named.add(caller);
            r.line = line;
            return Calls.call(
                    r, callee, new Arguments(values.positional(), names.toArray(new String[0]), named.toArray()));
        }
    }

    static final class FilterCall extends Expression {
        private final Expression input;
        private final String name;
        private final CallArguments arguments;

        FilterCall(int line, Expression input, String name, CallArguments arguments) {
            super(line, arguments.with(input));
            this.input = input;
            this.name = name;
            this.arguments = arguments;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = input.evaluate(r, a);
            Arguments values = arguments.evaluate(r, a);
            r.line = line;
            return Filters.apply(r, name, value, values);
        }
    }

    static final class TestCall extends Expression {
        private final Expression input;
        private final String name;
        private final CallArguments arguments;

        TestCall(int line, Expression input, String name, CallArguments arguments) {
            super(line, arguments.with(input));
            this.input = input;
            this.name = name;
            this.arguments = arguments;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = input.evaluate(r, a);
            Arguments values = arguments.evaluate(r, a);
            r.line = line;
            return Tests.holds(r, name, value, values);
        }
    }

    static final class Negative extends Expression {
        private final Expression operand;
        private final boolean negate;

        Negative(int line, Expression operand, boolean negate) {
            super(line, operand);
            this.operand = operand;
            this.negate = negate;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object value = operand.evaluate(r, a);
            r.line = line;
            return negate ? Numbers.negate(value) : Numbers.plus(value);
        }
    }

    static final class Binary extends Expression {
        enum Operator {
            ADD,
            SUBTRACT,
            MULTIPLY,
            DIVIDE,
            FLOOR_DIVIDE,
            MODULO,
            POWER
        }

        private final Operator operator;
        private final Expression left;
        private final Expression right;

        Binary(int line, Operator operator, Expression left, Expression right) {
            super(line, left, right);
            this.operator = operator;
            this.left = left;
            this.right = right;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object x = left.evaluate(r, a);
            Object y = right.evaluate(r, a);
            r.line = line;
            return switch (operator) {
                case ADD -> Values.add(r, x, y);
                case SUBTRACT -> Numbers.subtract(x, y);
                case MULTIPLY -> Values.multiply(r, x, y);
                case DIVIDE -> Numbers.divide(x, y);
                case FLOOR_DIVIDE -> Numbers.floorDivide(x, y);
                case MODULO -> Values.modulo(r, x, y);
                case POWER -> Numbers.power(x, y);
            };
        }
    }

    static final class Compare extends Expression {
        enum Relation {
            EQUAL,
            NOT_EQUAL,
            LESS,
            LESS_OR_EQUAL,
            GREATER,
            GREATER_OR_EQUAL,
            IN,
            NOT_IN
        }

        private final Relation[] operators;
        private final Expression[] operands;

        /** A chain: {@code operands[0] operators[0] operands[1] operators[1] operands[2] …}. */
        Compare(int line, Relation[] operators, Expression[] operands) {
            super(line, operands);
            this.operators = operators;
            this.operands = operands;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            Object left = operands[0].evaluate(r, a);
            for (int i = 0; i < operators.length; i++) {
                Object right = operands[i + 1].evaluate(r, a);
                r.line = line;
                if (!holds(r, operators[i], left, right)) {
                    return false;
                }
                left = right;
            }
            return true;
        }

        private static boolean holds(Rendering r, Relation operator, Object x, Object y) {
            return switch (operator) {
                case EQUAL -> Values.equal(r, x, y);
                case NOT_EQUAL -> !Values.equal(r, x, y);
                case LESS -> Values.less(r, x, y, "<");
                case LESS_OR_EQUAL -> Values.lessOrEqual(r, x, y, "<=");
                case GREATER -> Values.less(r, y, x, ">");
                case GREATER_OR_EQUAL -> Values.lessOrEqual(r, y, x, ">=");
                case IN -> Values.contains(r, y, x);
                case NOT_IN -> !Values.contains(r, y, x);
            };
        }
    }

    static final class Concat extends Expression {
        private final Expression[] parts;

        Concat(int line, Expression[] parts) {
            super(line, parts);
            this.parts = parts;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            StringBuilder text = new StringBuilder();
            for (Expression part : parts) {
                text.append(r.made(Values.str(r, part.evaluate(r, a))));
            }
            return text.toString();
        }
    }

    static final class And extends Expression {
        private final Expression left;
        private final Expression right;

        And(int line, Expression left, Expression right) {
            super(line, left, right);
            this.left = left;
            this.right = right;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            Object value = left.evaluate(r, a);
            return Values.truth(value) ? right.evaluate(r, a) : value;
        }
    }

    static final class Or extends Expression {
        private final Expression left;
        private final Expression right;

        Or(int line, Expression left, Expression right) {
            super(line, left, right);
            this.left = left;
            this.right = right;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            Object value = left.evaluate(r, a);
            return Values.truth(value) ? value : right.evaluate(r, a);
        }
    }

    static final class Not extends Expression {
        private final Expression operand;

        Not(int line, Expression operand) {
            super(line, operand);
            this.operand = operand;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            return !Values.truth(operand.evaluate(r, a));
        }
    }

    static final class Conditional extends Expression {
        private final Expression test;
        private final Expression then;
        private final Expression otherwise;

        Conditional(int line, Expression test, Expression then, Expression otherwise) {
            super(line, test, then, otherwise);
            this.test = test;
            this.then = then;
            this.otherwise = otherwise;
        }

        @Override
        Object evaluate(Rendering r, Activation a) {
            r.step();
            return Values.truth(test.evaluate(r, a)) ? then.evaluate(r, a) : otherwise.evaluate(r, a);
        }
    }
}
