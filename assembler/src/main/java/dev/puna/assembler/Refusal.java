package dev.puna.assembler;

/**
 * Why this machine does not run assembled code, as a value: another tier serves then, and {@code puna doctor} prints
 * the reason.
 *
 * @param reason a sentence
 */
public record Refusal(String reason) implements Mapping, Detection {}
