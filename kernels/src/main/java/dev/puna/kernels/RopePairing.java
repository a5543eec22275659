package dev.puna.kernels;

/** Which two elements of a head the rotary embedding turns together. */
public enum RopePairing {
    /** (i, i + D/2): Hugging Face checkpoints, whose rows of wq and wk are permuted for it. */
    HALVES,
    /** (2i, 2i + 1): Meta's checkpoints and llama.cpp's GGUF files. */
    INTERLEAVED
}
