package dev.puna.tokenizer.template;

/** Python's {@code None} inside the interpreter, so that no value is ever a Java null. */
enum None {
    NONE;

    @Override
    public String toString() {
        return "None";
    }
}
