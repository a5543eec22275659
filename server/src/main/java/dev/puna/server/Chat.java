package dev.puna.server;

import dev.puna.inference.GenerationOptions;
import dev.puna.inference.Tool;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a chat asks for, whichever API it came by.
 *
 * @param variant of which model
 * @param messages as chat templates read them
 * @param tools what the model may call
 * @param choice whether it may, or must
 * @param parallel whether it may call several at once
 * @param format what an answer that is no call looks like
 * @param options how to generate it
 * @param choices how many answers
 * @param client who asks
 */
record Chat(
        ServedModel.Variant variant,
        List<Map<String, Object>> messages,
        List<Tool> tools,
        ToolChoice choice,
        boolean parallel,
        Format format,
        GenerationOptions options,
        int choices,
        String client) {

    /** Whether tools are called. */
    sealed interface ToolChoice {
        /** Never. */
        record None() implements ToolChoice {}

        /** As the model likes. */
        record Auto() implements ToolChoice {}

        /** One of them. */
        record Required() implements ToolChoice {}

        /** This one. */
        record Named(String name) implements ToolChoice {}
    }

    /** What a text looks like. */
    sealed interface Format {
        /** As it comes. */
        record Text() implements Format {}

        /** A JSON value that a schema accepts; any object where there is none. */
        record Schema(@Nullable Map<?, ?> schema) implements Format {}
    }

    /** The tools that the answer may call. */
    List<Tool> callable() {
        return switch (choice) {
            case ToolChoice.None _ -> List.of();
            case ToolChoice.Auto _, ToolChoice.Required _ -> tools;
            case ToolChoice.Named(String name) ->
                tools.stream().filter(tool -> tool.name().equals(name)).toList();
        };
    }
}
