package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.formats.Safetensors;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaPreset;
import dev.puna.model.RopeScaling;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The engine held against the single-sequence path: everything must be the same, to the bit. */
@Timeout(60)
class EngineTest {
    private static final Path MODEL = Path.of("../model/src/test/resources/golden/llama-3");
    private static final LlamaOptions ONE = LlamaOptions.defaults().withThreads(1);
    private static final EngineOptions OPTIONS =
            EngineOptions.defaults().withModel(ONE.withThreads(2)).withPageLength(4);
    private static final GenerationOptions GREEDY =
            GenerationOptions.DEFAULT.withSampling(Sampling.GREEDY).withMaxTokens(20);
    private static final int VOCABULARY = 120;

    /** Bytes of one position: two layers, keys and values, two heads of 16 F32. */
    private static final long POSITION_BYTES = 2 * 2 * 2 * 16 * 4;

    private static Llama llama;

    @BeforeAll
    static void expect() throws IOException {
        llama = Llama.load(MODEL, ONE);
    }

    @AfterAll
    static void close() {
        llama.close();
    }

    /** Each type of keys and values goes through its own code; of each, rows alone and among others have the same bits. */
    @ParameterizedTest
    @EnumSource(value = LlamaOptions.KvType.class, names = "AUTO", mode = EnumSource.Mode.EXCLUDE)
    void everyTypeOfKeysAndValues(LlamaOptions.KvType kv) throws Exception {
        // Blocks of Q8_0 hold 32 numbers, so heads must have as many.
        Path model = kv == LlamaOptions.KvType.Q8_0 ? MODEL.resolveSibling("quantized-256.gguf") : MODEL;
        LlamaOptions one = ONE.withKv(kv);
        Random random = new Random(3);
        List<EngineRequest> requests = new ArrayList<>();
        List<GenerationResult> expected = new ArrayList<>();
        try (Llama alone = Llama.load(model, one)) {
            int vocabulary = alone.config().vocabularySize();
            for (int i = 0; i < 12; i++) {
                int[] prompt =
                        random.ints(1 + random.nextInt(90), 3, vocabulary).toArray();
                requests.add(EngineRequest.of(prompt, GREEDY.withLogProbabilities(2)));
                expected.add(alone.generate(prompt, GREEDY.withLogProbabilities(2)));
            }
        }
        EngineOptions options = OPTIONS.withModel(one.withThreads(2).withChunk(24))
                .withMixedPrefill(16)
                .withMaxSequences(6);
        try (Engine engine = Engine.load(model, options)) {
            List<Generation> generations = new ArrayList<>();
            for (EngineRequest request : requests) {
                generations.add(accept(engine.submit(request)));
            }
            for (int i = 0; i < requests.size(); i++) {
                GenerationResult actual = generations.get(i).await().first();
                assertThat(actual.tokens()).isEqualTo(expected.get(i).tokens());
            }
        }
    }

    @Test
    void oneBeginningIsComputedOnce() throws IOException {
        try (Engine engine = Engine.load(MODEL, OPTIONS)) {
            int[] system = new Random(5).ints(100, 3, VOCABULARY).toArray();
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                int[] prompt = Arrays.copyOf(system, 103);
                Arrays.fill(prompt, 100, 103, 3 + i);
                generations.add(accept(engine.submit(EngineRequest.of(prompt, GREEDY.withMaxTokens(3)))));
            }
            for (int i = 0; i < 50; i++) {
                EngineResult result = generations.get(i).await();
                assertThat(result.usage().cachedTokens()).isEqualTo(i == 0 ? 0 : 100);
                assertThat(result.first().tokens())
                        .isEqualTo(llama.generate(result.first().promptIds(), GREEDY.withMaxTokens(3))
                                .tokens());
            }
            assertThat(engine.counters().promptTokens()).isEqualTo(100 + 50 * 3);
            assertThat(engine.counters().pagesCached()).isGreaterThanOrEqualTo(25);
        }
    }

    @Test
    void choicesShareThePromptAndDrawApart() throws IOException {
        int[] prompt = {5, 6, 7, 8, 9, 10};
        GenerationOptions warm = GREEDY.withSampling(
                        Sampling.GREEDY.withTemperature(1).withSeed(3))
                .withLogProbabilities(2);
        // the second engine holds hardly more than one sequence
        for (int positions : new int[] {1000, 32}) {
            try (Engine engine = Engine.load(MODEL, OPTIONS.withKvBytes(positions * POSITION_BYTES))) {
                EngineResult result =
                        engine.generate(EngineRequest.of(prompt, warm).withChoices(5));
                for (int i = 0; i < 5; i++) {
                    assertThat(result.choices().get(i).tokens())
                            .isEqualTo(llama.generate(
                                            prompt,
                                            warm.withSampling(warm.sampling().withSeed(3 + i)))
                                    .tokens());
                }
                assertThat(result.usage()).isEqualTo(new EngineResult.Usage(6, 0, 100));
                assertThat(engine.counters().pagesUsed()).isZero();
                assertThat(engine.counters().preemptions() > 0).isEqualTo(positions == 32);
            }
        }
    }

    @Test
    void reportsThePromptsLogProbabilities() throws IOException {
        int[] prompt = new Random(8).ints(90, 3, VOCABULARY).toArray();
        double[] expected = llama.score(prompt, 1, new Cancellation()).logProbabilities();
        EngineOptions small = OPTIONS.withModel(OPTIONS.model().withChunk(16)).withMaxSequences(4);
        try (Engine engine = Engine.load(MODEL, small.withKvBytes(104 * POSITION_BYTES))) {
            EngineRequest echo =
                    EngineRequest.of(prompt, GREEDY.withMaxTokens(0)).withPromptLogProbabilities(true);
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                generations.add(
                        accept(engine.submit(i % 2 == 0 ? echo : EngineRequest.of(prompt, GREEDY.withMaxTokens(9)))));
            }
            for (int i = 0; i < 6; i += 2) {
                EngineResult result = generations.get(i).await();
                assertThat(result.first().tokens()).isEmpty();
                assertThat(result.promptTokens().stream()
                                .mapToDouble(token -> token.logProbability().orElseThrow())
                                .toArray())
                        .isEqualTo(expected);
                assertThat(result.promptTokens().stream()
                                .mapToInt(GeneratedToken::id)
                                .toArray())
                        .isEqualTo(Arrays.copyOfRange(prompt, 1, 90));
            }
            EngineResult top = engine.generate(
                    EngineRequest.of(prompt, GREEDY.withMaxTokens(2).withLogProbabilities(3))
                            .withPromptLogProbabilities(true));
            assertThat(top.promptTokens())
                    .allMatch(token -> token.alternatives().size() == 3);
            assertThat(top.first().ids()).hasSize(2);
        }
    }

    @Test
    void embedsTheSameAloneAndAmongOthers() throws IOException {
        int[] ids = new Random(9).ints(61, 3, VOCABULARY).toArray();
        try (Engine alone = Engine.load(MODEL, OPTIONS.withModel(ONE.withChunk(64)));
                Engine among =
                        Engine.load(MODEL, OPTIONS.withModel(ONE.withChunk(8)).withMaxSequences(8))) {
            for (Pooling pooling : Pooling.values()) {
                float[] expected = alone.embed(ids, pooling, true);
                Generation other = accept(among.submit(EngineRequest.of(new int[] {4, 5}, GREEDY.withMaxTokens(200))));
                assertThat(among.embed(ids, pooling, true)).isEqualTo(expected);
                other.cancel();
                double squares = 0;
                for (float value : expected) {
                    squares += value * value;
                }
                assertThat(squares).isCloseTo(1, within(1e-6));
                float[] plain = alone.embed(ids, pooling, false);
                assertThat(plain[3] / plain[5]).isCloseTo(expected[3] / expected[5], within(1e-4f));
            }
            assertThat(alone.embed(ids, Pooling.MEAN, true)).isNotEqualTo(alone.embed(ids, Pooling.LAST, true));
            assertThat(alone.embed(new int[] {5}, Pooling.MEAN, true))
                    .isEqualTo(alone.embed(new int[] {5}, Pooling.LAST, true));
        }
    }

    @Test
    void embedsAsTransformers() throws IOException {
        Path golden = MODEL.resolveSibling("embeddings.safetensors");
        EngineOptions exact = OPTIONS.withModel(ONE.withKernels("reference").withChunk(16));
        try (Engine engine = Engine.load(MODEL, exact);
                Safetensors file = Safetensors.open(golden)) {
            int[] prompt = Arrays.stream(file.tensor("prompt").data().toArray(Tensor.I64_LE))
                    .mapToInt(Math::toIntExact)
                    .toArray();
            for (Pooling pooling : Pooling.values()) {
                float[] expected =
                        file.tensor(pooling == Pooling.MEAN ? "mean" : "last").toFloats();
                float[] actual = engine.embed(prompt, pooling, true);
                for (int i = 0; i < expected.length; i++) {
                    assertThat(actual[i]).isCloseTo(expected[i], within(1e-5f)); // fp32 sums in another order
                }
            }
        }
    }

    /** Every type of keys and values: the engine gives the bits of the single sequence, near those of F32. */
    @ParameterizedTest
    @CsvSource({"F32, 0", "F16, 0.25", "BF16, 0.25", "Q8_0, 0.4"})
    void everyTypeOfKeysAndValues(LlamaOptions.KvType kv, double tolerance) throws IOException {
        Path model = MODEL.resolveSibling("quantized-256.gguf");
        GenerationOptions options = GREEDY.withLogProbabilities(1);
        Random random = new Random(6);
        EngineOptions paged = OPTIONS.withModel(OPTIONS.model().withKv(kv).withChunk(7));
        try (Llama exact = Llama.load(model, ONE.withKv(LlamaOptions.KvType.F32));
                Llama alone = Llama.load(model, ONE.withKv(kv));
                Engine engine = Engine.load(model, paged)) {
            List<int[]> prompts = new ArrayList<>();
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                prompts.add(random.ints(1 + random.nextInt(50), 0, 64).toArray());
                generations.add(accept(engine.submit(EngineRequest.of(prompts.get(i), options))));
            }
            for (int i = 0; i < 12; i++) {
                GenerationResult result = generations.get(i).await().first();
                assertThat(result.tokens())
                        .isEqualTo(alone.generate(prompts.get(i), options).tokens());
                int[] all = Arrays.copyOf(prompts.get(i), prompts.get(i).length + 20);
                System.arraycopy(result.ids(), 0, all, prompts.get(i).length, 20);
                double[] expected = exact.score(all, 1, new Cancellation()).logProbabilities();
                for (int j = 0; j < 20; j++) {
                    // keys and values are rounded, and multiplied in BF16 where tile registers do; random weights
                    // enlarge that
                    assertThat(result.tokens().get(j).logProbability().getAsDouble())
                            .isCloseTo(expected[prompts.get(i).length - 1 + j], within(tolerance + 1e-12));
                }
            }
        }
    }

    /** A system prompt of 1,000 tokens and 200 who use it: its work is done once. */
    @Test
    void aLongSystemPromptIsComputedOnceForAll(@TempDir Path directory) throws IOException {
        Path model = directory.resolve("random.gguf");
        LlamaConfig tiny = LlamaPreset.of("llama-3.2-1b").config();
        tiny = new LlamaConfig(
                VOCABULARY,
                64,
                2,
                4,
                2,
                16,
                96,
                2048,
                tiny.normEpsilon(),
                tiny.ropeBase(),
                new RopeScaling.None(),
                true,
                false,
                false);
        RandomModel.write(model, tiny, Quantization.of("Q8_0"), 3);
        int[] system = new Random(5).ints(1000, 3, VOCABULARY).toArray();
        try (Engine engine = Engine.load(model, OPTIONS.withPageLength(8))) {
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                int[] prompt = Arrays.copyOf(system, 1004);
                Arrays.fill(prompt, 1000, 1004, 3 + i % 100);
                generations.add(accept(engine.submit(EngineRequest.of(prompt, GREEDY.withMaxTokens(2)))));
            }
            for (int i = 0; i < 200; i++) {
                assertThat(generations.get(i).await().usage().cachedTokens()).isEqualTo(i == 0 ? 0 : 1000);
            }
            assertThat(engine.counters().promptTokens()).isEqualTo(1000 + 200 * 4);
            assertThat(engine.counters().reusedTokens()).isEqualTo(199 * 1000);
        }
    }

    @Test
    void subscribersReadAtTheirOwnPace() throws Exception {
        try (Engine engine = Engine.load(MODEL, OPTIONS)) {
            int[] prompt = {3, 4, 5};
            Generation generation = accept(engine.submit(EngineRequest.of(prompt, GREEDY)));
            Collector slow = new Collector(1, -1);
            generation.tokens().subscribe(slow);
            EngineResult result = generation.await(); // the engine does not wait for the subscriber
            assertThat(slow.events.size()).isLessThanOrEqualTo(1);
            slow.subscription().request(3);
            slow.subscription().request(Long.MAX_VALUE);
            assertThat(slow.done.await(10, TimeUnit.SECONDS)).isTrue();
            Collector late = new Collector(Long.MAX_VALUE, -1);
            generation.tokens().subscribe(late);
            assertThat(late.done.await(10, TimeUnit.SECONDS)).isTrue();
            for (Collector collector : List.of(slow, late)) {
                assertThat(collector.failures.get()).isZero();
                assertThat(collector.events.stream().map(TokenEvent::token).toList())
                        .isEqualTo(result.first().tokens());
                assertThat(collector.events.getLast().finishReason()).contains(FinishReason.LENGTH);
            }
        }
    }

    @Test
    void aFailingSubscriberEndsItsOwnGenerationOnly() throws Exception {
        try (Engine engine = Engine.load(MODEL, OPTIONS)) {
            int[] prompt = {3, 4, 5};
            Generation failing = accept(engine.submit(EngineRequest.of(prompt, GREEDY.withMaxTokens(250))));
            Generation other = accept(engine.submit(EngineRequest.of(prompt, GREEDY)));
            failing.tokens().subscribe(new Collector(Long.MAX_VALUE, 0));
            failing.await();
            assertThat(failing.isCancelled()).isTrue();
            assertThat(other.await().first().ids())
                    .isEqualTo(llama.generate(prompt, GREEDY).ids());
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            assertThat(engine.counters().pagesUsed()).isZero();
        }
    }

    @Test
    void cancellingAtRandomMomentsFreesEverything() throws Exception {
        Random random = new Random(4);
        try (Engine engine =
                Engine.load(MODEL, OPTIONS.withKvBytes(300 * POSITION_BYTES).withMaxSequences(5))) {
            List<Generation> all = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                int[] prompt =
                        random.ints(1 + random.nextInt(60), 3, VOCABULARY).toArray();
                Generation generation = accept(engine.submit(
                        EngineRequest.of(prompt, GREEDY.withMaxTokens(100)).withChoices(1 + random.nextInt(3))));
                all.add(generation);
                Thread.sleep(0, random.nextInt(800_000));
                all.get(random.nextInt(all.size())).cancel();
            }
            all.forEach(Generation::cancel);
            for (Generation generation : all) {
                generation.await();
            }
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            assertThat(engine.counters().pagesUsed()).isZero();
            assertThat(engine.counters().cancelled() + engine.counters().finished())
                    .isEqualTo(200);
            assertThat(engine.counters().cancelled()).isPositive();
        }
    }

    @Test
    void aFullQueueSaysSo() throws IOException {
        try (Engine engine = Engine.load(MODEL, OPTIONS.withQueueLimit(2).withMaxSequences(1))) {
            EngineRequest request = EngineRequest.of(new int[] {3}, GREEDY.withMaxTokens(240));
            List<Submission> submissions = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                submissions.add(engine.submit(request));
            }
            assertThat(submissions).anyMatch(Submission.QueueFull.class::isInstance);
            assertThat(engine.counters().refused()).isPositive();
            for (Submission submission : submissions) {
                switch (submission) {
                    case Submission.Accepted(Generation generation) -> generation.cancel();
                    case Submission.QueueFull(int limit, Duration retryAfter) -> {
                        assertThat(limit).isEqualTo(2);
                        assertThat(retryAfter).isGreaterThanOrEqualTo(Duration.ofSeconds(1));
                    }
                }
            }
        }
    }

    @Test
    void waitingClientsTakeTurns() {
        WaitingRequests waiting = new WaitingRequests();
        for (String client : List.of("a", "a", "a", "b", "c", "c")) {
            waiting.add(new ActiveRequest(
                    EngineRequest.of(new int[] {1}, GREEDY).withClient(client),
                    new Generation(() -> {}),
                    8,
                    new Purpose.Answer()));
        }
        StringBuilder order = new StringBuilder();
        while (waiting.size() > 0) {
            order.append(java.util.Objects.requireNonNull(waiting.peek()).what.client());
            waiting.takeFirst();
        }
        assertThat(order.toString()).isEqualTo("abcaca");
    }

    @Test
    void closingEndsWhatRuns() throws IOException {
        Engine engine = Engine.load(MODEL, OPTIONS);
        Generation generation = accept(engine.submit(EngineRequest.of(new int[] {3}, GREEDY.withMaxTokens(255))));
        engine.close();
        engine.close();
        EngineResult result = generation.await();
        assertThat(result.first().finishReason()).isIn(FinishReason.CANCELLED, FinishReason.LENGTH);
        assertThat(engine.counters().pagesUsed()).isZero();
        assertThatThrownBy(() -> engine.submit(EngineRequest.of(new int[] {3}, GREEDY)))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void refusesWhatDoesNotFit() throws IOException {
        try (Engine engine = Engine.load(MODEL, OPTIONS.withKvBytes(40 * POSITION_BYTES))) {
            assertThat(engine.contextLength()).isEqualTo(40);
            assertThatThrownBy(() -> engine.submit(EngineRequest.of(new int[40], GREEDY)))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("all pages together hold 40");
            assertThatThrownBy(() -> engine.submit(EngineRequest.of(new int[0], GREEDY)))
                    .isInstanceOf(ConfigurationException.class);
            assertThatThrownBy(() -> engine.submit(EngineRequest.of(new int[] {120}, GREEDY)))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("120 tokens");
            assertThat(engine.generate(EngineRequest.of(new int[30], GREEDY))
                            .first()
                            .ids())
                    .hasSize(10);
        }
        assertThatThrownBy(() -> Engine.load(MODEL, OPTIONS.withKvBytes(100)))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("one page");
    }

    static Generation accept(Submission submission) {
        return switch (submission) {
            case Submission.Accepted(Generation generation) -> generation;
            case Submission.QueueFull full -> throw new AssertionError(full);
        };
    }

    /** Asks for some tokens at once, and throws at one of them. */
    private static final class Collector implements Flow.Subscriber<TokenEvent> {
        final List<TokenEvent> events = java.util.Collections.synchronizedList(new ArrayList<>());
        final CountDownLatch done = new CountDownLatch(1);
        final AtomicInteger failures = new AtomicInteger();
        private final CountDownLatch subscribed = new CountDownLatch(1);
        private final long demand;
        private final int throwAt;
        private Flow.Subscription subscription;

        Collector(long demand, int throwAt) {
            this.demand = demand;
            this.throwAt = throwAt;
        }

        Flow.Subscription subscription() throws InterruptedException {
            subscribed.await();
            return subscription;
        }

        @Override
        public void onSubscribe(Flow.Subscription value) {
            subscription = value;
            subscribed.countDown();
            value.request(demand);
        }

        @Override
        public void onNext(TokenEvent event) {
            if (events.size() == throwAt) {
                throw new IllegalStateException("this subscriber fails");
            }
            events.add(event);
        }

        @Override
        public void onError(Throwable thrown) {
            failures.incrementAndGet();
            done.countDown();
        }

        @Override
        public void onComplete() {
            done.countDown();
        }
    }
}
