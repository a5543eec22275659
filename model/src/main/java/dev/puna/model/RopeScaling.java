package dev.puna.model;

import dev.puna.tensor.ConfigurationException;
import java.util.Arrays;

/**
 * How the frequencies of the rotary embedding are stretched for contexts longer than the model was first trained on.
 * Everything here is computed in fp32, as the checkpoints expect ({@code modeling_rope_utils.py} of transformers; the
 * {@code apply_scaling} of Meta's llama-models).
 */
public sealed interface RopeScaling {
    /** Frequencies as they are. */
    record None() implements RopeScaling {}

    /** Every frequency divided by {@code factor} (position interpolation; Chen et al. 2023). */
    record Linear(float factor) implements RopeScaling {
        public Linear {
            requirePositive("ropeScaling.factor", factor);
        }
    }

    /**
     * Llama-3.1's formula: wavelengths below {@code originalContextLength / highFrequencyFactor} stay, those above
     * {@code originalContextLength / lowFrequencyFactor} are stretched by {@code factor}, and between the two lies a
     * smooth passage. Llama-3.1 has 8, 1, 4, 8192; Llama-3.2 has 32, 1, 4, 8192.
     */
    record Llama3(float factor, float lowFrequencyFactor, float highFrequencyFactor, int originalContextLength)
            implements RopeScaling {
        public Llama3 {
            requirePositive("ropeScaling.factor", factor);
            requirePositive("ropeScaling.lowFrequencyFactor", lowFrequencyFactor);
            requirePositive("ropeScaling.originalContextLength", originalContextLength);
            if (!(highFrequencyFactor > lowFrequencyFactor) || Float.isInfinite(highFrequencyFactor)) {
                throw new ConfigurationException(
                        "ropeScaling.highFrequencyFactor",
                        highFrequencyFactor,
                        "must be above lowFrequencyFactor=" + lowFrequencyFactor);
            }
        }
    }

    /**
     * One divisor per frequency: the tensor {@code rope_freqs.weight} of a GGUF file whose formula is not known.
     *
     * @param divisors D/2 values, copied
     */
    record PerFrequency(float[] divisors) implements RopeScaling {
        public PerFrequency {
            divisors = divisors.clone();
            for (float divisor : divisors) {
                requirePositive("ropeScaling.divisors", divisor);
            }
        }

        @Override
        public float[] divisors() {
            return divisors.clone();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof PerFrequency that && Arrays.equals(divisors, that.divisors);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(divisors);
        }

        @Override
        public String toString() {
            return "PerFrequency" + Arrays.toString(divisors);
        }
    }

    /**
     * The D/2 angles per position.
     *
     * @param base θ, 10,000 for LLaMA-1 and 2, 500,000 for Llama-3
     * @param headSize D
     */
    default float[] frequencies(double base, int headSize) {
        float[] frequency = new float[headSize / 2];
        for (int i = 0; i < frequency.length; i++) {
            float exponent = (float) (2 * i) / headSize;
            frequency[i] = 1f / (float) Math.pow((float) base, exponent);
        }
        switch (this) {
            case None() -> {}
            case Linear(float factor) -> {
                for (int i = 0; i < frequency.length; i++) {
                    frequency[i] /= factor;
                }
            }
            case Llama3 formula -> {
                for (int i = 0; i < frequency.length; i++) {
                    frequency[i] = stretch(frequency[i], formula);
                }
            }
            case PerFrequency(float[] divisors) -> {
                if (divisors.length != frequency.length) {
                    throw new ConfigurationException(
                            "ropeScaling.divisors.length",
                            divisors.length,
                            "a head of " + headSize + " has " + frequency.length + " frequencies");
                }
                for (int i = 0; i < frequency.length; i++) {
                    frequency[i] /= divisors[i];
                }
            }
        }
        return frequency;
    }

    private static float stretch(float frequency, Llama3 formula) {
        float longest = formula.originalContextLength / formula.lowFrequencyFactor;
        float shortest = formula.originalContextLength / formula.highFrequencyFactor;
        float wavelength = (float) (2 * Math.PI) / frequency;
        if (wavelength > longest) {
            return frequency / formula.factor;
        }
        if (wavelength < shortest) {
            return frequency;
        }
        float smooth = (formula.originalContextLength / wavelength - formula.lowFrequencyFactor)
                / (formula.highFrequencyFactor - formula.lowFrequencyFactor);
        return (1 - smooth) * frequency / formula.factor + smooth * frequency;
    }

    private static void requirePositive(String field, float value) {
        if (!(value > 0) || Float.isInfinite(value)) {
            throw new ConfigurationException(field, value, "must be a positive number");
        }
    }
}
