package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.Sampling;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How tokens are chosen: the options of verbs that generate. */
final class SamplingOptions {
    private static final Pattern BIAS =
            Pattern.compile("(?<id>[0-9]{1,9})=(?<value>-inf|[+-]?[0-9]{1,9}(\\.[0-9]{1,9})?)");

    private final Value<Integer> maxTokens;
    private final Value<Double> temperature;
    private final Value<Integer> topK;
    private final Value<Double> topP;
    private final Value<Double> minP;
    private final Value<Double> repetitionPenalty;
    private final Value<Double> presencePenalty;
    private final Value<Double> frequencyPenalty;
    private final Value<Long> seed;
    private final Value<String> stop;
    private final Value<String> logitBias;
    private final int defaultMaxTokens;

    SamplingOptions(Options options, int defaultMaxTokens) {
        this.defaultMaxTokens = defaultMaxTokens;
        Sampling usual = Sampling.DEFAULT;
        maxTokens = options.integer(
                "-n,--max-tokens", "N", "At most so many tokens. Default: " + defaultMaxTokens + ".", 1);
        temperature = options.number(
                "-t,--temperature",
                "T",
                "0 takes the most probable token always. Default: " + usual.temperature() + ".",
                0,
                100);
        topK = options.integer("--top-k", "K", "Only the K most probable tokens; 0 for all. Default: 0.", 0);
        topP = options.number(
                "--top-p", "P", "Only the most probable ones that make up P. Default: " + usual.topP() + ".", 0, 1);
        minP = options.number(
                "--min-p", "P", "Only those at least P times as probable as the first. Default: 0.", 0, 1);
        repetitionPenalty = options.number(
                "--repeat-penalty", "X", "Makes what occurred less probable; 1 is off. Default: 1.", 0, 100);
        presencePenalty = options.number(
                "--presence-penalty", "X", "Taken from the logits of what occurred. Default: 0.", -100, 100);
        frequencyPenalty = options.number(
                "--frequency-penalty", "X", "The same, for each time it occurred. Default: 0.", -100, 100);
        seed = options.wholeNumber("--seed", "S", "The same seed gives the same text. Default: 0.");
        stop = options.texts("--stop", "TEXT", "End where this text comes; may be repeated.");
        logitBias = options.texts(
                "--logit-bias",
                "ID=X",
                "Added to the logit of a token; -inf forbids it. 'puna tokenizer encode' gives ids. May be repeated.");
    }

    GenerationOptions toGenerationOptions() {
        Sampling usual = Sampling.DEFAULT;
        Sampling sampling = usual.withTemperature(temperature.or(usual.temperature()))
                .withTopK(topK.or(usual.topK()))
                .withTopP(topP.or(usual.topP()))
                .withMinP(minP.or(usual.minP()))
                .withRepetitionPenalty(repetitionPenalty.or(usual.repetitionPenalty()))
                .withPresencePenalty(presencePenalty.or(usual.presencePenalty()))
                .withFrequencyPenalty(frequencyPenalty.or(usual.frequencyPenalty()))
                .withSeed(seed.or(usual.seed()))
                .withLogitBias(logitBias());
        return GenerationOptions.DEFAULT
                .withMaxTokens(maxTokens.or(defaultMaxTokens))
                .withSampling(sampling)
                .withStop(stop.all().toArray(String[]::new));
    }

    private Map<Integer, Double> logitBias() {
        Map<Integer, Double> biases = new TreeMap<>();
        for (String text : logitBias.all()) {
            Matcher matcher = BIAS.matcher(text);
            if (!matcher.matches()) {
                throw new UsageException("--logit-bias " + text + ": expected ID=X, as in 128009=-inf or 791=2.5");
            }
            String value = matcher.group("value");
            biases.put(
                    Integer.valueOf(matcher.group("id")),
                    value.equals("-inf") ? Double.NEGATIVE_INFINITY : Double.parseDouble(value));
        }
        return biases;
    }
}
