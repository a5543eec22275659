package dev.puna.inference;

/** How the states of a text's tokens become one vector. */
public enum Pooling {
    /** Their mean. */
    MEAN,
    /** The last token's, which has seen all others. */
    LAST
}
