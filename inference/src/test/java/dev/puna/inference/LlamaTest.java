package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.formats.Safetensors;
import dev.puna.inference.GeneratedToken.Alternative;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generation and scoring held against transformers, with the models of tools/golden/models.py. */
class LlamaTest {
    private static final Path GOLDEN = Path.of("../model/src/test/resources/golden");
    private static final LlamaOptions EXACT =
            LlamaOptions.defaults().withKernels("reference").withThreads(1);
    private static final GenerationOptions GREEDY_64 =
            GenerationOptions.DEFAULT.withMaxTokens(64).withSampling(Sampling.GREEDY);

    @ParameterizedTest
    @ValueSource(strings = {"llama-1", "llama-2-gqa", "llama-3", "llama-3.1", "odd", "biases", "shards"})
    void continuesGreedilyAsTransformers(String name) throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve(name), EXACT.withChunk(16))) {
            GenerationResult result = llama.generate(ids(name, "prompt"), GREEDY_64);
            assertThat(result.ids()).isEqualTo(ids(name, "greedy"));
            assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
            assertThat(result.timings().generatedTokens()).isEqualTo(64);
            assertThat(result.timings().reusedTokens()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-2-gqa", "biases"})
    void aPreparedModelSaysTheSame(String name) throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve(name), EXACT.withPrepared(true))) {
            GenerationResult result = llama.generate(ids(name, "prompt"), GREEDY_64);
            assertThat(result.ids()).isEqualTo(ids(name, "greedy"));
            assertThat(result.timings().reusedTokens()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-1", "llama-2-gqa", "llama-3", "llama-3.1", "linear-scaling"})
    void scoresAsTransformers(String name) throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve(name), EXACT.withChunk(16))) {
            int[] prompt = ids(name, "prompt");
            float[] expected = floats(name, "logprobs");
            Score score = llama.score(prompt, 100, new Cancellation());
            double sum = 0;
            for (int i = 0; i < expected.length; i++) {
                assertThat(score.logProbabilities()[i]).isCloseTo(expected[i], within(1e-4));
                sum += expected[i];
            }
            assertThat(score.sum()).isCloseTo(sum, within(1e-5 * Math.abs(sum)));
            assertThat(score.ids()).isEqualTo(Arrays.copyOfRange(prompt, 1, prompt.length));
            assertThat(score.perplexity())
                    .isCloseTo(Math.exp(-sum / expected.length), within(1e-3 * score.perplexity()));
            assertThat(score.bitsPerByte()).isCloseTo(-sum / Math.log(2) / 100, within(1e-4));
        }
    }

    @Test
    void scoresTextsLongerThanTheContextInWindows() throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve("llama-1"), EXACT)) {
            int context = llama.config().contextLength();
            int[] prompt = ids("llama-1", "prompt");
            int[] ids = new int[context + context / 4];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = prompt[(i * 7 + i / 37) % prompt.length];
            }
            double[] all = llama.score(ids, 1, new Cancellation()).logProbabilities();
            double[] first = llama.score(Arrays.copyOf(ids, context), 1, new Cancellation())
                    .logProbabilities();
            double[] second = llama.score(Arrays.copyOfRange(ids, context / 2, ids.length), 1, new Cancellation())
                    .logProbabilities();
            assertThat(Arrays.copyOf(all, context - 1)).isEqualTo(first);
            int tail = ids.length - context;
            assertThat(Arrays.copyOfRange(all, context - 1, all.length))
                    .isEqualTo(Arrays.copyOfRange(second, second.length - tail, second.length));
        }
    }

    @Test
    void scoresNothing() throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve("odd"), EXACT)) {
            assertThat(llama.score(new int[0], 0, new Cancellation()).ids()).isEmpty();
            assertThat(llama.score(new int[] {5}, 1, new Cancellation()).logProbabilities())
                    .isEmpty();
        }
    }

    @Test
    void aPromptInTheCacheGivesTheSameBits() throws IOException {
        GenerationOptions options = GREEDY_64
                .withSampling(Sampling.GREEDY.withTemperature(1).withSeed(11))
                .withLogProbabilities(3);
        int[] prompt = ids("llama-3", "prompt");
        int[] longer = Arrays.copyOf(prompt, prompt.length + 5);
        try (Llama llama = Llama.load(GOLDEN.resolve("llama-3"), EXACT.withChunk(8));
                Llama fresh = Llama.load(GOLDEN.resolve("llama-3"), EXACT)) {
            GenerationResult first = llama.generate(prompt, options);
            GenerationResult again = llama.generate(prompt, options);
            assertThat(again.timings().reusedTokens()).isEqualTo(prompt.length - 1);
            assertThat(again.tokens()).isEqualTo(first.tokens());
            GenerationResult more = llama.generate(longer, options);
            assertThat(more.timings().reusedTokens()).isEqualTo(prompt.length);
            assertThat(more.tokens()).isEqualTo(fresh.generate(longer, options).tokens());
            // scoring uses a cache of its own
            llama.score(prompt, 1, new Cancellation());
            GenerationResult after = llama.generate(longer, options);
            assertThat(after.timings().reusedTokens()).isEqualTo(longer.length - 1);
            assertThat(after.tokens()).isEqualTo(more.tokens());
        }
    }

    @Test
    void reportsLogProbabilities() throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve("llama-1"), EXACT)) {
            int[] prompt = ids("llama-1", "prompt");
            GenerationResult result =
                    llama.generate(prompt, GREEDY_64.withMaxTokens(5).withLogProbabilities(4));
            int[] whole = Arrays.copyOf(prompt, prompt.length + 5);
            System.arraycopy(result.ids(), 0, whole, prompt.length, 5);
            double[] scored = llama.score(whole, 1, new Cancellation()).logProbabilities();
            for (int i = 0; i < 5; i++) {
                GeneratedToken token = result.tokens().get(i);
                assertThat(token.logProbability()).hasValue(scored[prompt.length - 1 + i]);
                assertThat(token.alternatives()).hasSize(4);
                assertThat(token.alternatives().getFirst())
                        .isEqualTo(new Alternative(
                                token.id(), token.logProbability().getAsDouble()));
            }
        }
    }

    @Test
    void stopsAtIdsAndWhenCancelled() throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve("llama-2-gqa"), EXACT)) {
            int[] prompt = ids("llama-2-gqa", "prompt");
            int[] greedy = ids("llama-2-gqa", "greedy");
            GenerationResult stopped = llama.generate(prompt, GREEDY_64.withStopIds(Set.of(greedy[9])));
            int end = 0;
            while (greedy[end] != greedy[9]) {
                end++;
            }
            assertThat(stopped.ids()).isEqualTo(Arrays.copyOf(greedy, end + 1));
            assertThat(stopped.finishReason()).isEqualTo(FinishReason.STOP);

            Cancellation cancellation = new Cancellation();
            List<Integer> heard = new ArrayList<>();
            GenerationResult cancelled = llama.generate(
                    prompt,
                    GREEDY_64,
                    (token, text) -> {
                        heard.add(token.id());
                        if (heard.size() == 3) {
                            cancellation.cancel();
                        }
                    },
                    cancellation);
            assertThat(cancelled.finishReason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(cancelled.ids()).hasSize(3);

            Cancellation before = new Cancellation();
            before.cancel();
            assertThat(llama.generate(new int[] {5, 6}, GREEDY_64, GenerationListener.NONE, before)
                            .finishReason())
                    .isEqualTo(FinishReason.CANCELLED);
            // and the cache is still right
            assertThat(llama.generate(prompt, GREEDY_64).ids()).isEqualTo(greedy);
        }
    }

    @Test
    void aStartedGenerationTellsItsTokensAndCanBeCancelled() throws Exception {
        try (Llama llama = Llama.load(GOLDEN.resolve("llama-2-gqa"), EXACT)) {
            int[] prompt = ids("llama-2-gqa", "prompt");
            int[] greedy = ids("llama-2-gqa", "greedy");
            List<TokenEvent> heard = new ArrayList<>();
            CountDownLatch ended = new CountDownLatch(1);
            Generation generation = llama.start(prompt, GREEDY_64);
            generation.tokens().subscribe(new Flow.Subscriber<>() {
                @Override
                public void onSubscribe(Flow.Subscription subscription) {
                    subscription.request(Long.MAX_VALUE);
                }

                @Override
                public void onNext(TokenEvent event) {
                    heard.add(event);
                }

                @Override
                public void onError(Throwable thrown) {
                    ended.countDown();
                }

                @Override
                public void onComplete() {
                    ended.countDown();
                }
            });
            EngineResult[] result = new EngineResult[1];
            Thread waiting = Thread.ofVirtual().start(() -> result[0] = generation.await());
            waiting.join();
            assertThat(ended.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(result[0].first().ids()).isEqualTo(greedy);
            assertThat(heard.stream().mapToInt(event -> event.token().id()).toArray())
                    .isEqualTo(greedy);
            assertThat(heard.getLast().finishReason()).contains(FinishReason.LENGTH);
            assertThat(heard.getFirst().finishReason()).isEmpty();
            Generation cancelled = llama.start(prompt, GREEDY_64.withMaxTokens(200));
            cancelled.cancel();
            assertThat(cancelled.await().first().ids().length).isLessThan(200);
            assertThatThrownBy(() -> llama.start(new int[0], GREEDY_64)).isInstanceOf(ConfigurationException.class);
        }
    }

    @Test
    void endsWhereTheContextEnds() throws IOException {
        try (Llama llama = Llama.load(GOLDEN.resolve("odd"), EXACT)) {
            int context = llama.config().contextLength();
            int[] prompt = new int[context - 3];
            Arrays.fill(prompt, 7);
            assertThat(llama.generate(prompt, GREEDY_64).ids()).hasSize(3);
            assertThatThrownBy(() -> llama.generate(new int[context], GREEDY_64))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("context is 256");
            assertThatThrownBy(() -> llama.generate(new int[0], GREEDY_64)).isInstanceOf(ConfigurationException.class);
            assertThatThrownBy(() -> llama.generate(new int[] {101}, GREEDY_64))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("101 tokens");
            assertThat(llama.generate(new int[] {1}, GREEDY_64.withMaxTokens(0)).ids())
                    .isEmpty();
        }
    }

    @Test
    void saysWhenThereIsNoTokenizerAndWhenItIsClosed() throws IOException {
        Llama llama = Llama.load(GOLDEN.resolve("odd"), EXACT);
        assertThatThrownBy(llama::tokenizer)
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("tokenizer.json");
        llama.close();
        llama.close();
        assertThatThrownBy(() -> llama.generate(new int[] {1}, GREEDY_64)).isInstanceOf(IllegalStateException.class);
    }

    private static int[] ids(String name, String tensor) throws IOException {
        try (Safetensors file = Safetensors.open(GOLDEN.resolve(name).resolve("golden.safetensors"))) {
            return Arrays.stream(file.tensor(tensor).data().toArray(Tensor.I64_LE))
                    .mapToInt(Math::toIntExact)
                    .toArray();
        }
    }

    private static float[] floats(String name, String tensor) throws IOException {
        try (Safetensors file = Safetensors.open(GOLDEN.resolve(name).resolve("golden.safetensors"))) {
            return file.tensor(tensor).toFloats();
        }
    }
}
