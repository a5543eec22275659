package dev.puna.tokenizer.template;

import org.jspecify.annotations.Nullable;

/** The variables of one run of a function: of the template itself, of a macro, or of a round of a recursive loop. */
final class Activation {
    final Object[] slots;
    private final @Nullable Activation enclosing;

    Activation(Scope.Function function, @Nullable Activation enclosing) {
        this.slots = new Object[function.slotCount()];
        java.util.Arrays.fill(slots, Rendering.MISSING);
        this.enclosing = enclosing;
    }

    /** The activation {@code hops} functions further out. */
    Activation outward(int hops) {
        Activation activation = this;
        for (int i = 0; i < hops; i++) {
            activation = java.util.Objects.requireNonNull(activation.enclosing);
        }
        return activation;
    }
}
