package dev.puna.kernels;

import dev.puna.tensor.ConfigurationException;

/**
 * The numbers of one step of AdamW (Loshchilov and Hutter 2019), the same for every element of a tensor.
 *
 * @param lr learning rate
 * @param beta1 decay of the first moment, in [0, 1)
 * @param beta2 decay of the second moment, in [0, 1)
 * @param epsilon added to the root of the corrected second moment
 * @param weightDecay decoupled: the weight shrinks by {@code lr · weightDecay}
 * @param step which step this is, from 1, for the bias corrections
 * @param gradientScale the gradient counts this much: 1, or less when it is clipped
 */
public record AdamWStep(
        double lr, double beta1, double beta2, double epsilon, double weightDecay, long step, double gradientScale) {
    public AdamWStep {
        if (!(beta1 >= 0 && beta1 < 1)) {
            throw new ConfigurationException("beta1", beta1, "must be in [0, 1), usually 0.9");
        }
        if (!(beta2 >= 0 && beta2 < 1)) {
            throw new ConfigurationException("beta2", beta2, "must be in [0, 1), usually 0.95");
        }
        if (step < 1) {
            throw new ConfigurationException("step", step, "counts from 1");
        }
    }

    /** {@code lr / (1 − β1ᵗ)}. */
    public float stepSize() {
        return (float) (lr / (1 - Math.pow(beta1, (double) step)));
    }

    /** {@code 1 / √(1 − β2ᵗ)}. */
    public float secondMomentCorrection() {
        return (float) (1 / Math.sqrt(1 - Math.pow(beta2, (double) step)));
    }

    /** {@code 1 − lr · weightDecay}. */
    public float shrink() {
        return (float) (1 - lr * weightDecay);
    }
}
