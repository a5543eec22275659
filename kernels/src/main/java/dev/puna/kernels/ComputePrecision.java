package dev.puna.kernels;

/** In which precision the factors of a matrix product enter it. Sums are fp32 in both. */
public enum ComputePrecision {
    /** As they are. */
    F32,
    /** Rounded to bf16, to nearest even, on their way into the product; what is stored stays fp32. */
    BF16
}
