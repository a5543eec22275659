package dev.puna.tokenizer.template;

/** A method taken from a value, to be called. */
record BoundMethod(Object owner, String name) {}
