package dev.puna.tokenizer.template;

/** What {@code namespace()} gives: the one value that {@code {% set ns.x = … %}} may change. */
record Namespace(Dict attributes) {}
