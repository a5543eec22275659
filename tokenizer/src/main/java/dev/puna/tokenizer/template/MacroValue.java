package dev.puna.tokenizer.template;

/** A macro together with the variables around its definition. */
record MacroValue(Statement.MacroBody macro, Activation enclosing) {}
