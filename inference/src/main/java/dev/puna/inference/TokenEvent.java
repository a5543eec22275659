package dev.puna.inference;

import java.util.Optional;

/**
 * A token of a running generation.
 *
 * @param choice which continuation it belongs to, from 0
 * @param token the token
 * @param text the text that became certain with it ({@link GenerationListener#onToken})
 * @param finishReason why this continuation ended, with its last token
 */
public record TokenEvent(int choice, GeneratedToken token, String text, Optional<FinishReason> finishReason) {}
