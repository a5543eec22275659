package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A node that does something: writes, assigns, decides, repeats. */
abstract sealed class Statement {
    /** How a statement ended. */
    enum Flow {
        ON,
        BREAK,
        CONTINUE
    }

    private Statement() {}

    /** Collects the names that this statement uses in its own region; inner regions are left alone. */
    abstract void collect(Scope scope);

    /** Gives each name its slot, in inner regions too. */
    abstract void bind(Scope scope);

    abstract Flow execute(Rendering r, Activation a);

    /** Nodes from here to the deepest one below. */
    abstract int depth();

    /** Statements in a row. */
    static final class Body {
        private final Statement[] statements;
        private final int depth;

        Body(List<Statement> statements) {
            this.statements = statements.toArray(new Statement[0]);
            int deepest = 0;
            for (Statement statement : statements) {
                deepest = Math.max(deepest, statement.depth());
            }
            this.depth = deepest;
        }

        int depth() {
            return depth;
        }

        void collect(Scope scope) {
            for (Statement statement : statements) {
                statement.collect(scope);
            }
        }

        void bind(Scope scope) {
            for (Statement statement : statements) {
                statement.bind(scope);
            }
        }

        Flow execute(Rendering r, Activation a) {
            for (Statement statement : statements) {
                r.step();
                Flow flow = statement.execute(r, a);
                if (flow != Flow.ON) {
                    return flow;
                }
            }
            return Flow.ON;
        }

        /** Executes into a buffer and gives what was written. */
        String capture(Rendering r, Activation a) {
            StringBuilder previous = r.divert();
            execute(r, a);
            return r.restore(previous);
        }
    }

    static final class TextOutput extends Statement {
        private final String text;

        TextOutput(String text) {
            this.text = text;
        }

        @Override
        void collect(Scope scope) {}

        @Override
        void bind(Scope scope) {}

        @Override
        Flow execute(Rendering r, Activation a) {
            r.write(text);
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1;
        }
    }

    static final class Output extends Statement {
        private final Expression value;

        Output(Expression value) {
            this.value = value;
        }

        @Override
        void collect(Scope scope) {
            value.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            value.bind(scope);
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            r.line = value.line;
            r.write(Values.str(r, value.evaluate(r, a)));
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1 + value.depth;
        }
    }

    static final class Assign extends Statement {
        private final int line;
        private final Target target;
        private final Expression value;

        Assign(int line, Target target, Expression value) {
            this.line = line;
            this.target = target;
            this.value = value;
        }

        @Override
        void collect(Scope scope) {
            value.collect(scope);
            target.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            value.bind(scope);
            target.bind(scope);
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            Object result = value.evaluate(r, a);
            r.line = line;
            target.assign(r, a, result);
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1 + value.depth;
        }
    }

    /** {@code {% set x %}…{% endset %}}: the body's text, through filters if there are any. */
    static final class AssignBlock extends Statement {
        private final int line;
        private final Target target;
        private final Target captured;
        private final Expression filtered;
        private final Body body;
        private Scope.@Nullable Entrance entrance;

        AssignBlock(int line, Target target, Target captured, Expression filtered, Body body) {
            this.line = line;
            this.target = target;
            this.captured = captured;
            this.filtered = filtered;
            this.body = body;
        }

        @Override
        void collect(Scope scope) {
            target.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            target.bind(scope);
            Scope inner = scope.inner();
            captured.collectParameter(inner);
            body.collect(inner);
            filtered.collect(inner);
            captured.bind(inner);
            filtered.bind(inner);
            body.bind(inner);
            entrance = inner.entrance();
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            Objects.requireNonNull(entrance).enter(r, a);
            StringBuilder previous = r.divert();
            Flow flow = body.execute(r, a);
            String text = r.restore(previous);
            if (flow != Flow.ON) {
                return flow;
            }
            captured.assign(r, a, text);
            Object value = filtered.evaluate(r, a);
            r.line = line;
            target.assign(r, a, value);
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1 + Math.max(filtered.depth, body.depth());
        }
    }

    /** {@code {% filter f %}…{% endfilter %}}. */
    static final class FilterBlock extends Statement {
        private final Target captured;
        private final Expression filtered;
        private final Body body;
        private Scope.@Nullable Entrance entrance;

        FilterBlock(Target captured, Expression filtered, Body body) {
            this.captured = captured;
            this.filtered = filtered;
            this.body = body;
        }

        @Override
        void collect(Scope scope) {}

        @Override
        void bind(Scope scope) {
            Scope inner = scope.inner();
            captured.collectParameter(inner);
            body.collect(inner);
            filtered.collect(inner);
            captured.bind(inner);
            filtered.bind(inner);
            body.bind(inner);
            entrance = inner.entrance();
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            Objects.requireNonNull(entrance).enter(r, a);
            StringBuilder previous = r.divert();
            Flow flow = body.execute(r, a);
            String text = r.restore(previous);
            if (flow != Flow.ON) {
                return flow;
            }
            captured.assign(r, a, text);
            r.write(Values.str(r, filtered.evaluate(r, a)));
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1 + Math.max(filtered.depth, body.depth());
        }
    }

    static final class If extends Statement {
        private final Expression[] tests;
        private final Body[] bodies;
        private final @Nullable Body otherwise;
        private final int depth;

        If(List<Expression> tests, List<Body> bodies, @Nullable Body otherwise) {
            this.tests = tests.toArray(new Expression[0]);
            this.bodies = bodies.toArray(new Body[0]);
            this.otherwise = otherwise;
            int deepest = otherwise == null ? 0 : otherwise.depth();
            for (int i = 0; i < this.tests.length; i++) {
                deepest = Math.max(deepest, Math.max(this.tests[i].depth, this.bodies[i].depth()));
            }
            this.depth = deepest + 1;
        }

        @Override
        void collect(Scope scope) {
            tests[0].collect(scope);
            Scope first = scope.branch();
            bodies[0].collect(first);
            // The elif parts are collected one after the other into one branch, each as an if of its own.
            Scope more = scope.branch();
            for (int i = 1; i < tests.length; i++) {
                tests[i].collect(more);
                Scope body = more.branch();
                bodies[i].collect(body);
                more.merge(List.of(body));
            }
            Scope last = scope.branch();
            if (otherwise != null) {
                otherwise.collect(last);
            }
            scope.merge(List.of(first, more, last));
        }

        @Override
        void bind(Scope scope) {
            for (int i = 0; i < tests.length; i++) {
                tests[i].bind(scope);
                bodies[i].bind(scope);
            }
            if (otherwise != null) {
                otherwise.bind(scope);
            }
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            for (int i = 0; i < tests.length; i++) {
                r.line = tests[i].line;
                if (Values.truth(tests[i].evaluate(r, a))) {
                    return bodies[i].execute(r, a);
                }
            }
            return otherwise == null ? Flow.ON : otherwise.execute(r, a);
        }

        @Override
        int depth() {
            return depth;
        }
    }

    static final class For extends Statement {
        private final int line;
        private final Target target;
        private final Expression sequence;
        private final Body body;
        private final @Nullable Body otherwise;
        private final @Nullable Expression test;
        private final Target testTarget;
        private final boolean recursive;
        private final Target.@Nullable NameTarget loopTarget;
        private Scope.@Nullable Function function;
        private Scope.@Nullable Entrance entrance;
        private Scope.@Nullable Entrance testEntrance;
        private Scope.@Nullable Entrance otherwiseEntrance;

        For(
                int line,
                Target target,
                Expression sequence,
                Body body,
                @Nullable Body otherwise,
                @Nullable Expression test,
                boolean recursive,
                boolean usesLoop) {
            this.line = line;
            this.target = target;
            this.sequence = sequence;
            this.body = body;
            this.otherwise = otherwise;
            this.test = test;
            this.testTarget = target.copy();
            this.recursive = recursive;
            this.loopTarget = usesLoop || recursive ? new Target.NameTarget("loop") : null;
        }

        @Override
        void collect(Scope scope) {
            sequence.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            sequence.bind(scope);
            Scope outer = scope;
            if (recursive) {
                outer = scope.innerFunction();
                function = outer.function();
            }
            if (test != null) {
                Scope testScope = outer.inner();
                testTarget.collectParameter(testScope);
                test.collect(testScope);
                testTarget.bind(testScope);
                test.bind(testScope);
                testEntrance = testScope.entrance();
            }
            Scope inner = outer.inner();
            if (loopTarget != null) {
                loopTarget.collectParameter(inner);
            }
            target.collectParameter(inner);
            body.collect(inner);
            target.bind(inner);
            if (loopTarget != null) {
                loopTarget.bind(inner);
            }
            entrance = inner.entrance();
            body.bind(inner);
            if (otherwise != null) {
                Scope elseScope = outer.inner();
                otherwise.collect(elseScope);
                otherwiseEntrance = elseScope.entrance();
                otherwise.bind(elseScope);
            }
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            r.line = line;
            Object items = sequence.evaluate(r, a);
            r.line = line;
            if (recursive) {
                r.write(recurse(r, a, items, 0));
                return Flow.ON;
            }
            return run(r, a, items, new Loop(r, null, a, items, 0));
        }

        /** One level of a recursive loop. */
        String recurse(Rendering r, Activation enclosing, Object items, int level) {
            Activation a = new Activation(Objects.requireNonNull(function), enclosing);
            r.reserve(16L * a.slots.length);
            r.descend(depth());
            StringBuilder previous = r.divert();
            run(r, a, items, new Loop(r, this, enclosing, items, level));
            r.ascend(depth());
            return r.restore(previous);
        }

        private Flow run(Rendering r, Activation a, Object items, Loop loop) {
            if (test != null) {
                loop.filter(new Filtered(r, a, Values.iterate(r, items)));
            }
            // As in jinja2, a round counts only when its body ran to the end: else follows a first round that was left.
            boolean empty = true;
            if (loopTarget != null) {
                loopTarget.assign(r, a, loop);
            }
            while (loop.advance()) {
                r.step();
                target.assign(r, a, loop.current());
                Objects.requireNonNull(entrance).enter(r, a);
                Flow flow = body.execute(r, a);
                if (flow == Flow.BREAK) {
                    break;
                }
                if (flow == Flow.ON) {
                    empty = false;
                }
            }
            if (empty && otherwise != null) {
                Objects.requireNonNull(otherwiseEntrance).enter(r, a);
                return otherwise.execute(r, a);
            }
            return Flow.ON;
        }

        /** The items that pass the loop's {@code if}, found one by one as the loop goes on. */
        private final class Filtered implements Iterator<Object> {
            private final Rendering r;
            private final Activation a;
            private final Iterator<Object> items;
            private @Nullable Object next;

            private Filtered(Rendering r, Activation a, Iterator<Object> items) {
                this.r = r;
                this.a = a;
                this.items = items;
            }

            @Override
            public boolean hasNext() {
                while (next == null && items.hasNext()) {
                    r.step();
                    Object item = items.next();
                    testTarget.assign(r, a, item);
                    Objects.requireNonNull(testEntrance).enter(r, a);
                    if (Values.truth(Objects.requireNonNull(test).evaluate(r, a))) {
                        next = item;
                    }
                }
                return next != null;
            }

            @Override
            public Object next() {
                if (!hasNext()) {
                    throw new java.util.NoSuchElementException();
                }
                Object item = Objects.requireNonNull(next);
                next = null;
                return item;
            }
        }

        @Override
        int depth() {
            int deepest = Math.max(sequence.depth, body.depth());
            if (test != null) {
                deepest = Math.max(deepest, test.depth);
            }
            if (otherwise != null) {
                deepest = Math.max(deepest, otherwise.depth());
            }
            return deepest + 1;
        }
    }

    static final class Break extends Statement {
        @Override
        void collect(Scope scope) {}

        @Override
        void bind(Scope scope) {}

        @Override
        Flow execute(Rendering r, Activation a) {
            return Flow.BREAK;
        }

        @Override
        int depth() {
            return 1;
        }
    }

    static final class Continue extends Statement {
        @Override
        void collect(Scope scope) {}

        @Override
        void bind(Scope scope) {}

        @Override
        Flow execute(Rendering r, Activation a) {
            return Flow.CONTINUE;
        }

        @Override
        int depth() {
            return 1;
        }
    }

    /** {@code {% with x = 1 %}…{% endwith %}}. */
    static final class With extends Statement {
        private final Target[] targets;
        private final Expression[] values;
        private final Body body;
        private Scope.@Nullable Entrance entrance;

        With(List<Target> targets, List<Expression> values, Body body) {
            this.targets = targets.toArray(new Target[0]);
            this.values = values.toArray(new Expression[0]);
            this.body = body;
        }

        @Override
        void collect(Scope scope) {
            for (Expression value : values) {
                value.collect(scope);
            }
        }

        @Override
        void bind(Scope scope) {
            Scope inner = scope.inner();
            for (Target target : targets) {
                target.collectParameter(inner);
            }
            body.collect(inner);
            for (Expression value : values) {
                value.bind(scope);
            }
            for (Target target : targets) {
                target.bind(inner);
            }
            entrance = inner.entrance();
            body.bind(inner);
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            Objects.requireNonNull(entrance).enter(r, a);
            for (int i = 0; i < targets.length; i++) {
                targets[i].assign(r, a, values[i].evaluate(r, a));
            }
            return body.execute(r, a);
        }

        @Override
        int depth() {
            int deepest = body.depth();
            for (Expression value : values) {
                deepest = Math.max(deepest, value.depth);
            }
            return deepest + 1;
        }
    }

    /** A function of the template: a macro, the body of a call block, or a generation block. */
    static final class MacroBody {
        final String name;
        final String[] parameters;
        private final Target[] targets;
        private final @Nullable Expression[] defaults;
        private final Body body;
        private final Target.@Nullable NameTarget caller;
        private final Target.@Nullable NameTarget kwargs;
        private final Target.@Nullable NameTarget varargs;
        private Scope.@Nullable Function function;
        private Scope.@Nullable Entrance entrance;

        MacroBody(
                String name,
                List<String> parameters,
                List<@Nullable Expression> defaults,
                Body body,
                boolean usesCaller,
                boolean usesKwargs,
                boolean usesVarargs) {
            this.name = name;
            this.parameters = parameters.toArray(new String[0]);
            this.defaults = defaults.toArray(new Expression[0]);
            this.body = body;
            this.targets = new Target[this.parameters.length];
            for (int i = 0; i < targets.length; i++) {
                targets[i] = new Target.NameTarget(this.parameters[i]);
            }
            this.caller = special("caller", usesCaller);
            this.kwargs = special("kwargs", usesKwargs);
            this.varargs = special("varargs", usesVarargs);
        }

        private Target.@Nullable NameTarget special(String special, boolean used) {
            return used && !List.of(parameters).contains(special) ? new Target.NameTarget(special) : null;
        }

        boolean catchesKwargs() {
            return kwargs != null;
        }

        boolean catchesVarargs() {
            return varargs != null;
        }

        boolean acceptsCaller() {
            return caller != null;
        }

        void bind(Scope scope) {
            Scope inner = scope.innerFunction();
            function = inner.function();
            List<Target> all = new ArrayList<>(List.of(targets));
            for (Target.NameTarget special : new Target.@Nullable NameTarget[] {caller, kwargs, varargs}) {
                if (special != null) {
                    all.add(special);
                }
            }
            for (Target target : all) {
                target.collectParameter(inner);
            }
            for (Expression value : defaults) {
                if (value != null) {
                    value.collect(inner);
                }
            }
            body.collect(inner);
            for (Target target : all) {
                target.bind(inner);
            }
            for (Expression value : defaults) {
                if (value != null) {
                    value.bind(inner);
                }
            }
            entrance = inner.entrance();
            body.bind(inner);
        }

        String call(Rendering r, Activation enclosing, Arguments arguments) {
            Activation a = new Activation(Objects.requireNonNull(function), enclosing);
            r.reserve(16L * a.slots.length);
            r.descend(depth());
            Objects.requireNonNull(entrance).enter(r, a);
            pass(r, a, arguments);
            StringBuilder previous = r.divert();
            body.execute(r, a);
            String text = r.restore(previous);
            r.ascend(depth());
            return text;
        }

        /** Runs the body where it stands, writing to the current output. */
        void run(Rendering r, Activation enclosing) {
            Activation a = new Activation(Objects.requireNonNull(function), enclosing);
            Objects.requireNonNull(entrance).enter(r, a);
            body.execute(r, a);
        }

        private void pass(Rendering r, Activation a, Arguments arguments) {
            Object[] values = arguments.positional();
            boolean[] used = new boolean[arguments.names().length];
            for (int i = 0; i < parameters.length; i++) {
                Object value = i < values.length ? values[i] : named(arguments, parameters[i], used);
                if (value instanceof Rendering.Missing) {
                    Expression fallback = defaults[i];
                    value = fallback == null
                            ? Undefined.because("parameter " + Text.repr(parameters[i]) + " was not provided")
                            : fallback.evaluate(r, a);
                }
                targets[i].assign(r, a, value);
            }
            if (caller != null) {
                Object value = named(arguments, "caller", used);
                caller.assign(
                        r, a, value instanceof Rendering.Missing ? Undefined.because("No caller defined") : value);
            }
            Dict rest = new Dict();
            for (int i = 0; i < used.length; i++) {
                if (!used[i]) {
                    if (kwargs == null) {
                        throw TemplateException.runtime("macro " + Text.repr(name) + " takes no keyword argument "
                                + Text.repr(arguments.names()[i]));
                    }
                    rest.put(arguments.names()[i], arguments.named()[i]);
                }
            }
            if (kwargs != null) {
                kwargs.assign(r, a, rest);
            }
            if (varargs != null) {
                int from = Math.min(parameters.length, values.length);
                varargs.assign(r, a, Tuple.of(java.util.Arrays.copyOfRange(values, from, values.length)));
            } else if (values.length > parameters.length) {
                throw TemplateException.runtime(
                        "macro " + Text.repr(name) + " takes not more than " + parameters.length + " argument(s)");
            }
        }

        private static Object named(Arguments arguments, String name, boolean[] used) {
            for (int i = 0; i < used.length; i++) {
                if (arguments.names()[i].equals(name)) {
                    used[i] = true;
                    return arguments.named()[i];
                }
            }
            return Rendering.MISSING;
        }

        int depth() {
            int deepest = body.depth();
            for (Expression value : defaults) {
                if (value != null) {
                    deepest = Math.max(deepest, value.depth);
                }
            }
            return deepest + 1;
        }
    }

    static final class Macro extends Statement {
        private final MacroBody macro;
        private final Target.NameTarget target;

        Macro(MacroBody macro) {
            this.macro = macro;
            this.target = new Target.NameTarget(macro.name);
        }

        @Override
        void collect(Scope scope) {
            target.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            target.bind(scope);
            macro.bind(scope);
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            target.assign(r, a, new MacroValue(macro, a));
            return Flow.ON;
        }

        @Override
        int depth() {
            return macro.depth();
        }
    }

    static final class CallBlock extends Statement {
        private final MacroBody body;
        private final Expression.Call call;

        CallBlock(MacroBody body, Expression.Call call) {
            this.body = body;
            this.call = call;
        }

        @Override
        void collect(Scope scope) {
            call.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            call.bind(scope);
            body.bind(scope);
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            r.write(Values.str(r, call.evaluate(r, a, new MacroValue(body, a))));
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1 + Math.max(body.depth(), call.depth);
        }
    }

    /** {@code {% generation %}…{% endgeneration %}}: what the model said; assignments inside stay inside. */
    static final class Generation extends Statement {
        private final int line;
        private final MacroBody body;

        Generation(int line, MacroBody body) {
            this.line = line;
            this.body = body;
        }

        @Override
        void collect(Scope scope) {}

        @Override
        void bind(Scope scope) {
            body.bind(scope);
        }

        @Override
        Flow execute(Rendering r, Activation a) {
            r.line = line;
            int start = r.beginGeneration();
            body.run(r, a);
            r.endGeneration(start);
            return Flow.ON;
        }

        @Override
        int depth() {
            return 1 + body.depth();
        }
    }
}
