package dev.puna.tokenizer.template;

import java.util.List;

/** What {@code keys()}, {@code values()} and {@code items()} of a dict give: iterable, with a length, not indexable. */
record DictView(Kind kind, Dict dict) {
    enum Kind {
        KEYS,
        VALUES,
        ITEMS
    }

    List<Object> list() {
        return switch (kind) {
            case KEYS -> dict.keyList();
            case VALUES -> dict.valueList();
            case ITEMS -> dict.itemList();
        };
    }

    String typeName() {
        return switch (kind) {
            case KEYS -> "dict_keys";
            case VALUES -> "dict_values";
            case ITEMS -> "dict_items";
        };
    }
}
