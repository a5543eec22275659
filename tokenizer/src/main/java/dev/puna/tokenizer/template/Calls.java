package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.List;

/** {@code callee(…)}. */
final class Calls {
    private Calls() {}

    static Object call(Rendering r, Object callee, Arguments arguments) {
        return switch (callee) {
            case BoundMethod method -> method(r, method.owner(), method.name(), arguments);
            case MacroValue macro -> macro.macro().call(r, macro.enclosing(), arguments);
            case GlobalFunction function -> function.call(r, arguments);
            case Loop loop -> loop.recurse(arguments);
            case GlobalFunction.Joiner joiner -> joiner.call();
            case Undefined undefined -> throw undefined.failure();
            default -> throw TemplateException.runtime("'" + Values.typeName(callee) + "' object is not callable");
        };
    }

    private static Object method(Rendering r, Object owner, String name, Arguments arguments) {
        return switch (owner) {
            case String text -> StringMethods.call(r, text, false, name, arguments);
            case Markup markup -> StringMethods.call(r, markup.text(), true, name, arguments);
            case Dict dict -> dictMethod(r, dict, name, arguments);
            case List<?> list
            when name.equals("copy") -> {
                arguments.bind("copy", 0);
                r.reserve(32 + 8L * list.size());
                yield new ArrayList<Object>(list);
            }
            case List<?> list -> sequenceMethod(r, list, name, arguments);
            case Tuple tuple -> sequenceMethod(r, tuple.items(), name, arguments);
            case Loop loop -> loop.call(name, arguments);
            case GlobalFunction.Cycler cycler -> cycler.call(name);
            case Double number -> number == Math.rint(number) && !Double.isInfinite(number);
            default -> throw TemplateException.runtime("'" + Values.typeName(owner) + "' has no method " + name);
        };
    }

    private static Object dictMethod(Rendering r, Dict dict, String name, Arguments arguments) {
        return switch (name) {
            case "get" -> {
                if (arguments.named().length > 0) {
                    throw TemplateException.runtime("get() takes no keyword arguments");
                }
                Object[] bound = arguments.bind("get", 1, "key", "default");
                Object value = dict.get(bound[0]);
                yield value == null ? Arguments.or(bound[1], None.NONE) : value;
            }
            case "items" -> {
                arguments.bind("items", 0);
                yield new DictView(DictView.Kind.ITEMS, dict);
            }
            case "keys" -> {
                arguments.bind("keys", 0);
                yield new DictView(DictView.Kind.KEYS, dict);
            }
            case "values" -> {
                arguments.bind("values", 0);
                yield new DictView(DictView.Kind.VALUES, dict);
            }
            default -> {
                arguments.bind("copy", 0);
                r.reserve(64 + 8L * dict.size());
                yield dict.copy();
            }
        };
    }

    private static Object sequenceMethod(Rendering r, List<?> list, String name, Arguments arguments) {
        if (name.equals("count")) {
            Object sought = arguments.bind("count", 1, "value")[0];
            long count = 0;
            for (Object item : list) {
                if (Values.equal(r, item, sought)) {
                    count++;
                }
            }
            return count;
        }
        Object[] bound = arguments.bind("index", 1, "value", "start", "stop");
        int from = clip(Arguments.or(bound[1], 0L), list.size());
        int to = clip(Arguments.or(bound[2], (long) list.size()), list.size());
        for (int i = from; i < to; i++) {
            if (Values.equal(r, list.get(i), bound[0])) {
                return (long) i;
            }
        }
        throw TemplateException.runtime(Values.repr(r, bound[0]) + " is not in list");
    }

    private static int clip(Object value, int size) {
        int index = Numbers.index(value);
        return Math.clamp(index < 0 ? (long) index + size : index, 0, size);
    }
}
