package dev.puna.model;

/**
 * What is kept between forward and backward; the rest is computed again, by the same operations on the same numbers, so
 * the gradients have the same bits in all three.
 */
public enum KeptActivations {
    /** Every input of every operation. */
    EVERYTHING,
    /** As LLaMA-1 (§2.4): outputs of the linear layers and of attention; norms and SwiGLU are computed again. */
    LINEAR_OUTPUTS,
    /** The input of each layer; the whole layer is computed again. */
    LAYER_INPUTS
}
