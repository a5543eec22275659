package dev.puna.model;

import dev.puna.kernels.KvView;

/** The keys and values of one sequence, layer by layer. Whoever owns the memory has made room before a forward pass. */
public interface KvSequence {
    /** Where layer {@code layer} keeps them. */
    KvView layer(int layer);

    /** Positions that fit at present. */
    int capacity();
}
