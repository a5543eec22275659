package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What each name means in one region of a template, decided before it runs.
 *
 * <p>Jinja compiles a template to a Python function, and its rules of visibility follow from that. A region (the
 * template, a macro, a loop's body, a block that is captured) owns every name that it assigns, over its whole length. On
 * entry each of its names gets a first value: from the enclosing region where that knows the name, else from the
 * conversation's variables where the region reads the name before it assigns it, else none. So an assignment inside a
 * loop is gone in the next round, and a macro that reads a name which the template assigns later does not see a variable
 * of the conversation with that name. The branches of an {@code if} are no regions of their own.
 *
 * <p>A region is analysed in two passes: its nodes first {@code collect} their names into the scope, then {@code bind}
 * each name to a slot.
 */
final class Scope {
    /** A function of the generated program: how many slots its activations have, and how deep it is nested. */
    static final class Function {
        private final int depth;
        private int slotCount;

        private Function(int depth) {
            this.depth = depth;
        }

        int slotCount() {
            return slotCount;
        }
    }

    /** Where a name gets its first value when its region is entered. */
    private enum First {
        PARAMETER,
        VARIABLE,
        ENCLOSING,
        NOTHING
    }

    /** Where a name is found: in the activation {@code hops} functions further out. */
    record Place(int hops, int slot) {}

    /** Sets one slot when a region is entered. */
    private record Entry(
            int slot, @Nullable String variable, @Nullable Place enclosing) {}

    private final @Nullable Scope parent;
    /** The region itself, where this is a branch of it; a branch holds only what it adds. */
    private final @Nullable Scope region;

    private final Function function;
    private final Map<String, Integer> slots;
    private final Map<String, First> names;
    private final Set<String> stores;

    private Scope(@Nullable Scope parent, @Nullable Scope region, Function function, Map<String, Integer> slots) {
        this.parent = parent;
        this.region = region;
        this.function = function;
        this.slots = slots;
        this.names = new LinkedHashMap<>();
        this.stores = new HashSet<>();
    }

    static Scope root() {
        return new Scope(null, null, new Function(0), new HashMap<>());
    }

    /** A region inside this one, in the same function. */
    Scope inner() {
        return new Scope(this, null, function, new HashMap<>());
    }

    /** A region inside this one that is a function of its own. */
    Scope innerFunction() {
        Function inner = new Function(function.depth + 1);
        return new Scope(this, null, inner, new HashMap<>());
    }

    Function function() {
        return function;
    }

    private void define(String name, First first) {
        names.put(name, first);
        if (!slots.containsKey(name)) {
            slots.put(name, function.slotCount++);
        }
    }

    private boolean knows(String name) {
        for (Scope scope = this; scope != null; scope = scope.region) {
            if (scope.names.containsKey(name)) {
                return true;
            }
        }
        return false;
    }

    private boolean assigns(String name) {
        for (Scope scope = this; scope != null; scope = scope.region) {
            if (scope.stores.contains(name)) {
                return true;
            }
        }
        return false;
    }

    private @Nullable Scope owner(String name) {
        for (Scope scope = this; scope != null; scope = scope.parent) {
            if (scope.knows(name)) {
                return scope;
            }
        }
        return null;
    }

    private boolean parentKnows(String name) {
        return parent != null && parent.owner(name) != null;
    }

    /** The region reads {@code name}. */
    void load(String name) {
        if (owner(name) == null) {
            define(name, First.VARIABLE);
        }
    }

    /** The region assigns {@code name}. */
    void store(String name) {
        stores.add(name);
        if (!knows(name)) {
            define(name, parentKnows(name) ? First.ENCLOSING : First.NOTHING);
        }
    }

    /** {@code name} has its value before the region is entered. */
    void parameter(String name) {
        stores.add(name);
        define(name, First.PARAMETER);
    }

    /** An empty addition to this region, to collect one branch of an {@code if} into. */
    Scope branch() {
        return new Scope(parent, this, function, slots);
    }

    /** Takes over what the branches of an {@code if} collected. A name that only some of them assign may be read later. */
    void merge(List<Scope> branches) {
        Set<String> assigned = new HashSet<>();
        for (Scope branch : branches) {
            assigned.addAll(branch.stores);
        }
        assigned.removeIf(this::assigns);
        for (Scope branch : branches) {
            names.putAll(branch.names);
            stores.addAll(branch.stores);
        }
        for (String name : assigned) {
            names.put(name, parentKnows(name) ? First.ENCLOSING : First.VARIABLE);
        }
    }

    /** The place of a collected name as seen from this region. */
    Place place(String name) {
        Scope owner = owner(name);
        if (owner == null) {
            throw new IllegalStateException(name + " was not collected");
        }
        return placeIn(owner, name);
    }

    private Place placeIn(Scope owner, String name) {
        Integer slot = owner.slots.get(name);
        if (slot == null) {
            throw new IllegalStateException(name + " has no slot");
        }
        return new Place(function.depth - owner.function.depth, slot);
    }

    /** What to do on entry; call it when everything is collected. */
    Entrance entrance() {
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, First> entry : names.entrySet()) {
            String name = entry.getKey();
            int slot = placeIn(this, name).slot();
            switch (entry.getValue()) {
                case PARAMETER -> {}
                case VARIABLE -> entries.add(new Entry(slot, name, null));
                case NOTHING -> entries.add(new Entry(slot, null, null));
                case ENCLOSING -> {
                    Scope owner = parent == null ? null : parent.owner(name);
                    entries.add(new Entry(slot, null, owner == null ? null : placeIn(owner, name)));
                }
            }
        }
        return new Entrance(entries.toArray(new Entry[0]));
    }

    /** Gives the names of a region their first values. */
    static final class Entrance {
        private final Entry[] entries;

        private Entrance(Entry[] entries) {
            this.entries = entries;
        }

        void enter(Rendering r, Activation a) {
            for (Entry entry : entries) {
                if (entry.variable != null) {
                    a.slots[entry.slot] = r.variable(entry.variable);
                } else if (entry.enclosing != null) {
                    a.slots[entry.slot] = a.outward(entry.enclosing.hops).slots[entry.enclosing.slot];
                } else {
                    a.slots[entry.slot] = Rendering.MISSING;
                }
            }
        }
    }
}
