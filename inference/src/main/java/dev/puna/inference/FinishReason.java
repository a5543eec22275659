package dev.puna.inference;

/** Why a generation ended. */
public enum FinishReason {
    /** The model ended its text: an end token, or an id or string that the caller named as a stop. */
    STOP,
    /** The number of tokens that was asked for is reached, or the model's context is full. */
    LENGTH,
    /** The caller cancelled. */
    CANCELLED
}
