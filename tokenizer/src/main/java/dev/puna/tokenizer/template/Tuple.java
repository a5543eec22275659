package dev.puna.tokenizer.template;

import java.util.List;

/** Python's tuple: a fixed sequence that prints in round brackets and never equals a list. */
record Tuple(List<Object> items) {
    static final Tuple EMPTY = new Tuple(List.of());

    static Tuple of(Object... items) {
        return new Tuple(List.of(items));
    }
}
