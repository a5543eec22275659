package dev.puna.inference;

/**
 * Hears of every token as it is chosen, on the thread that generates. What it throws ends the generation; so does its
 * {@link Cancellation}, which lets the tokens so far be the result instead.
 */
@FunctionalInterface
public interface GenerationListener {
    /** Hears nothing. */
    GenerationListener NONE = (token, text) -> {};

    /**
     * A token was chosen.
     *
     * @param token the token
     * @param text the text that became certain with it: whole characters, and nothing that may yet turn out to be the
     *     beginning of a stop string; often a word, sometimes empty. All of them together are the text of the result; so
     *     a last call with the final token may bring text that was held back
     */
    void onToken(GeneratedToken token, String text);
}
