package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Where an assignment or a loop puts its value. */
abstract sealed class Target {
    /** Collects the names as assigned in the region. */
    abstract void collect(Scope scope);

    /** Collects the names as given to the region on entry. */
    abstract void collectParameter(Scope scope);

    abstract void bind(Scope scope);

    abstract void assign(Rendering r, Activation a, Object value);

    /** The same target, to be bound in another scope. */
    abstract Target copy();

    static final class NameTarget extends Target {
        final String name;
        private int slot;

        NameTarget(String name) {
            this.name = name;
        }

        @Override
        void collect(Scope scope) {
            scope.store(name);
        }

        @Override
        void collectParameter(Scope scope) {
            scope.parameter(name);
        }

        @Override
        void bind(Scope scope) {
            slot = scope.place(name).slot();
        }

        @Override
        void assign(Rendering r, Activation a, Object value) {
            a.slots[slot] = value;
        }

        @Override
        Target copy() {
            return new NameTarget(name);
        }
    }

    static final class TupleTarget extends Target {
        private final List<Target> items;

        TupleTarget(List<Target> items) {
            this.items = items;
        }

        @Override
        void collect(Scope scope) {
            for (Target item : items) {
                item.collect(scope);
            }
        }

        @Override
        void collectParameter(Scope scope) {
            for (Target item : items) {
                item.collectParameter(scope);
            }
        }

        @Override
        void bind(Scope scope) {
            for (Target item : items) {
                item.bind(scope);
            }
        }

        @Override
        void assign(Rendering r, Activation a, Object value) {
            List<Object> values = new ArrayList<>(items.size());
            for (Iterator<Object> rest = Values.iterate(r, value); rest.hasNext(); ) {
                r.step();
                if (values.size() == items.size()) {
                    throw TemplateException.runtime("too many values to unpack (expected " + items.size() + ")");
                }
                values.add(rest.next());
            }
            if (values.size() < items.size()) {
                throw TemplateException.runtime(
                        "not enough values to unpack (expected " + items.size() + ", got " + values.size() + ")");
            }
            for (int i = 0; i < items.size(); i++) {
                items.get(i).assign(r, a, values.get(i));
            }
        }

        @Override
        Target copy() {
            List<Target> copies = new ArrayList<>(items.size());
            for (Target item : items) {
                copies.add(item.copy());
            }
            return new TupleTarget(copies);
        }
    }

    /** {@code namespace.attribute}. */
    static final class AttributeTarget extends Target {
        private final Expression.Name owner;
        private final String attribute;

        AttributeTarget(Expression.Name owner, String attribute) {
            this.owner = owner;
            this.attribute = attribute;
        }

        @Override
        void collect(Scope scope) {
            owner.collect(scope);
        }

        @Override
        void collectParameter(Scope scope) {
            owner.collect(scope);
        }

        @Override
        void bind(Scope scope) {
            owner.bind(scope);
        }

        @Override
        void assign(Rendering r, Activation a, Object value) {
            if (!(owner.evaluate(r, a) instanceof Namespace namespace)) {
                throw TemplateException.runtime("cannot assign attribute on non-namespace object");
            }
            namespace.attributes().put(attribute, value);
        }

        @Override
        Target copy() {
            return new AttributeTarget(new Expression.Name(owner.line, owner.name), attribute);
        }
    }
}
