package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.KvView;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class KvCacheTest {
    private static final LlamaConfig CONFIG =
            new LlamaConfig(100, 64, 3, 4, 2, 16, 96, 1000, 1e-5f, 10_000, new RopeScaling.None(), false, false, false);

    @Test
    void keepsWhatItHoldsWhenItGrows() {
        try (KvCache cache = new KvCache(CONFIG, DType.F32, 8)) {
            assertThat(cache.capacity()).isZero();
            cache.reserve(5);
            assertThat(cache.capacity()).isEqualTo(8);
            mark(cache, 0, 8);
            cache.reserve(9);
            assertThat(cache.capacity()).isEqualTo(16);
            mark(cache, 8, 16);
            cache.reserve(500);
            assertThat(cache.capacity()).isEqualTo(504);
            for (int layer = 0; layer < 3; layer++) {
                KvView view = cache.layer(layer);
                for (int position = 0; position < 16; position++) {
                    assertThat(view.pool().get(Tensor.F32_LE, view.keyOffset(1, position)))
                            .isEqualTo(100 * layer + position);
                    assertThat(view.pool().get(Tensor.F32_LE, view.valueOffset(1, position)))
                            .isEqualTo(-100 * layer - position);
                }
            }
            assertThat(cache.byteSize()).isEqualTo(504 * CONFIG.kvBytesPerPosition(DType.F32));
        }
    }

    private static void mark(KvCache cache, int from, int to) {
        for (int layer = 0; layer < 3; layer++) {
            KvView view = cache.layer(layer);
            for (int position = from; position < to; position++) {
                view.pool().set(Tensor.F32_LE, view.keyOffset(1, position), 100 * layer + position);
                view.pool().set(Tensor.F32_LE, view.valueOffset(1, position), -100 * layer - position);
            }
        }
    }

    @Test
    void endsWithTheContextAndCanBeUsedAgain() {
        KvCache cache = new KvCache(CONFIG, DType.F16, 256);
        cache.reserve(1000);
        assertThat(cache.capacity()).isEqualTo(1024);
        assertThatThrownBy(() -> cache.reserve(1025))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("1000 tokens");
        cache.close();
        cache.close();
        assertThat(cache.capacity()).isZero();
        assertThatThrownBy(() -> cache.layer(0)).isInstanceOf(IllegalStateException.class);
        cache.reserve(1);
        assertThat(cache.capacity()).isEqualTo(256);
        cache.close();
    }

    @Test
    void refusesTypesThatCannotServe() {
        assertThatThrownBy(() -> new KvCache(CONFIG, DType.Q8_0)).hasMessageContaining("multiple of 32");
        assertThatThrownBy(() -> new KvCache(CONFIG, DType.Q4_0)).hasMessageContaining("kv=Q4_0");
        assertThatThrownBy(() -> new KvCache(CONFIG, DType.F32, 12)).hasMessageContaining("power of two");
    }

    static Stream<Arguments> types() {
        return Golden.tiers().stream()
                .flatMap(tier -> Stream.of(
                        Arguments.of(tier, DType.F16, 0.002),
                        Arguments.of(tier, DType.BF16, 0.016),
                        Arguments.of(tier, DType.Q8_0, 0.05)));
    }

    /** The bound is for the root of the mean square of differences, relative to that of the logits. */
    @ParameterizedTest
    @MethodSource("types")
    void narrowTypesChangeLogitsLittle(String tier, DType dtype, double bound) {
        Golden golden = Golden.of("quantized-256");
        try (LlamaCheckpoint checkpoint = golden.open();
                ThreadTeam threads = new ThreadTeam("test", 1);
                Kernels kernels = Kernels.open(tier, threads)) {
            float[] exact = logits(checkpoint, kernels, DType.F32, golden.prompt());
            float[] narrow = logits(checkpoint, kernels, dtype, golden.prompt());
            double error = 0;
            double size = 0;
            for (int i = 0; i < exact.length; i++) {
                error += Math.pow((double) exact[i] - narrow[i], 2);
                size += Math.pow(exact[i], 2);
            }
            assertThat(Math.sqrt(error / size)).isPositive().isLessThan(bound);
        }
    }

    private static float[] logits(LlamaCheckpoint checkpoint, Kernels kernels, DType dtype, int[] ids) {
        try (LlamaModel model = new LlamaModel(checkpoint.config(), checkpoint.weights(), kernels);
                KvCache cache = new KvCache(checkpoint.config(), dtype, 16);
                Activations activations = new Activations(checkpoint.config(), ids.length)) {
            cache.reserve(ids.length);
            Tensor hidden = model.forward(TokenBatch.allOf(ids, cache, 0), activations);
            Tensor logits = Tensor.ofFloats(
                    new float[ids.length * checkpoint.config().vocabularySize()],
                    ids.length,
                    checkpoint.config().vocabularySize());
            model.logits(logits, hidden);
            return logits.toFloats();
        }
    }
}
