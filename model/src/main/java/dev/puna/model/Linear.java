package dev.puna.model;

import dev.puna.tensor.Tensor;

/** A linear layer's weight (out, in) and, where a file has one, its bias (out). */
public sealed interface Linear {
    /** Any DType (out, in). */
    Tensor weight();

    /** {@code y = x · wᵀ}: every linear layer that Meta published. */
    record Plain(Tensor weight) implements Linear {}

    /**
     * {@code y = x · wᵀ + bias}.
     *
     * @param bias F32, F16 or BF16 (out)
     */
    record Biased(Tensor weight, Tensor bias) implements Linear {}
}
