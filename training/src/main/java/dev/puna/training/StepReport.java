package dev.puna.training;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One line of {@code metrics.jsonl}.
 *
 * @param loss nats per valid token of the global batch, without z-loss
 * @param gradientNorm of the whole gradient, before clipping
 * @param tokens seen, with this step
 * @param epochs times that each source has been seen, with this step
 * @param seconds that the step took, without validation and samples
 * @param gigaflopsPerSecond 6·N + 6·L·C·T per token (the causal half of attention), per second
 * @param mfu of the measured peak, where it was measured
 * @param mfuFullAttention the same where attention counts 12·L·C·T, as some publish it
 * @param secondsLeft at the rate of the last steps
 * @param skipped why the step was not taken
 * @param rolledBackTo the step that the run went back to instead
 * @param validationLoss where this step was evaluated
 * @param bitsPerByte where this step was evaluated and the text's bytes are known
 * @param samples what the model wrote after this step
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public record StepReport(
        long step,
        double loss,
        double lr,
        double gradientNorm,
        long tokens,
        Map<String, Double> epochs,
        double seconds,
        double tokensPerSecond,
        double gigaflopsPerSecond,
        Optional<Double> mfu,
        Optional<Double> mfuFullAttention,
        double secondsLeft,
        Optional<String> skipped,
        Optional<Long> rolledBackTo,
        Optional<Double> validationLoss,
        Optional<Double> bitsPerByte,
        @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Sample> samples) {
    public StepReport {
        epochs = Map.copyOf(epochs);
        samples = samples == null ? List.of() : List.copyOf(samples);
    }

    /** A text that the model wrote. */
    public record Sample(String prompt, String text) {}
}
