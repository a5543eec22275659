package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever goes wrong in a request, an observer or a listener: everybody gets an answer, and the engine goes on. */
@Timeout(60)
class EngineFaultsTest {
    private static final Path MODEL = Path.of("../model/src/test/resources/golden/llama-3");
    private static final LlamaOptions ONE = LlamaOptions.defaults().withThreads(1);
    private static final EngineOptions OPTIONS =
            EngineOptions.defaults().withModel(ONE.withThreads(2)).withPageLength(4);
    private static final GenerationOptions GREEDY =
            GenerationOptions.DEFAULT.withSampling(Sampling.GREEDY).withMaxTokens(60);
    private static final int VOCABULARY = 120;

    /** Steps that are bounded below the rows of guesses: the streams are what they are without. */
    @ParameterizedTest
    @CsvSource({"1, 1, 4", "8, 4, 4", "8, 3, 32", "2, 20, 1"})
    void guessesFitIntoAStep(int chunk, int slots, int lookup) throws IOException {
        EngineOptions options =
                OPTIONS.withModel(OPTIONS.model().withChunk(chunk)).withMaxSequences(slots);
        try (Llama llama = Llama.load(MODEL, ONE);
                Engine engine = Engine.load(MODEL, options.withLookupTokens(lookup));
                Engine drafted = Engine.load(MODEL, options.withDraft(MODEL).withDraftTokens(3))) {
            int[] prompt = {5, 6, 7, 5, 6, 7, 5, 6};
            int[] expected = llama.generate(prompt, GREEDY).ids();
            for (Engine each : List.of(engine, drafted)) {
                List<Generation> generations = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    generations.add(EngineTest.accept(each.submit(EngineRequest.of(prompt, GREEDY))));
                }
                for (Generation generation : generations) {
                    assertThat(generation.await().first().ids()).isEqualTo(expected);
                }
                assertThat(each.counters().draftedTokens()).isPositive();
            }
        }
    }

    /** Choices that have not begun to draw have their places, too. */
    @Test
    void noMoreSequencesAreComputedThanThereAreSlots() throws IOException {
        AtomicInteger most = new AtomicInteger();
        try (Engine engine = Engine.load(MODEL, OPTIONS.withMaxSequences(6))) {
            engine.observe(new EngineObserver() {
                @Override
                public void stepped(int rows, int sequences) {
                    most.accumulateAndGet(sequences, Math::max);
                }
            });
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                EngineRequest request = EngineRequest.of(new int[] {3 + i, 4, 5, 6}, GREEDY.withMaxTokens(30));
                generations.add(EngineTest.accept(engine.submit(request.withChoices(1 + i % 3))));
            }
            generations.forEach(Generation::await);
        }
        assertThat(most.get()).isEqualTo(6);
    }

    private enum Moment {
        START,
        ALLOWED,
        ACCEPT
    }

    /** A constraint that fails at one moment. */
    private record Failing(Moment moment, Supplier<Throwable> failure) implements TokenConstraint {
        private void at(Moment now) {
            if (now == moment) {
                switch (failure.get()) {
                    case RuntimeException e -> throw e;
                    case Error e -> throw e;
                    case Throwable e -> throw new AssertionError(e);
                }
            }
        }

        @Override
        public State start() {
            at(Moment.START);
            return new State() {
                @Override
                public long[] allowed() {
                    at(Moment.ALLOWED);
                    long[] all = new long[2];
                    Arrays.fill(all, -1);
                    return all;
                }

                @Override
                public void accept(int id) {
                    at(Moment.ACCEPT);
                }
            };
        }
    }

    @Test
    void aRequestThatFailsFailsAlone() throws Exception {
        List<Supplier<Throwable>> failures = List.of(
                () -> new IllegalStateException("a constraint fails"),
                StackOverflowError::new,
                () -> new AssertionError("a constraint fails"),
                () -> new OutOfMemoryError("a constraint fails"));
        try (Llama llama = Llama.load(MODEL, ONE);
                Engine engine = Engine.load(MODEL, OPTIONS.withMaxSequences(3))) {
            int[] expected = llama.generate(new int[] {5, 6}, GREEDY).ids();
            for (Moment moment : Moment.values()) {
                for (Supplier<Throwable> failure : failures) {
                    EngineRequest request = EngineRequest.of(new int[] {5, 6}, GREEDY);
                    EngineRequest wrong = request.withConstraint(new Failing(moment, failure));
                    Generation before = EngineTest.accept(engine.submit(request));
                    Generation failing = EngineTest.accept(engine.submit(wrong));
                    Generation both = EngineTest.accept(engine.submit(wrong.withChoices(2)));
                    Generation after = EngineTest.accept(engine.submit(request));
                    assertThatThrownBy(failing::await).isInstanceOf(IllegalStateException.class);
                    assertThatThrownBy(both::await).isInstanceOf(IllegalStateException.class);
                    assertThat(before.await().first().ids()).isEqualTo(expected);
                    assertThat(after.await().first().ids()).isEqualTo(expected);
                }
            }
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            assertThat(engine.counters().failed()).isEqualTo(2 * 3 * failures.size());
            assertThat(engine.counters().pagesUsed()).isZero();
        }
    }

    /** What waits and is cancelled has not begun; that it could not have begun hurts nobody else. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void cancellingWhatCannotBegin(boolean byClosing) throws IOException {
        Engine engine = Engine.load(MODEL, OPTIONS.withMaxSequences(1));
        EngineRequest request = EngineRequest.of(new int[] {5, 6}, GREEDY.withMaxTokens(200));
        Generation running = EngineTest.accept(engine.submit(request));
        Generation waiting = EngineTest.accept(
                engine.submit(request.withConstraint(new Failing(Moment.START, StackOverflowError::new))));
        Generation last = EngineTest.accept(engine.submit(request));
        if (byClosing) {
            engine.close();
        } else {
            waiting.cancel();
            assertThat(running.await().first().ids()).hasSize(200);
        }
        assertThatThrownBy(waiting::await)
                .isInstanceOf(IllegalStateException.class)
                .hasRootCauseInstanceOf(StackOverflowError.class);
        running.await();
        last.await();
        engine.close();
    }

    /** An observer must not throw. If it does, requests fail; none is forgotten. */
    @Test
    void anObserverThatThrowsLeavesNobodyWaiting() throws Exception {
        Random random = new Random(3);
        try (Engine engine = Engine.load(MODEL, OPTIONS.withMaxSequences(3))) {
            engine.observe(new EngineObserver() {
                private void maybe() {
                    if (random.nextInt(6) == 0) {
                        throw random.nextBoolean() ? new IllegalStateException("no") : new IllegalArgumentException();
                    }
                }

                @Override
                public void stepped(int rows, int sequences) {
                    maybe();
                }

                @Override
                public void begun(long nanosSinceItCame) {
                    maybe();
                }

                @Override
                public void firstToken(long nanosSinceItCame) {
                    maybe();
                }
            });
            List<Generation> generations = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                int[] prompt = {3 + i, 4, 5};
                generations.add(EngineTest.accept(engine.submit(
                        EngineRequest.of(prompt, GREEDY.withMaxTokens(3)).withChoices(1 + i % 2))));
            }
            int failed = 0;
            for (Generation generation : generations) {
                try {
                    generation.await();
                } catch (IllegalStateException e) {
                    failed++;
                }
            }
            assertThat(failed).isBetween(1, 60);
            engine.observe(EngineObserver.NONE);
            assertThat(engine.generate(EngineRequest.of(new int[] {3}, GREEDY))
                            .first()
                            .ids())
                    .hasSize(60);
            assertThat(engine.drain(Duration.ofMinutes(5))).isTrue();
            assertThat(engine.counters().pagesUsed()).isZero();
        }
    }

    /** What hangs on a result runs on a thread of its own. */
    @Test
    void whoWaitsForAResultHoldsNobodyUp() throws Exception {
        Engine engine = Engine.load(MODEL, OPTIONS);
        CountDownLatch release = new CountDownLatch(1);
        EngineRequest request = EngineRequest.of(new int[] {5, 6}, GREEDY);
        Generation first = EngineTest.accept(engine.submit(request));
        Consumer<EngineResult> waiting = result -> {
            try {
                release.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        CompletableFuture<Void> slow = CompletableFuture.supplyAsync(
                        () -> first.result().thenAccept(waiting)) // which waits here when the result is there already
                .thenCompose(all -> all);
        Generation second = EngineTest.accept(engine.submit(request));
        assertThat(second.result().get(20, TimeUnit.SECONDS).first().ids()).hasSize(60);
        assertThat(slow).isNotDone();
        release.countDown();
        slow.get(20, TimeUnit.SECONDS);
        Generation last = EngineTest.accept(engine.submit(request));
        last.result().thenRun(engine::close).get(20, TimeUnit.SECONDS);
        assertThat(engine.isClosed()).isTrue();
        assertThat(first.result().get()).isEqualTo(first.await());
    }
}
