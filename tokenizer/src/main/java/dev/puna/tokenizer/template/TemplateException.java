package dev.puna.tokenizer.template;

/**
 * A chat template could not be compiled or rendered. The message names the line of the template, counted from 1, and
 * what was expected there.
 */
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The template is not valid Jinja, or asks for a part of Jinja that chat templates have no use for. */
        SYNTAX,
        /** An operation met a value that it cannot work on. */
        RUNTIME,
        /** The template itself refused the conversation with {@code raise_exception}. */
        RAISED,
        /** The template used more steps, characters or nesting than {@link TemplateLimits} allow. */
        LIMIT
    }

    private final Kind kind;
    private final int line;
    private final String detail;

    TemplateException(Kind kind, int line, String detail) {
        super(describe(kind, line, detail));
        this.kind = kind;
        this.line = line;
        this.detail = detail;
    }

    static TemplateException runtime(String detail) {
        return new TemplateException(Kind.RUNTIME, 0, detail);
    }

    static TemplateException limit(String detail) {
        return new TemplateException(Kind.LIMIT, 0, detail);
    }

    /** The same error with a line, if it had none. */
    TemplateException at(int knownLine) {
        if (line > 0 || knownLine <= 0) {
            return this;
        }
        TemplateException located = new TemplateException(kind, knownLine, detail);
        located.setStackTrace(getStackTrace());
        return located;
    }

    private static String describe(Kind kind, int line, String detail) {
        String place = line > 0 ? "chat template, line " + line + ": " : "chat template: ";
        return switch (kind) {
            case SYNTAX, RUNTIME, LIMIT -> place + detail;
            case RAISED -> place + "the template refuses this conversation: " + detail;
        };
    }

    public Kind kind() {
        return kind;
    }

    /** Line of the template, from 1; 0 where no line can be told. */
    public int line() {
        return line;
    }

    /** The message without the place; for {@link Kind#RAISED} the template's own words. */
    public String detail() {
        return detail;
    }
}
