package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.puna.kernels.Kernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The forward pass held against transformers, on every tier of kernels that serves here. */
class LlamaModelGoldenTest {
    /** Seven threads on fewer processors are slow: one model of each kind of weights. */
    private static final Set<String> ON_MANY_THREADS = Set.of("odd", "bf16", "quantized-32", "quantized-256");

    /** Tiers that compute in fp32 whatever the weights are. */
    private static final Set<String> FP32_TIERS = Set.of("reference", "vector");

    /**
     * Of one logit. Weights are exact in fp32, so only the order of sums differs; except that tiers may round
     * activations, to bf16 for 16-bit weights or to 8 bits per block for quantized ones.
     */
    private static double tolerance(String tier, LlamaCheckpoint checkpoint) {
        boolean exactActivations = FP32_TIERS.contains(tier) || checkpoint.dominantDType() == DType.F32;
        return exactActivations ? 1e-4 : checkpoint.dominantDType().isQuantized() ? 0.5 : 0.15;
    }

    static Stream<Arguments> models() {
        List<String> names = new ArrayList<>(Golden.HUGGING_FACE);
        names.addAll(Golden.QUANTIZED);
        return Golden.tiers().stream().flatMap(tier -> names.stream().map(name -> Arguments.of(name, tier)));
    }

    @ParameterizedTest
    @MethodSource("models")
    void logitsAndLogProbabilities(String name, String tier) {
        Golden golden = Golden.of(name);
        try (LlamaCheckpoint checkpoint = golden.open()) {
            double tolerance = tolerance(tier, checkpoint);
            int vocabulary = checkpoint.config().vocabularySize();
            float[] logits = Golden.logits(checkpoint, tier, 1, golden.prompt(), 64);
            assertThat(logits).hasSize(golden.logits().length);
            for (int i = 0; i < logits.length; i++) {
                assertThat((double) logits[i]).as("logit %d", i).isCloseTo(golden.logits()[i], within(tolerance));
            }
            for (int i = 0; i < golden.logprobs().length; i++) {
                double sum = 0;
                for (int v = 0; v < vocabulary; v++) {
                    sum += Math.exp(logits[i * vocabulary + v]);
                }
                double logProbability = logits[i * vocabulary + golden.prompt()[i + 1]] - Math.log(sum);
                assertThat(logProbability).isCloseTo(golden.logprobs()[i], within(2 * tolerance));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void greedyContinuation(String name, String tier) {
        Golden golden = Golden.of(name);
        try (LlamaCheckpoint checkpoint = golden.open()) {
            if (tolerance(tier, checkpoint) > 1e-4) {
                return; // rounded activations may choose another way
            }
            LlamaConfig config = checkpoint.config();
            int[] chosen = new int[golden.greedy().length];
            try (ThreadTeam threads = new ThreadTeam("test", 1);
                    Kernels kernels = Kernels.open(tier, threads);
                    LlamaModel model = new LlamaModel(config, checkpoint.weights(), kernels);
                    KvCache cache = new KvCache(config, DType.F32);
                    Activations activations = new Activations(config, golden.prompt().length);
                    Slab slab = new Slab(Slab.bytesFor(DType.F32, 1, config.vocabularySize()))) {
                Tensor logits = slab.allocate(DType.F32, 1, config.vocabularySize());
                int[] next = golden.prompt();
                int position = 0;
                for (int i = 0; i < chosen.length; i++) {
                    cache.reserve(position + next.length);
                    model.logits(logits, model.forward(TokenBatch.lastOf(next, cache, position), activations));
                    position += next.length;
                    chosen[i] = Golden.argmax(logits.toFloats(), 0, config.vocabularySize());
                    next = new int[] {chosen[i]};
                }
            }
            assertThat(chosen).isEqualTo(golden.greedy());
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void theSameBitsInPiecesPagesAndOnManyThreads(String name, String tier) {
        Golden golden = Golden.of(name);
        try (LlamaCheckpoint checkpoint = golden.open()) {
            float[] atOnce = Golden.logits(checkpoint, tier, 1, golden.prompt(), 64);
            assertThat(Golden.logits(checkpoint, tier, 2, golden.prompt(), 16))
                    .as("2 threads, pieces of 16")
                    .isEqualTo(atOnce);
            if (ON_MANY_THREADS.contains(name)) {
                assertThat(Golden.logits(checkpoint, tier, 7, golden.prompt(), 64))
                        .as("7 threads")
                        .isEqualTo(atOnce);
            }
            assertThat(Golden.logits(checkpoint, tier, 1, golden.prompt(), 1))
                    .as("token by token")
                    .isEqualTo(atOnce);
            assertThat(Golden.logits(checkpoint, tier, 1, golden.prompt(), 7, 8))
                    .as("pieces of 7, pages of 8")
                    .isEqualTo(atOnce);
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void severalSequencesInOneBatchAndOnlyWantedRows(String name, String tier) {
        Golden golden = Golden.of(name);
        try (LlamaCheckpoint checkpoint = golden.open();
                ThreadTeam threads = new ThreadTeam("test", 1);
                Kernels kernels = Kernels.open(tier, threads);
                LlamaModel model = new LlamaModel(checkpoint.config(), checkpoint.weights(), kernels);
                KvCache first = new KvCache(checkpoint.config(), DType.F32, 16);
                KvCache second = new KvCache(checkpoint.config(), DType.F32, 32);
                Activations activations = new Activations(checkpoint.config(), 64)) {
            int[] prompt = golden.prompt();
            int length = prompt.length;
            int width = checkpoint.config().width();
            first.reserve(length);
            second.reserve(length);
            float[] alone = model.forward(TokenBatch.allOf(prompt, first, 0), activations)
                    .toFloats();

            // Fill 10 positions of the first sequence, then its 11 … and the second from 0, mixed in one batch.
            model.forward(TokenBatch.noneOf(java.util.Arrays.copyOf(prompt, 10), first, 0), activations);
            int[] ids = new int[length - 10 + 20];
            System.arraycopy(prompt, 10, ids, 0, length - 10);
            System.arraycopy(prompt, 0, ids, length - 10, 20);
            int[] wanted = {0, 1, length - 11, length - 10, length - 10 + 3, length - 10 + 4, length - 10 + 19};
            int[] positions = {10, 11, length - 1, 0, 3, 4, 19};
            float[] mixed = model.forward(
                            new TokenBatch(
                                    ids,
                                    List.of(
                                            new TokenBatch.Rows(first, 10, length - 10),
                                            new TokenBatch.Rows(second, 0, 20)),
                                    wanted),
                            activations)
                    .toFloats();
            for (int i = 0; i < wanted.length; i++) {
                assertThat(java.util.Arrays.copyOfRange(mixed, i * width, (i + 1) * width))
                        .as("row %d", wanted[i])
                        .isEqualTo(
                                java.util.Arrays.copyOfRange(alone, positions[i] * width, (positions[i] + 1) * width));
            }
        }
    }

    @Test
    void refusesAnIdOutsideTheVocabulary() {
        Golden golden = Golden.of("odd");
        try (LlamaCheckpoint checkpoint = golden.open();
                ThreadTeam threads = new ThreadTeam("test", 1);
                Kernels kernels = Kernels.open("reference", threads);
                LlamaModel model = new LlamaModel(checkpoint.config(), checkpoint.weights(), kernels);
                KvCache cache = new KvCache(checkpoint.config(), DType.F32);
                Activations activations = new Activations(checkpoint.config(), 4)) {
            cache.reserve(4);
            org.assertj.core.api.Assertions.assertThatThrownBy(
                            () -> model.forward(TokenBatch.allOf(new int[] {101}, cache, 0), activations))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("101");
        }
    }
}
