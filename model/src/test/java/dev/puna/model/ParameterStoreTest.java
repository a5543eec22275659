package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ParameterStoreTest {
    private static LlamaConfig config(int layers, boolean tied) {
        return new LlamaConfig(
                101, 48, layers, 4, 2, 12, 64, 64, 1e-5f, 10000, new RopeScaling.None(), tied, false, false);
    }

    private static double deviation(Tensor tensor) {
        double squares = 0;
        for (float x : tensor.toFloats()) {
            squares += (double) x * x;
        }
        return Math.sqrt(squares / tensor.shape().elementCount());
    }

    /** wo and down of every layer, and only they, are smaller by √(2L); norms are one. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 8})
    void residualOutputsBeginSmallerByDepth(int layers) {
        try (ThreadTeam team = new ThreadTeam("init", 2);
                ParameterStore scaled = new ParameterStore(config(layers, false));
                ParameterStore plain = new ParameterStore(config(layers, false))) {
            scaled.initialize(new ParameterStore.Initialization(0.02, true), 7, team);
            plain.initialize(new ParameterStore.Initialization(0.02, false), 7, team);
            int residual = 0;
            for (int i = 0; i < scaled.parameters().size(); i++) {
                ParameterStore.Parameter p = scaled.parameters().get(i);
                if (!p.isMatrix()) {
                    assertThat(p.weight().toFloats()).containsOnly(1f);
                    continue;
                }
                boolean smaller = p.name().endsWith("o_proj.weight") || p.name().endsWith("down_proj.weight");
                residual += smaller ? 1 : 0;
                double expected = smaller ? 0.02 / Math.sqrt(2.0 * layers) : 0.02;
                // Of n numbers the deviation is off by 1/√(2n): three per cent is four times that of the smallest.
                assertThat(deviation(p.weight())).as(p.name()).isCloseTo(expected, within(0.06 * expected));
                assertThat(deviation(plain.parameters().get(i).weight()))
                        .as(p.name())
                        .isCloseTo(0.02, within(0.06 * 0.02));
            }
            assertThat(residual).isEqualTo(2 * layers);
        }
    }

    @Test
    void theSameSeedGivesTheSameWeightsOnAnyNumberOfThreads() {
        float[] first = {};
        for (int threads : new int[] {1, 2, 7}) {
            try (ThreadTeam team = new ThreadTeam("init", threads);
                    ParameterStore store = new ParameterStore(config(2, true))) {
                store.initialize(new ParameterStore.Initialization(0.02, true), 11, team);
                float[] all = weights(store);
                first = first.length == 0 ? all : first;
                assertThat(all).isEqualTo(first);
                store.initialize(new ParameterStore.Initialization(0.02, true), 12, team);
                assertThat(weights(store)).isNotEqualTo(first);
            }
        }
    }

    private static float[] weights(ParameterStore store) {
        List<float[]> all =
                store.parameters().stream().map(p -> p.weight().toFloats()).toList();
        float[] joined = new float[all.stream().mapToInt(w -> w.length).sum()];
        int at = 0;
        for (float[] one : all) {
            System.arraycopy(one, 0, joined, at, one.length);
            at += one.length;
        }
        return joined;
    }

    /** Either neighbour on the grid of bf16, with the mean of the value itself. */
    @ParameterizedTest
    @ValueSource(floats = {1.0001f, -0.3333f, 3.1e-5f, -1e-40f, 0, 250.7f})
    void roundsUpOrDownByChance(float value) {
        int below = Float.floatToRawIntBits(value) & 0xFFFF0000;
        float toZero = Float.intBitsToFloat(below);
        float fromZero = Float.intBitsToFloat(below + 0x10000);
        double sum = 0;
        int draws = 1 << 16;
        for (int i = 0; i < draws; i++) {
            float rounded = ParameterStore.roundStochastically(value, (long) i << 48); // every draw once
            assertThat(rounded == toZero || rounded == fromZero).isTrue();
            sum += rounded;
        }
        assertThat(sum / draws).isCloseTo(value, within(Math.abs(value) * 1e-7 + 1e-46));
    }

    @Test
    void whatIsNoNumberStaysAsItIs() {
        assertThat(ParameterStore.roundStochastically(Float.POSITIVE_INFINITY, -1))
                .isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(ParameterStore.roundStochastically(Float.NaN, -1)).isNaN();
    }

    /** The model sees rounded matrices, the masters stay; the draws depend on seed and update, not on threads. */
    @Test
    void theModelSeesRoundedWeights() {
        try (ThreadTeam one = new ThreadTeam("one", 1);
                ThreadTeam three = new ThreadTeam("three", 3);
                ParameterStore store = new ParameterStore(config(2, true), true)) {
            store.initialize(new ParameterStore.Initialization(0.02, true), 5, one);
            float[] masters = weights(store);
            store.roundStochastically(5, 9, one);
            float[] seen = store.weights().embedding().toFloats();
            for (float x : seen) {
                assertThat(Float.floatToRawIntBits(x) & 0xFFFF).isZero();
            }
            assertThat(seen).isNotEqualTo(store.parameters().getFirst().weight().toFloats());
            assertThat(weights(store)).isEqualTo(masters);
            store.roundStochastically(5, 10, three);
            assertThat(store.weights().embedding().toFloats()).isNotEqualTo(seen);
            store.roundStochastically(5, 9, three);
            assertThat(store.weights().embedding().toFloats()).isEqualTo(seen);
            assertThat(store.weights().finalNorm().toFloats()).containsOnly(1f);
        }
    }
}
