package dev.puna.tokenizer.template;

import java.util.Arrays;

/**
 * The values that a call passes.
 *
 * @param positional by position
 * @param names of the keyword arguments, without repetition
 * @param named their values
 */
record Arguments(Object[] positional, String[] names, Object[] named) {
    private static final Object[] NOTHING = {};
    static final Arguments NONE = new Arguments(NOTHING, new String[0], NOTHING);

    /** Spreads the values over parameters; {@link Rendering#MISSING} where none was passed. */
    Object[] bind(String function, int required, String... parameters) {
        if (positional.length > parameters.length) {
            throw TemplateException.runtime(function + "() takes at most " + parameters.length + " arguments ("
                    + positional.length + " given)");
        }
        Object[] bound = Arrays.copyOf(positional, parameters.length);
        Arrays.fill(bound, positional.length, parameters.length, Rendering.MISSING);
        for (int i = 0; i < names.length; i++) {
            int parameter = Arrays.asList(parameters).indexOf(names[i]);
            if (parameter < 0) {
                throw TemplateException.runtime(function + "() got an unexpected keyword argument '" + names[i] + "'");
            }
            if (bound[parameter] != Rendering.MISSING) {
                throw TemplateException.runtime(function + "() got multiple values for argument '" + names[i] + "'");
            }
            bound[parameter] = named[i];
        }
        for (int i = 0; i < required; i++) {
            if (bound[i] == Rendering.MISSING) {
                throw TemplateException.runtime(function + "() misses its argument '" + parameters[i] + "'");
            }
        }
        return bound;
    }

    static Object or(Object value, Object fallback) {
        return value == Rendering.MISSING ? fallback : value;
    }

    /** The same call without its first {@code count} positional values. */
    Arguments dropFirst(int count) {
        return new Arguments(Arrays.copyOfRange(positional, count, positional.length), names, named);
    }

    int size() {
        return positional.length + named.length;
    }
}
