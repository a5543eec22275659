package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.model.LoraAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random mixes of requests (lengths, common beginnings, sampling, several choices, adapters, log-probabilities, some of
 * them cancelled under way), each held against what it gives alone, to the bit: requests of the base model against
 * {@link Llama}, which knows no pages and no batches, those of adapters against an engine that has nothing else to do.
 */
@Timeout(580)
class RequestMixTest {
    private static final Path GOLDEN = Path.of("../model/src/test/resources/golden");
    private static final Path MODEL = GOLDEN.resolve("llama-3");
    private static final LlamaOptions ONE =
            LlamaOptions.defaults().withThreads(1).withKv(LlamaOptions.KvType.F32);
    private static final int VOCABULARY = 120;

    /** Bytes of one position: two layers, keys and values, two heads of 16 F32. */
    private static final long POSITION_BYTES = 2 * 2 * 2 * 16 * 4;

    private static final List<String> ADAPTERS = List.of("everything", "queries-and-values", "patterns");

    /** What a request asks of any engine; adapters belong to one. */
    private record Wish(EngineRequest request, Optional<String> adapter) {
        EngineRequest in(Engine engine) {
            return adapter.map(name -> request.withAdapter(loaded(engine, name)))
                    .orElse(request);
        }

        private static LoraAdapter loaded(Engine engine, String name) {
            return engine.adapter(name).orElseThrow();
        }
    }

    /** What a wish gives alone. */
    private record Alone(List<GenerationResult> choices, double[] promptLogProbabilities) {}

    /**
     * One way to run an engine.
     *
     * @param positions how many the pool of pages holds; one long sequence takes 125
     */
    private record Way(int pageLength, int positions, int mixedPrefill, int lookup, int draft, boolean sharing) {
        EngineOptions options() {
            EngineOptions options = EngineOptions.defaults()
                    .withModel(ONE.withThreads(2).withChunk(24))
                    .withPageLength(pageLength)
                    .withKvBytes(positions * POSITION_BYTES * (draft > 0 ? 2 : 1))
                    .withMixedPrefill(mixedPrefill)
                    .withLookupTokens(lookup)
                    .withPrefixSharing(sharing)
                    .withMaxSequences(6);
            return draft == 0 ? options : options.withDraft(MODEL).withDraftTokens(draft);
        }

        boolean small() {
            return positions < 250;
        }
    }

    /** Roomy; hardly more than one sequence; with lookup; without sharing; with a draft model in a small pool. */
    private static final List<Way> WAYS = List.of(
            new Way(4, 4096, 64, 0, 0, true),
            new Way(4, 132, 5, 0, 0, true),
            new Way(8, 160, 16, 4, 0, true),
            new Way(1, 150, 3, 2, 0, false),
            new Way(4, 180, 8, 0, 3, true));

    static Stream<Arguments> ways() {
        return WAYS.stream().map(Arguments::of);
    }

    @ParameterizedTest
    @MethodSource("ways")
    void someMixes(Way way) throws Exception {
        mixes(way, 40, 30);
    }

    /** Five ways, 200 mixes each. */
    @Tag("slow")
    @Test
    void aThousandMixes() throws Exception {
        for (Way way : WAYS) {
            mixes(way, 200, 120);
        }
    }

    private static void mixes(Way way, int count, int wishCount) throws Exception {
        Random random = new Random(31L * WAYS.indexOf(way) + count);
        List<Wish> wishes = wishes(random, wishCount);
        List<Alone> alone = alone(wishes);
        try (Engine engine = withAdapters(way.options())) {
            for (int mix = 0; mix < count; mix++) {
                List<Integer> asked = new ArrayList<>();
                List<Generation> generations = new ArrayList<>();
                List<Generation> toCancel = new ArrayList<>();
                for (int i = random.nextInt(8); i >= 0; i--) {
                    int which = random.nextInt(wishes.size());
                    asked.add(which);
                    generations.add(
                            EngineTest.accept(engine.submit(wishes.get(which).in(engine))));
                    if (random.nextInt(10) == 0) {
                        toCancel.add(generations.getLast());
                    }
                }
                for (Generation generation : toCancel) {
                    await(engine, generation, random.nextInt(12));
                    generation.cancel();
                }
                for (int i = 0; i < asked.size(); i++) {
                    check(generations.get(i), wishes.get(asked.get(i)), alone.get(asked.get(i)));
                }
            }
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            EngineCounters counters = engine.counters();
            assertThat(counters.pagesUsed()).isZero();
            assertThat(engine.draftPagesUsed()).isZero();
            assertThat(counters.running()).isZero();
            assertThat(counters.failed()).isZero();
            assertThat(counters.finished()).isPositive();
            assertThat(counters.cancelled()).isPositive();
            assertThat(counters.reusedTokens() > 0).isEqualTo(way.sharing());
            assertThat(counters.preemptions() > 0).isEqualTo(way.small());
            assertThat(counters.acceptedTokens() > 0).isEqualTo(way.lookup() + way.draft() > 0);
        }
    }

    /** Until the engine has made some steps, or the generation has ended. */
    private static void await(Engine engine, Generation generation, int steps) {
        long end = engine.counters().steps() + steps;
        while (engine.counters().steps() < end && !generation.isDone()) {
            Thread.onSpinWait();
        }
    }

    private static void check(Generation generation, Wish wish, Alone alone) {
        EngineResult actual = generation.await();
        assertThat(actual.choices()).hasSameSizeAs(alone.choices());
        boolean whole = true;
        for (int choice = 0; choice < actual.choices().size(); choice++) {
            GenerationResult result = actual.choices().get(choice);
            GenerationResult expected = alone.choices().get(choice);
            if (result.finishReason() == FinishReason.CANCELLED) {
                assertThat(generation.isCancelled()).isTrue();
                whole = false;
                assertThat(result.tokens())
                        .isEqualTo(expected.tokens().subList(0, result.tokens().size()));
            } else {
                assertThat(result.tokens()).isEqualTo(expected.tokens());
                assertThat(result.text()).isEqualTo(expected.text());
                assertThat(result.finishReason()).isEqualTo(expected.finishReason());
            }
        }
        if (whole && wish.request().promptLogProbabilities()) {
            assertThat(actual.promptTokens().stream()
                            .mapToDouble(token -> token.logProbability().orElseThrow())
                            .toArray())
                    .isEqualTo(alone.promptLogProbabilities());
        }
    }

    private static Engine withAdapters(EngineOptions options) throws IOException {
        Engine engine = Engine.load(MODEL, options);
        for (String name : ADAPTERS) {
            engine.loadAdapter(name, GOLDEN.resolve("lora").resolve(name));
        }
        return engine;
    }

    /** Prompts of 1 to 100 tokens, most with the same beginning; answers of up to 24 tokens, one to three of them. */
    private static List<Wish> wishes(Random random, int count) {
        int[] common = random.ints(70, 3, VOCABULARY).toArray();
        List<Wish> wishes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] prompt = Arrays.copyOf(common, 1 + random.nextInt(common.length + 30));
            for (int at = Math.min(prompt.length - 1, random.nextInt(common.length)); at < prompt.length; at++) {
                prompt[at] = 3 + random.nextInt(VOCABULARY - 3);
            }
            GenerationOptions options = GenerationOptions.DEFAULT
                    .withMaxTokens(1 + random.nextInt(24))
                    .withSampling(sampling(random))
                    .withStopIds(random.nextBoolean() ? Set.of(7, 50, 90) : Set.of());
            options = random.nextBoolean() ? options.withLogProbabilities(random.nextInt(4)) : options;
            EngineRequest request = EngineRequest.of(prompt, options)
                    .withClient("client " + random.nextInt(3))
                    .withChoices(random.nextInt(3) == 0 ? 2 + random.nextInt(2) : 1);
            boolean adapted = random.nextInt(3) == 0;
            wishes.add(new Wish(
                    request.withPromptLogProbabilities(!adapted && prompt.length > 1 && random.nextInt(5) == 0),
                    adapted ? Optional.of(ADAPTERS.get(random.nextInt(ADAPTERS.size()))) : Optional.empty()));
        }
        return wishes;
    }

    private static Sampling sampling(Random random) {
        Sampling sampling = Sampling.GREEDY;
        if (random.nextBoolean()) {
            sampling = sampling.withTemperature(0.5 + random.nextDouble()).withSeed(random.nextInt(5));
            sampling = random.nextBoolean() ? sampling.withTopK(1 + random.nextInt(30)) : sampling;
            sampling = random.nextBoolean() ? sampling.withTopP(0.5 + random.nextDouble() / 2) : sampling;
            sampling = random.nextInt(4) == 0 ? sampling.withMinP(0.05) : sampling;
            sampling = random.nextBoolean() ? sampling.withRepetitionPenalty(1.2) : sampling;
            sampling = random.nextBoolean() ? sampling.withFrequencyPenalty(0.4) : sampling;
        }
        return random.nextInt(4) == 0 ? sampling.withLogitBias(Map.of(11, 2.0, 12, -100.0)) : sampling;
    }

    private static List<Alone> alone(List<Wish> wishes) throws IOException {
        List<Alone> alone = new ArrayList<>();
        EngineOptions single =
                EngineOptions.defaults().withModel(ONE).withPrefixSharing(false).withMaxSequences(1);
        try (Llama llama = Llama.load(MODEL, ONE);
                Engine adapted = withAdapters(single)) {
            for (Wish wish : wishes) {
                int[] prompt = wish.request().prompt();
                GenerationOptions options = wish.request().options();
                List<GenerationResult> choices = new ArrayList<>();
                for (int choice = 0; choice < wish.request().choices(); choice++) {
                    Sampling sampling = options.sampling();
                    GenerationOptions one = options.withSampling(sampling.withSeed(sampling.seed() + choice));
                    choices.add(
                            wish.adapter().isEmpty()
                                    ? llama.generate(prompt, one)
                                    : adapted.generate(
                                                    new Wish(EngineRequest.of(prompt, one), wish.adapter()).in(adapted))
                                            .first());
                }
                alone.add(new Alone(
                        choices,
                        wish.request().promptLogProbabilities()
                                ? llama.score(prompt, 1, new Cancellation()).logProbabilities()
                                : new double[0]));
            }
        }
        return alone;
    }
}
