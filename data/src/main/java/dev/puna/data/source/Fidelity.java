package dev.puna.data.source;

import dev.puna.tensor.ConfigurationException;

/** Whom to follow where the paper and the tools that reproduced it differ. */
public enum Fidelity {
    /** What the LLaMA paper describes. */
    PAPER,
    /** What cc_net and RedPajama do, including their defects, so that results can be compared. */
    COMPAT;

    /** From a recipe's {@code mode}: {@code paper} or {@code compat}. */
    public static Fidelity of(String mode) {
        return switch (mode) {
            case "paper" -> PAPER;
            case "compat" -> COMPAT;
            default -> throw new ConfigurationException("mode", mode, "use paper or compat");
        };
    }
}
