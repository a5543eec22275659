package dev.puna.data.source;

/** Whom to follow where the paper and the tools that reproduced it differ. */
public enum Fidelity {
    /** What the LLaMA paper describes. */
    PAPER,
    /** What cc_net and RedPajama do, including their defects, so that results can be compared. */
    COMPAT
}
