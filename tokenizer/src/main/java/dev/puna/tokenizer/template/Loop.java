package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The {@code loop} variable. It walks the items and never reads further ahead than a template asks it to. */
final class Loop {
    private final Rendering r;
    private final Statement.@Nullable For recursive;
    private final Activation enclosing;
    private final Object items;
    private final int level;
    private Iterator<Object> rest;
    private boolean filtered;
    private int index = -1;
    private @Nullable Object ahead;
    private @Nullable Object current;
    private @Nullable Object before;
    private @Nullable Tuple lastChanged;
    private int length = -1;

    Loop(Rendering r, Statement.@Nullable For recursive, Activation enclosing, Object items, int level) {
        this.r = r;
        this.recursive = recursive;
        this.enclosing = enclosing;
        this.items = items;
        this.level = level;
        this.rest = Values.iterate(r, items);
    }

    void filter(Iterator<Object> passing) {
        rest = passing;
        filtered = true;
    }

    boolean advance() {
        Object next = peek();
        if (next == null) {
            return false;
        }
        ahead = null;
        index++;
        before = current;
        current = next;
        return true;
    }

    Object current() {
        return Objects.requireNonNull(current);
    }

    private @Nullable Object peek() {
        if (ahead == null && rest.hasNext()) {
            ahead = rest.next();
        }
        return ahead;
    }

    private int length() {
        if (length < 0) {
            length = filtered ? -1 : Values.lengthIfKnown(items);
            if (length < 0) {
                List<Object> all = new ArrayList<>();
                while (rest.hasNext()) {
                    r.step();
                    all.add(rest.next());
                }
                length = all.size() + index + 1 + (ahead == null ? 0 : 1);
                rest = all.iterator();
            }
        }
        return length;
    }

    /** An attribute of {@code loop}; null if it has none of this name. */
    @Nullable
    Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) length() - index;
            case "revindex0" -> length() - index - 1L;
            case "first" -> index == 0;
            case "last" -> peek() == null;
            case "length" -> (long) length();
            case "depth" -> level + 1L;
            case "depth0" -> (long) level;
            case "previtem" -> index == 0 || before == null ? Undefined.because("there is no previous item") : before;
            case "nextitem" -> {
                Object next = peek();
                yield next == null ? Undefined.because("there is no next item") : next;
            }
            case "cycle", "changed" -> new BoundMethod(this, name);
            default -> null;
        };
    }

    Object call(String method, Arguments arguments) {
        Object[] values = arguments.positional();
        if (arguments.named().length > 0) {
            throw TemplateException.runtime("loop." + method + "() takes no keyword arguments");
        }
        if (method.equals("cycle")) {
            if (values.length == 0) {
                throw TemplateException.runtime("no items for cycling given");
            }
            return values[index % values.length];
        }
        Tuple given = Tuple.of(values);
        if (lastChanged != null && Values.equal(r, lastChanged, given)) {
            return false;
        }
        lastChanged = given;
        return true;
    }

    /** {@code loop(items)}: the body of a recursive loop over other items. */
    String recurse(Arguments arguments) {
        if (recursive == null) {
            throw TemplateException.runtime("The loop must have the 'recursive' marker to be called recursively.");
        }
        Object inner = arguments.bind("loop", 1, "iterable")[0];
        return recursive.recurse(r, enclosing, inner, level + 1);
    }
}
