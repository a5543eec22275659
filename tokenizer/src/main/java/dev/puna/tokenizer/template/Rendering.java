package dev.puna.tokenizer.template;

import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One run of a template: its variables, its output so far, and what is left of its budget. */
final class Rendering {
    /** The type of {@link #MISSING}. */
    enum Missing {
        VALUE
    }

    /** Marks a slot whose name has no value. */
    static final Missing MISSING = Missing.VALUE;

    private final TemplateLimits limits;
    private final Dict variables;
    private final Clock clock;
    private final StringBuilder chat = new StringBuilder(1024);
    private final @Nullable List<RenderedChat.Span> spans;

    private StringBuilder out = chat;
    private boolean insideGeneration;
    private long stepsLeft;
    private long charactersLeft;
    private int depth;

    /** Line of the node that runs; for error messages. */
    int line;

    Rendering(TemplateLimits limits, Dict variables, Clock clock, boolean marking) {
        this.limits = limits;
        this.variables = variables;
        this.clock = clock;
        this.stepsLeft = limits.steps();
        this.charactersLeft = limits.characters();
        this.spans = marking ? new ArrayList<>() : null;
    }

    Clock clock() {
        return clock;
    }

    /** The value of a variable of the conversation or of a global function; {@link #MISSING} if there is none. */
    Object variable(String name) {
        Object value = variables.get(name);
        if (value != null) {
            return value;
        }
        Object function = GlobalFunction.named(name);
        return function == null ? MISSING : function;
    }

    /** Charges one step. */
    void step() {
        if (--stepsLeft < 0) {
            throw outOfSteps();
        }
    }

    /** Charges {@code count} steps. */
    void steps(long count) {
        stepsLeft -= count;
        if (stepsLeft < 0) {
            throw outOfSteps();
        }
    }

    /** Charges for reading {@code length} characters. */
    void read(int length) {
        stepsLeft -= length >> 6;
    }

    /** Charges for {@code count} characters before memory is taken for them. */
    void reserve(long count) {
        charactersLeft -= count;
        stepsLeft -= count >> 6;
        if (charactersLeft < 0) {
            throw TemplateException.limit(
                    "the template makes more than " + limits.characters() + " characters of text");
        }
        if (stepsLeft < 0) {
            throw outOfSteps();
        }
    }

    /** Charges for a string that was just made from others of about its size. */
    String made(String text) {
        reserve(text.length());
        return text;
    }

    private TemplateException outOfSteps() {
        return TemplateException.limit("the template takes more than " + limits.steps() + " steps");
    }

    /** Goes {@code levels} deeper, into a macro or a recursive loop. */
    void descend(int levels) {
        depth += levels;
        if (depth > limits.depth()) {
            throw TemplateException.limit(
                    "macros or recursive loops nest more than " + limits.depth() + " levels deep");
        }
    }

    void ascend(int levels) {
        depth -= levels;
    }

    void write(String text) {
        reserve(text.length());
        out.append(text);
    }

    /** Sends what is written from here on to a buffer of its own; returns where it went before. */
    StringBuilder divert() {
        StringBuilder previous = out;
        out = new StringBuilder();
        return previous;
    }

    /** Ends a diversion and gives what it caught. */
    String restore(StringBuilder previous) {
        String caught = made(out.toString());
        out = previous;
        return caught;
    }

    /** Where a generation block begins. */
    int beginGeneration() {
        if (spans == null) {
            return 0;
        }
        if (out != chat || insideGeneration) {
            throw TemplateException.runtime("a generation block inside a macro, a set or filter block or another "
                    + "generation block has no known place in the chat");
        }
        insideGeneration = true;
        return out.length();
    }

    void endGeneration(int start) {
        if (spans != null) {
            insideGeneration = false;
            spans.add(new RenderedChat.Span(start, out.length()));
        }
    }

    RenderedChat result() {
        return new RenderedChat(chat.toString(), spans == null ? List.of() : spans);
    }
}
