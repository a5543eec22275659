package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Guessing changes nothing but the number of steps. */
@Timeout(120)
class SpeculationTest {
    private static final Path GOLDEN = Path.of("../model/src/test/resources/golden");
    private static final Path MODEL = GOLDEN.resolve("llama-3");
    private static final LlamaOptions ONE = LlamaOptions.defaults().withThreads(1);
    private static final EngineOptions OPTIONS =
            EngineOptions.defaults().withModel(ONE.withThreads(2)).withPageLength(4);
    private static final int VOCABULARY = 120;
    private static final int DRAWN = 6;
    private static final long POSITION_BYTES = 2 * 2 * 2 * 16 * 4;

    /** A draft that is always right, one that knows nothing, both in pools too small, and guesses of both kinds. */
    @ParameterizedTest
    @CsvSource({
        "llama-3,   4, 4096, 0, 64",
        "llama-3.1, 3, 4096, 0, 64",
        "llama-3,   7, 200,  0, 8",
        "llama-3.1, 2, 300,  3, 5"
    })
    void aDraftChangesNothing(String draft, int tokens, int positions, int lookup, int mixedPrefill) throws Exception {
        EngineOptions options = OPTIONS.withDraft(GOLDEN.resolve(draft))
                .withDraftTokens(tokens)
                .withLookupTokens(lookup)
                .withMixedPrefill(mixedPrefill)
                .withMaxSequences(6)
                .withKvBytes(positions * POSITION_BYTES * 2);
        Random random = new Random(tokens);
        try (Llama llama = Llama.load(MODEL, ONE);
                Engine engine = Engine.load(MODEL, options)) {
            for (int mix = 0; mix < 40; mix++) {
                List<EngineRequest> requests = new ArrayList<>();
                List<Generation> generations = new ArrayList<>();
                for (int i = random.nextInt(5); i >= 0; i--) {
                    int[] prompt =
                            random.ints(1 + random.nextInt(60), 3, VOCABULARY).toArray();
                    Sampling sampling = random.nextBoolean()
                            ? Sampling.GREEDY
                            : Sampling.GREEDY
                                    .withTemperature(0.4 + random.nextDouble())
                                    .withTopP(random.nextBoolean() ? 0.8 : 1)
                                    .withRepetitionPenalty(random.nextBoolean() ? 1.3 : 1)
                                    .withSeed(random.nextInt(100));
                    GenerationOptions how = GenerationOptions.DEFAULT
                            .withMaxTokens(1 + random.nextInt(40))
                            .withSampling(sampling)
                            .withLogProbabilities(1);
                    requests.add(EngineRequest.of(prompt, how).withChoices(1 + random.nextInt(2)));
                    generations.add(EngineTest.accept(engine.submit(requests.getLast())));
                    if (random.nextInt(12) == 0) {
                        generations.getLast().cancel();
                    }
                }
                for (int i = 0; i < requests.size(); i++) {
                    EngineResult result = generations.get(i).await();
                    if (generations.get(i).isCancelled()) {
                        continue;
                    }
                    EngineRequest request = requests.get(i);
                    Sampling sampling = request.options().sampling();
                    for (int choice = 0; choice < request.choices(); choice++) {
                        GenerationResult expected = llama.generate(
                                request.prompt(),
                                request.options().withSampling(sampling.withSeed(sampling.seed() + choice)));
                        assertThat(result.choices().get(choice).tokens()).isEqualTo(expected.tokens());
                    }
                }
            }
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            EngineCounters counters = engine.counters();
            assertThat(counters.pagesUsed()).isZero();
            assertThat(engine.draftPagesUsed()).isZero();
            assertThat(counters.failed()).isZero();
            assertThat(counters.acceptedTokens()).isPositive();
            if (draft.equals("llama-3") && positions > 1000) {
                // all but those whose penalties depend on guesses before them
                assertThat(counters.acceptedTokens()).isGreaterThan(counters.draftedTokens() * 9 / 10);
            }
        }
    }

    @Test
    void aDraftThatIsRightSavesSteps() throws IOException {
        int[] prompt = {5, 9, 11, 40};
        GenerationOptions greedy =
                GenerationOptions.DEFAULT.withSampling(Sampling.GREEDY).withMaxTokens(60);
        try (Engine plain = Engine.load(MODEL, OPTIONS);
                Engine drafted = Engine.load(MODEL, OPTIONS.withDraft(MODEL).withDraftTokens(5))) {
            int[] expected =
                    plain.generate(EngineRequest.of(prompt, greedy)).first().ids();
            assertThat(drafted.generate(EngineRequest.of(prompt, greedy))
                            .first()
                            .ids())
                    .isEqualTo(expected);
            assertThat(plain.counters().steps()).isEqualTo(60);
            // the prompt, then six tokens a step
            assertThat(drafted.counters().steps()).isEqualTo(1 + 10);
        }
    }

    @Test
    void refusesADraftOfAnotherVocabulary() {
        assertThatThrownBy(() -> Engine.load(MODEL, OPTIONS.withDraft(GOLDEN.resolve("llama-1"))))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("131")
                .hasMessageContaining("120");
        assertThatThrownBy(() -> Engine.load(MODEL, OPTIONS.withDraft(GOLDEN.resolve("nothing"))))
                .isInstanceOf(IOException.class);
    }

    /**
     * Six tokens drawn with 4,000 seeds, each one of two, beside what the model's own probabilities say: without
     * guesses, looked up, by a good draft, by a bad one.
     */
    @ParameterizedTest
    @CsvSource({"0, ''", "3, ''", "0, llama-3", "0, llama-3.1"})
    void sampledTokensHaveTheModelsDistribution(int lookup, String draft) throws IOException {
        // All pairs of the two words, so that lookup always finds something.
        int[] prompt = {5, 20, 20, 21, 21, 20, 21, 20, 20, 21};
        Sampling warm = Sampling.GREEDY.withTemperature(1).withLogitBias(Map.of(20, 200.0, 21, 200.0));
        GenerationOptions six = GenerationOptions.DEFAULT.withSampling(warm).withMaxTokens(DRAWN);
        int draws = 4000;
        EngineOptions options = OPTIONS.withLookupTokens(lookup);
        if (!draft.isEmpty()) {
            options = options.withDraft(GOLDEN.resolve(draft)).withDraftTokens(3);
        }
        int[] counts = new int[1 << DRAWN];
        try (Engine engine = Engine.load(MODEL, options)) {
            // few at once, so that each has room for guesses
            for (int from = 0; from < draws; from += 4) {
                List<Generation> generations = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    generations.add(EngineTest.accept(engine.submit(
                            EngineRequest.of(prompt, six.withSampling(warm.withSeed(31L * (from + i)))))));
                }
                for (Generation generation : generations) {
                    int cell = 0;
                    for (int id : generation.await().first().ids()) {
                        assertThat(id).isIn(20, 21);
                        cell = 2 * cell + id - 20;
                    }
                    counts[cell]++;
                }
            }
            EngineCounters counters = engine.counters();
            assertThat(counters.acceptedTokens() > 0).isEqualTo(lookup > 0 || !draft.isEmpty());
            // a good draft draws with the same numbers from the same probabilities
            assertThat(counters.acceptedTokens() < counters.draftedTokens())
                    .isEqualTo(lookup > 0 || draft.equals("llama-3.1"));
        }
        double chiSquare = 0;
        int cells = 0;
        double restExpected = 0;
        double restSeen = 0;
        double[] probabilities = probabilities(prompt);
        for (int cell = 0; cell < counts.length; cell++) {
            double expected = probabilities[cell] * draws;
            if (expected < 5) { // too few for the statistic: together they are one cell
                restExpected += expected;
                restSeen += counts[cell];
            } else {
                chiSquare += (counts[cell] - expected) * (counts[cell] - expected) / expected;
                cells++;
            }
        }
        if (restExpected > 0) {
            chiSquare += (restSeen - restExpected) * (restSeen - restExpected) / restExpected;
            cells++;
        }
        assertThat(cells).isGreaterThan(15);
        assertThat(chiSquare).isLessThan(quantile999(cells - 1));
    }

    /** Of each of the 64 continuations: the product of its tokens' shares of the two probabilities. */
    private static double[] probabilities(int[] prompt) throws IOException {
        double[] probabilities = new double[1 << DRAWN];
        try (Llama llama = Llama.load(MODEL, ONE)) {
            for (int cell = 0; cell < probabilities.length; cell++) {
                int[] ids = Arrays.copyOf(prompt, prompt.length + DRAWN);
                for (int i = 0; i < DRAWN; i++) {
                    ids[prompt.length + i] = 20 + (cell >> (DRAWN - 1 - i) & 1);
                }
                double product = 1;
                double[] own = llama.score(ids, 1, new Cancellation()).logProbabilities();
                for (int i = 0; i < DRAWN; i++) {
                    int[] others = Arrays.copyOf(ids, prompt.length + i + 1);
                    others[prompt.length + i] = 41 - others[prompt.length + i];
                    double[] other = llama.score(others, 1, new Cancellation()).logProbabilities();
                    int at = prompt.length + i - 1;
                    product /= 1 + Math.exp(other[at] - own[at]);
                }
                probabilities[cell] = product;
            }
        }
        return probabilities;
    }

    /** What chi-square exceeds once in a thousand (Wilson and Hilferty 1931). */
    private static double quantile999(int degrees) {
        double part = 2.0 / (9 * degrees);
        return degrees * Math.pow(1 - part + 3.0902 * Math.sqrt(part), 3);
    }
}
