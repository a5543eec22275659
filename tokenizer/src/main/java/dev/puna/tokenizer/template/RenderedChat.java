package dev.puna.tokenizer.template;

import java.util.List;

/**
 * A rendered conversation and the parts of it that the model itself said.
 *
 * @param text the whole conversation in the model's format
 * @param generated the places of the template's {@code {% generation %}} blocks in {@code text}, in order; empty when
 *     the template has none
 */
public record RenderedChat(String text, List<Span> generated) {
    /**
     * A part of the text, in UTF-16 units as {@link String#substring(int, int)} takes them.
     *
     * @param start first unit
     * @param end one past the last unit
     */
    public record Span(int start, int end) {}

    public RenderedChat {
        generated = List.copyOf(generated);
    }
}
