package dev.puna.training;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Optional;

/**
 * One line of {@code metrics.jsonl}.
 *
 * @param loss nats per valid token of the global batch, without z-loss
 * @param gradientNorm of the whole gradient, before clipping
 * @param tokens seen, with this step
 * @param gigaflopsPerSecond 6·N + 6·L·C·T per token (the causal half of attention), per second
 * @param mfu of the measured peak, where it was measured
 * @param skipped why the step was not taken
 * @param validationLoss where this step was evaluated
 * @param bitsPerByte where this step was evaluated and the text's bytes per token are known
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public record StepReport(
        long step,
        double loss,
        double lr,
        double gradientNorm,
        long tokens,
        double epoch,
        double tokensPerSecond,
        double gigaflopsPerSecond,
        Optional<Double> mfu,
        double secondsLeft,
        Optional<String> skipped,
        Optional<Double> validationLoss,
        Optional<Double> bitsPerByte) {}
