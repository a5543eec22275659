package dev.puna.model;

import dev.puna.tensor.Shape;

/**
 * One tensor of a LLaMA, by what it does; file formats give it their own names.
 *
 * @param role what it does
 * @param layer its layer, 0 for those outside the layers
 * @param shape (out, in) for matrices, (C) for norms
 */
public record LlamaTensor(Role role, int layer, Shape shape) {
    /** What a tensor does. */
    public enum Role {
        EMBEDDING(false),
        ATTENTION_NORM(true),
        WQ(true),
        WK(true),
        WV(true),
        WO(true),
        WQ_BIAS(true),
        WK_BIAS(true),
        WV_BIAS(true),
        WO_BIAS(true),
        FEED_FORWARD_NORM(true),
        /** w1 in Meta's code. */
        GATE(true),
        /** w3 in Meta's code. */
        UP(true),
        /** w2 in Meta's code. */
        DOWN(true),
        GATE_BIAS(true),
        UP_BIAS(true),
        DOWN_BIAS(true),
        FINAL_NORM(false),
        HEAD(false);

        private final boolean inLayer;

        Role(boolean inLayer) {
            this.inLayer = inLayer;
        }

        /** Whether every layer has its own. */
        public boolean inLayer() {
            return inLayer;
        }

        /** Whether its rows are paired by the rotary embedding, so that their order differs between formats. */
        public boolean isRotated() {
            return this == WQ || this == WK || this == WQ_BIAS || this == WK_BIAS;
        }
    }

    /** {@code layer 3 WQ (2048, 2048)}. */
    @Override
    public String toString() {
        return (role.inLayer() ? "layer " + layer + " " : "") + role + " " + shape;
    }
}
