package dev.puna.tokenizer.template;

import dev.puna.tensor.ConfigurationException;

/**
 * How much a template may use in one rendering. The defaults leave a conversation of a million tokens ample room and
 * stop a hostile template within a few seconds.
 *
 * @param steps nodes evaluated, loop rounds made and elements visited; 64 characters read or written count as one
 * @param characters UTF-16 units in all strings made during the rendering together, the output among them
 * @param depth nodes nested in one another at any moment, through macro calls and recursive loops
 */
public record TemplateLimits(long steps, long characters, int depth) {
    /** 50 million steps, 128 million characters, 1,200 levels. */
    public static final TemplateLimits DEFAULT = new TemplateLimits(50_000_000, 128_000_000, 1_200);

    public TemplateLimits {
        requirePositive("steps", steps);
        requirePositive("characters", characters);
        requirePositive("depth", depth);
    }

    private static void requirePositive(String field, long value) {
        if (value <= 0) {
            throw new ConfigurationException(field, value, "a template limit must be positive");
        }
    }
}
