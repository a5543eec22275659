package dev.puna.tokenizer.template;

/**
 * A piece of template source.
 *
 * @param kind what it is
 * @param text the text of {@link Kind#DATA}, the name, the operator, or the content of a string with escapes resolved
 * @param value the number of a literal, else {@link None#NONE}
 * @param line where it begins, from 1
 */
record Token(Kind kind, String text, Object value, int line) {
    enum Kind {
        DATA,
        VARIABLE_BEGIN,
        VARIABLE_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        NUMBER,
        OPERATOR,
        END
    }

    boolean isName(String name) {
        return kind == Kind.NAME && text.equals(name);
    }

    boolean isOperator(String operator) {
        return kind == Kind.OPERATOR && text.equals(operator);
    }

    /** As an error message names it. */
    String described() {
        return switch (kind) {
            case DATA -> "template text";
            case VARIABLE_BEGIN -> "'{{'";
            case VARIABLE_END -> "'}}'";
            case BLOCK_BEGIN -> "'{%'";
            case BLOCK_END -> "'%}'";
            case NAME, OPERATOR -> "'" + text + "'";
            case STRING -> "string";
            case NUMBER -> "number";
            case END -> "the end of the template";
        };
    }
}
