package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import java.util.Map;

/**
 * How the next token is chosen from logits. Applied in this order: logit bias; repetition, presence and frequency
 * penalties; temperature; top-k; top-p; min-p; then one draw. Everything is computed in double precision.
 *
 * @param temperature divides the logits; 0 is greedy: the largest logit, the smallest id among equals
 * @param topK only the k most probable tokens; 0 keeps all
 * @param topP only the smallest set of most probable tokens whose probability reaches this; 1 keeps all (Holtzman et
 *     al. 2020)
 * @param minP only tokens at least this fraction as probable as the most probable one; 0 keeps all (Nguyen et al. 2024)
 * @param repetitionPenalty divides positive and multiplies negative logits of tokens that occurred in the prompt or the
 *     answer; 1 is off (Keskar et al. 2019)
 * @param presencePenalty subtracted once from the logit of every token of the answer so far
 * @param frequencyPenalty subtracted as often as a token occurred in the answer so far
 * @param penaltyWindow how many of the last tokens the three penalties look at; 0 looks at all
 * @param seed of the draws: the same seed, model and prompt give the same text
 * @param logitBias added to the logits of these ids; −∞ rules one out
 */
public record Sampling(
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        double presencePenalty,
        double frequencyPenalty,
        int penaltyWindow,
        long seed,
        Map<Integer, Double> logitBias) {

    /** The most probable token, always. */
    public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 1, 0, 0, 0, 0, Map.of());

    /** Temperature 0.6 and top-p 0.9, what Meta's Llama-3 releases recommend, with seed 0. */
    public static final Sampling DEFAULT = GREEDY.withTemperature(0.6).withTopP(0.9);

    public Sampling {
        require(temperature >= 0 && temperature <= 100, "temperature", temperature, "must be in [0, 100]");
        require(topK >= 0, "topK", topK, "must be 0 (all) or more");
        require(topP > 0 && topP <= 1, "topP", topP, "must be in (0, 1]");
        require(minP >= 0 && minP <= 1, "minP", minP, "must be in [0, 1]");
        require(
                repetitionPenalty > 0 && repetitionPenalty <= 100,
                "repetitionPenalty",
                repetitionPenalty,
                "must be in (0, 100], 1 is off");
        require(Math.abs(presencePenalty) <= 100, "presencePenalty", presencePenalty, "must be in [-100, 100]");
        require(Math.abs(frequencyPenalty) <= 100, "frequencyPenalty", frequencyPenalty, "must be in [-100, 100]");
        require(penaltyWindow >= 0, "penaltyWindow", penaltyWindow, "must be 0 (all) or more");
        for (Map.Entry<Integer, Double> bias : logitBias.entrySet()) {
            require(bias.getKey() >= 0, "logitBias", bias, "token ids are not negative");
            require(
                    bias.getValue() < Double.POSITIVE_INFINITY,
                    "logitBias",
                    bias,
                    "must be a number; only −∞, which rules a token out, may be infinite");
        }
        logitBias = Map.copyOf(logitBias);
    }

    public boolean isGreedy() {
        return temperature == 0;
    }

    /** Whether earlier tokens change the logits. */
    public boolean hasPenalties() {
        return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0;
    }

    public Sampling withTemperature(double value) {
        return new Sampling(
                value,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withTopK(int value) {
        return new Sampling(
                temperature,
                value,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withTopP(double value) {
        return new Sampling(
                temperature,
                topK,
                value,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withMinP(double value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                value,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withRepetitionPenalty(double value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                value,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withPresencePenalty(double value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                value,
                frequencyPenalty,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withFrequencyPenalty(double value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                value,
                penaltyWindow,
                seed,
                logitBias);
    }

    public Sampling withPenaltyWindow(int value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                value,
                seed,
                logitBias);
    }

    public Sampling withSeed(long value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                value,
                logitBias);
    }

    public Sampling withLogitBias(Map<Integer, Double> value) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                penaltyWindow,
                seed,
                value);
    }

    private static void require(boolean holds, String field, Object value, String hint) {
        if (!holds) {
            throw new ConfigurationException(field, value, hint);
        }
    }
}
