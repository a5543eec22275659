package dev.puna.inference;

import dev.puna.tensor.Tensor;

/** What a request is computed for. */
sealed interface Purpose {
    /** Tokens that continue the prompt. */
    record Answer() implements Purpose {}

    /** One vector for the prompt. It is written on the engine's thread, and read when the request has ended. */
    final class Embedding implements Purpose {
        final Pooling pooling;
        private double[] sum = {};
        private int count;
        private float[] value = {};

        Embedding(Pooling pooling) {
            this.pooling = pooling;
        }

        /** Whether the states of the first {@code positions} have been added. */
        boolean knows(int positions) {
            return count >= positions;
        }

        /** The state at a position; one that is computed again after a preemption counts once. */
        void add(int position, Tensor state) {
            int width = (int) state.columns();
            if (sum.length == 0) {
                sum = new double[width];
            }
            if (pooling == Pooling.LAST || position == count) {
                for (int i = 0; i < width; i++) {
                    sum[i] += state.getFloat(i);
                }
                count++;
            }
        }

        /** There are no more. */
        void finish() {
            value = new float[sum.length];
            for (int i = 0; i < value.length; i++) {
                value[i] = (float) (sum[i] / count);
            }
        }

        /** C numbers; empty if the request ended before they were known. */
        float[] value() {
            return value;
        }
    }
}
