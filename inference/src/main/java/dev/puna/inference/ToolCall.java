package dev.puna.inference;

/**
 * A call that a model asks for.
 *
 * @param name of a {@link Tool}
 * @param arguments a JSON object, as text
 */
public record ToolCall(String name, String arguments) {}
