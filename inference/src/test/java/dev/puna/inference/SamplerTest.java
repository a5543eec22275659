package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.tensor.ConfigurationException;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final float[] LOGITS = {1, 3, 2, 3, -1, Float.NEGATIVE_INFINITY};
    private static final Sampling WARM = Sampling.GREEDY.withTemperature(1);
    private static final int[] NO_PROMPT = {};

    @Test
    void greedyTakesTheFirstOfTheLargest() {
        assertThat(next(Sampling.GREEDY, LOGITS)).isEqualTo(1);
        assertThat(next(Sampling.GREEDY, Float.NaN, 2, Float.NaN, 5)).isEqualTo(3);
        assertThatThrownBy(() -> next(Sampling.GREEDY, Float.NaN, Float.NaN))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void drawsWithTheModelsProbabilities() {
        double[] share = shares(WARM, LOGITS, 40_000);
        double sum = 0;
        for (float logit : LOGITS) {
            sum += Math.exp(logit);
        }
        for (int i = 0; i < LOGITS.length; i++) {
            assertThat(share[i]).isCloseTo(Math.exp(LOGITS[i]) / sum, within(0.01));
        }
        assertThat(share[5]).isZero();
    }

    @Test
    void temperatureSharpensAndFlattens() {
        double[] cold = shares(WARM.withTemperature(0.25), LOGITS, 10_000);
        assertThat(cold[2]).isCloseTo(Math.exp(-4) / (2 + Math.exp(-4) + Math.exp(-8)), within(0.004));
        double[] hot = shares(WARM.withTemperature(100), LOGITS, 20_000);
        assertThat(hot[4]).isCloseTo(0.2, within(0.02));
    }

    @Test
    void topKKeepsTheLargestAndOfEqualsTheSmallerIds() {
        assertThat(seen(WARM.withTopK(1), LOGITS)).containsExactly(1);
        assertThat(seen(WARM.withTopK(2), LOGITS)).containsExactly(1, 3);
        assertThat(seen(WARM.withTopK(3), LOGITS)).containsExactly(1, 2, 3);
        assertThat(seen(WARM.withTopK(100), LOGITS)).containsExactly(0, 1, 2, 3, 4);
    }

    @Test
    void topPKeepsTheSmallestSetThatReachesIt() {
        // probabilities 0.5, 0.25, 0.125, 0.125
        float[] logits = logs(0.125, 0.5, 0.25, 0.125);
        assertThat(seen(WARM.withTopP(0.4), logits)).containsExactly(1);
        assertThat(seen(WARM.withTopP(0.51), logits)).containsExactly(1, 2);
        assertThat(seen(WARM.withTopP(0.76), logits)).containsExactly(0, 1, 2);
        assertThat(seen(WARM.withTopP(0.99), logits)).containsExactly(0, 1, 2, 3);
    }

    @Test
    void minPKeepsWhatIsProbableEnoughBesideTheBest() {
        float[] logits = logs(0.125, 0.5, 0.25, 0.125);
        assertThat(seen(WARM.withMinP(0.51), logits)).containsExactly(1);
        assertThat(seen(WARM.withMinP(0.49), logits)).containsExactly(1, 2);
        assertThat(seen(WARM.withMinP(0.2), logits)).containsExactly(0, 1, 2, 3);
        assertThat(seen(WARM.withTopK(2).withMinP(0.49), logits)).containsExactly(1, 2);
    }

    @Test
    void topPOfLargeVocabulariesEqualsSorting() {
        Random random = new Random(5);
        float[] logits = new float[5000];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (2 * random.nextGaussian());
        }
        double p = 0.3;
        Integer[] order = new Integer[logits.length];
        double sum = 0;
        for (int i = 0; i < order.length; i++) {
            order[i] = i;
            sum += Math.exp(logits[i]);
        }
        java.util.Arrays.sort(order, (a, b) -> Float.compare(logits[b], logits[a]));
        Set<Integer> nucleus = new TreeSet<>();
        double reached = 0;
        for (int i = 0; reached < p * sum; i++) {
            nucleus.add(order[i]);
            reached += Math.exp(logits[order[i]]);
        }
        assertThat(nucleus).hasSizeBetween(20, 500);
        assertThat(seen(WARM.withTopP(p), logits)).isSubsetOf(nucleus).hasSizeGreaterThan(nucleus.size() / 2);
    }

    /** The same tokens as sorting everything by the definition, in the same order of sums. */
    @Test
    void selectionDrawsWhatSortingDraws() {
        Random random = new Random(11);
        int later = 0;
        for (int round = 0; round < 400; round++) {
            int size = 2 + random.nextInt(round % 20 == 0 ? 20_000 : 300);
            double spread = Math.pow(10, 3 * random.nextDouble() - 1.5);
            boolean ties = random.nextBoolean();
            float[] logits = new float[size];
            for (int i = 0; i < size; i++) {
                double value = spread * random.nextGaussian();
                logits[i] = (float) (ties ? Math.rint(value) : value);
                if (random.nextInt(50) == 0) {
                    logits[i] = random.nextBoolean() ? Float.NEGATIVE_INFINITY : Float.NaN;
                }
            }
            logits[random.nextInt(size)] = 0.5f;
            Sampling sampling = WARM.withTemperature(0.2 + 2 * random.nextDouble())
                    .withTopP(random.nextInt(8) == 0 ? 1e-9 : 1 - Math.pow(10, -5 * random.nextDouble()) / 1.01)
                    .withTopK(random.nextInt(3) == 0 ? 1 + random.nextInt(40) : 0)
                    .withMinP(random.nextInt(3) == 0 ? 0.2 * random.nextDouble() : 0)
                    .withSeed(random.nextLong())
                    .withLogitBias(random.nextBoolean() ? Map.of(0, 1e-14, size - 1, -3.0) : Map.of());
            Sampler selecting = new Sampler(sampling, size, NO_PROMPT);
            SortingSampler sorting = new SortingSampler(sampling);
            for (int draw = 0; draw < 10; draw++) {
                int expected = sorting.next(logits);
                assertThat(selecting.next(logits))
                        .as("%s of %s", sampling, size)
                        .isEqualTo(expected);
                later += sorting.place > 0 ? 1 : 0;
            }
        }
        assertThat(later).isBetween(500, 3_500); // of 4,000: not only the most probable
    }

    @Test
    void differentLogitsOfEqualWeightKeepTheirOrder() {
        double tiny = Math.ulp(1.0); // too little for another weight, enough for another place
        float[] logits = {1, 1, 1, 1, 1, 1, 1, 1};
        Sampling sampling = WARM.withTemperature(100).withTopP(0.999);
        Map<Integer, Double> bias = new java.util.HashMap<>();
        for (int id = 0; id < 8; id++) {
            bias.put(id, tiny * (id * 5 % 8) - 1);
        }
        Sampler selecting = new Sampler(sampling.withLogitBias(bias), 8, NO_PROMPT);
        SortingSampler sorting = new SortingSampler(sampling.withLogitBias(bias));
        for (int draw = 0; draw < 200; draw++) {
            assertThat(selecting.next(logits)).isEqualTo(sorting.next(logits));
        }
    }

    /** Top-k, top-p and min-p as their definitions say it, with everything sorted. */
    private static final class SortingSampler {
        private final Sampling sampling;
        private final java.util.SplittableRandom draws; // SplitMix64, too; its doubles are made in the same way
        int place;

        SortingSampler(Sampling sampling) {
            this.sampling = sampling;
            this.draws = new java.util.SplittableRandom(sampling.seed());
        }

        int next(float[] raw) {
            double[] logits = new double[raw.length];
            for (int i = 0; i < raw.length; i++) {
                logits[i] = raw[i] + sampling.logitBias().getOrDefault(i, 0.0);
            }
            double max = java.util.Arrays.stream(logits)
                    .filter(logit -> !Double.isNaN(logit))
                    .max()
                    .orElseThrow();
            java.util.function.IntToDoubleFunction weight =
                    id -> logits[id] <= max ? Math.exp((logits[id] - max) / sampling.temperature()) : 0;
            java.util.Comparator<Integer> falling = java.util.Comparator.<Integer>comparingDouble(id -> -logits[id])
                    .thenComparingInt(id -> id);
            java.util.List<Integer> ids = new java.util.ArrayList<>();
            for (int id = 0; id < logits.length; id++) {
                if (sampling.topK() > 0 && sampling.topK() < logits.length
                        ? !Double.isNaN(logits[id])
                        : weight.applyAsDouble(id) > 0) {
                    ids.add(id);
                }
            }
            if (sampling.topK() > 0 && sampling.topK() < logits.length) {
                ids.sort(falling);
                ids = ids.subList(0, Math.min(sampling.topK(), ids.size()));
            }
            double sum = 0;
            for (int id : ids) {
                sum += weight.applyAsDouble(id);
            }
            double tail = (1 - sampling.topP()) * sum / ids.size();
            java.util.List<Integer> nucleus = new java.util.ArrayList<>(ids);
            nucleus.removeIf(id -> weight.applyAsDouble(id) < tail);
            nucleus.sort(falling);
            double reached = 0;
            int size = 0;
            while (size < nucleus.size() && !(reached >= sampling.topP() * sum)) {
                reached += weight.applyAsDouble(nucleus.get(size++));
            }
            nucleus = nucleus.subList(0, size);
            nucleus.removeIf(id -> weight.applyAsDouble(id) < sampling.minP());
            double total = 0;
            for (int id : nucleus) {
                total += weight.applyAsDouble(id);
            }
            double target = draws.nextDouble() * total;
            reached = 0;
            for (place = 0; place < nucleus.size() - 1; place++) {
                reached += weight.applyAsDouble(nucleus.get(place));
                if (reached > target) {
                    break;
                }
            }
            return nucleus.get(place);
        }
    }

    @Test
    void penaltiesCountTheAnswerAndRepetitionThePromptToo() {
        float[] logits = {2, 1.9f, 1.8f, -1};
        // presence: once for each token of the answer
        Sampler presence = new Sampler(Sampling.GREEDY.withPresencePenalty(0.15), 4, new int[] {0});
        assertThat(next(presence, logits, 5)).containsExactly(0, 1, 0, 0, 0);
        // frequency: 0 falls by 0.15 each time it is chosen
        Sampler frequency = new Sampler(Sampling.GREEDY.withFrequencyPenalty(0.15), 4, NO_PROMPT);
        assertThat(next(frequency, logits, 5)).containsExactly(0, 1, 0, 2, 1);
        // repetition: the prompt's 0 counts
        Sampler repetition = new Sampler(Sampling.GREEDY.withRepetitionPenalty(1.5), 4, new int[] {0});
        assertThat(next(repetition, logits, 3)).containsExactly(1, 2, 0);
        // a window of one token
        Sampler window = new Sampler(Sampling.GREEDY.withRepetitionPenalty(1.5).withPenaltyWindow(1), 4, NO_PROMPT);
        assertThat(next(window, logits, 4)).containsExactly(0, 1, 0, 1);
        // negative logits grow more negative
        assertThat(next(
                        new Sampler(Sampling.GREEDY.withRepetitionPenalty(2), 2, new int[] {0}),
                        new float[] {-1, -1.5f},
                        1))
                .containsExactly(1);
    }

    @Test
    void logitBiasForcesAndForbids() {
        assertThat(next(Sampling.GREEDY.withLogitBias(Map.of(4, 100.0)), LOGITS))
                .isEqualTo(4);
        assertThat(seen(WARM.withLogitBias(Map.of(1, -1000.0, 3, Double.NEGATIVE_INFINITY)), LOGITS))
                .doesNotContain(1, 3);
        assertThatThrownBy(() -> next(Sampling.GREEDY.withLogitBias(Map.of(6, 1.0)), LOGITS))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("6 tokens");
    }

    @Test
    void theSeedDecides() {
        int[] first = next(new Sampler(WARM.withSeed(7), 6, NO_PROMPT), LOGITS, 50);
        assertThat(next(new Sampler(WARM.withSeed(7), 6, NO_PROMPT), LOGITS, 50))
                .isEqualTo(first);
        assertThat(next(new Sampler(WARM.withSeed(8), 6, NO_PROMPT), LOGITS, 50))
                .isNotEqualTo(first);
        // SplitMix64 with seed 1234567, from its reference implementation: 6457827717110365317 is the first output
        float[] thousand = new float[1000];
        int expected = (int) ((6457827717110365317L >>> 11) * 0x1.0p-53 * 1000);
        assertThat(new Sampler(WARM.withSeed(1234567), 1000, NO_PROMPT).next(thousand))
                .isEqualTo(expected);
    }

    @Test
    void refusesSettingsThatCannotWork() {
        assertThatThrownBy(() -> Sampling.GREEDY.withTemperature(-1)).hasMessageContaining("temperature=-1");
        assertThatThrownBy(() -> Sampling.GREEDY.withTopP(0)).hasMessageContaining("topP=0");
        assertThatThrownBy(() -> Sampling.GREEDY.withTopP(Double.NaN)).hasMessageContaining("topP=NaN");
        assertThatThrownBy(() -> Sampling.GREEDY.withMinP(2)).hasMessageContaining("minP=2");
        assertThatThrownBy(() -> Sampling.GREEDY.withRepetitionPenalty(0)).hasMessageContaining("repetitionPenalty");
    }

    @Test
    void logProbabilitiesSumToOne() {
        double sum = 0;
        for (int i = 0; i < LOGITS.length; i++) {
            sum += Math.exp(Sampler.logProbability(LOGITS, i));
        }
        assertThat(sum).isCloseTo(1, within(1e-12));
        assertThat(Sampler.largest(LOGITS, 4)).containsExactly(1, 3, 2, 0);
        assertThat(Sampler.largest(LOGITS, 0)).isEmpty();
    }

    private static float[] logs(double... probabilities) {
        float[] logits = new float[probabilities.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(probabilities[i]);
        }
        return logits;
    }

    private static int next(Sampling sampling, float... logits) {
        return new Sampler(sampling, logits.length, NO_PROMPT).next(logits);
    }

    private static int[] next(Sampler sampler, float[] logits, int count) {
        int[] ids = new int[count];
        for (int i = 0; i < count; i++) {
            ids[i] = sampler.next(logits);
        }
        return ids;
    }

    private static double[] shares(Sampling sampling, float[] logits, int draws) {
        Sampler sampler = new Sampler(sampling, logits.length, NO_PROMPT);
        double[] share = new double[logits.length];
        for (int i = 0; i < draws; i++) {
            share[sampler.next(logits)] += 1.0 / draws;
        }
        return share;
    }

    private static Set<Integer> seen(Sampling sampling, float[] logits) {
        Sampler sampler = new Sampler(sampling, logits.length, NO_PROMPT);
        Set<Integer> seen = new TreeSet<>();
        for (int i = 0; i < 2000; i++) {
            seen.add(sampler.next(logits));
        }
        return seen;
    }

    @Test
    void infiniteLogitsAreRefusedAndWhatIsNoNumberIsNotChosen() {
        float[] infinite = {1, Float.POSITIVE_INFINITY, 2};
        float[] broken = {1, Float.NaN, 2, Float.NEGATIVE_INFINITY};
        Sampling warm = Sampling.GREEDY.withTemperature(1);
        for (Sampling sampling : java.util.List.of(
                Sampling.GREEDY,
                Sampling.GREEDY.withRepetitionPenalty(2),
                warm,
                warm.withTopK(2),
                warm.withTopP(0.5),
                warm.withMinP(0.1))) {
            assertThatThrownBy(() -> new Sampler(sampling, 3, new int[0]).next(infinite))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("infinite");
            assertThatThrownBy(() -> new Sampler(sampling, 1, new int[0]).next(new float[] {Float.NaN}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("no logit is a number");
            Sampler sampler = new Sampler(sampling, 4, new int[0]);
            for (int i = 0; i < 50; i++) {
                assertThat(sampler.next(broken)).isIn(0, 2);
            }
        }
        assertThatThrownBy(() -> warm.withLogitBias(Map.of(1, Double.POSITIVE_INFINITY)))
                .isInstanceOf(ConfigurationException.class);
        Sampler without = new Sampler(warm.withLogitBias(Map.of(2, Double.NEGATIVE_INFINITY)), 4, new int[0]);
        for (int i = 0; i < 50; i++) {
            assertThat(without.next(broken)).isZero();
        }
    }
}
