package dev.puna.tokenizer.template;

import java.util.Iterator;

/** A lazy sequence that can be walked once: what {@code map}, {@code select} and their like give. */
record Generator(Iterator<Object> iterator) {}
