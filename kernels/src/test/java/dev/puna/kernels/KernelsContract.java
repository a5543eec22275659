package dev.puna.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.kernels.blocks.Rows;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntConsumer;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every tier of {@link Kernels} promises. A tier's test extends this class and says how to make its kernels.
 *
 * <p>Results are held against sums in float64, within a bound of the form k·2⁻²⁴·Σ|terms|: a bound relative to the
 * value itself would be wrong where terms cancel.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class KernelsContract {
    /** One rounding of fp32. */
    private static final double EPS = 0x1p-24;

    private static final int[] ODD_SIZES = {1, 3, 13, 31, 32, 33, 207, 702, 4098};

    private ThreadTeam one;
    private ThreadTeam two;
    private ThreadTeam seven;
    private Kernels kernels;
    private Kernels onTwo;
    private Kernels onSeven;
    private Arena arena;

    /** The kernels under test, on a team that the caller closes. */
    protected abstract Kernels create(ThreadTeam threads);

    /**
     * Error of a product against exact weights, as a multiple of Σ|w·x|. A tier that rounds activations says so here.
     */
    protected double matmulTolerance(DType dtype, int in) {
        return (4 + Math.sqrt(in)) * EPS;
    }

    /**
     * What attention over a cache of this type may err beyond fp32's own rounding, as a share of 1 + the largest Σ|q·k|
     * of a score. A tier that rounds factors says so here.
     */
    protected double attentionTolerance(DType dtype) {
        return 0;
    }

    @BeforeAll
    void open() {
        one = new ThreadTeam("one", 1);
        two = new ThreadTeam("two", 2);
        seven = new ThreadTeam("seven", 7);
        kernels = create(one);
        onTwo = create(two);
        onSeven = create(seven);
    }

    @AfterAll
    void close() {
        List.of(kernels, onTwo, onSeven).forEach(Kernels::close);
        List.of(one, two, seven).forEach(ThreadTeam::close);
    }

    @BeforeEach
    void openArena() {
        arena = Arena.ofShared();
    }

    @AfterEach
    void closeArena() {
        arena.close();
    }

    // ---- matmul

    @ParameterizedTest
    @EnumSource(DType.class)
    void matmulOfEveryType(DType dtype) {
        int block = dtype.blockSize();
        int[] widths = block == 1 ? ODD_SIZES : new int[] {block, 3 * block, 1024, 1024 + block, 8 * 256 + 256};
        Random random = new Random(1);
        for (int in : widths) {
            for (int out : new int[] {1, 7, 8, 9, 24, 25}) {
                Tensor w = weights(dtype, random, out, in);
                for (int rows : new int[] {1, 2, 5}) {
                    checkMatmul(w, normal(random, rows, in));
                }
            }
        }
    }

    @Test
    void matmulOfManyRows() {
        Random random = new Random(2);
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_K)) {
            Tensor w = weights(dtype, random, 50, 512);
            for (int rows : new int[] {127, 128, 129, 207}) {
                checkMatmul(w, normal(random, rows, 512));
            }
        }
    }

    @Test
    void matmulOfNothing() {
        for (DType dtype : DType.values()) {
            Tensor w = weights(dtype, new Random(3), 5, 256);
            kernels.matmul(zeros(0, 5), zeros(0, 256), w);
            kernels.matmul(zeros(3, 0), zeros(3, 256), w.rows(0, 0));
        }
    }

    @Test
    void matmulWithExtremes() {
        Random random = new Random(4);
        float[] extremes = {Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE, -0f, 0f, 1e-30f, 1e30f, Float.MIN_NORMAL
        };
        for (float extreme : extremes) {
            Tensor x = normal(random, 3, 64);
            x.setFloat(64 + 7, extreme);
            Tensor w = weights(DType.F32, random, 9, 64);
            checkMatmul(w, x);
        }
    }

    @Test
    void matmulCarriesNanAndInfinity() {
        Random random = new Random(5);
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_K, DType.Q6_K)) {
            Tensor w = weights(dtype, random, 9, 512);
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
                Tensor x = normal(random, 5, 512);
                x.setFloat(2 * 512 + 300, bad);
                Tensor y = zeros(5, 9);
                kernels.matmul(y, x, w);
                for (int row = 0; row < 5; row++) {
                    for (int o = 0; o < 9; o++) {
                        assertThat(Float.isFinite(y.getFloat(row * 9 + o)))
                                .as("%s with %s, row %d", dtype, bad, row)
                                .isEqualTo(row != 2);
                    }
                }
            }
        }
        Tensor w = weights(DType.F32, random, 9, 40);
        w.setFloat(3 * 40 + 39, Float.NaN);
        Tensor y = zeros(1, 9);
        kernels.matmul(y, normal(random, 1, 40), w);
        for (int o = 0; o < 9; o++) {
            assertThat(Float.isNaN(y.getFloat(o))).isEqualTo(o == 3);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void matmulReadsWeightsAtAnyAddress(DType dtype) {
        Random random = new Random(6);
        Tensor w = weights(dtype, random, 9, 512);
        Tensor x = normal(random, 3, 512);
        Tensor expected = zeros(3, 9);
        kernels.matmul(expected, x, w);
        for (int shift : new int[] {1, 2, 31}) {
            Tensor y = zeros(3, 9);
            kernels.matmul(y, x, shifted(w, shift));
            assertSameBits(y, expected);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void matmulRowsDoNotDependOnEachOther(DType dtype) {
        Random random = new Random(7);
        Tensor w = weights(dtype, random, 57, 1280);
        Tensor x = normal(random, 133, 1280);
        Tensor y = zeros(133, 57);
        kernels.matmul(y, x, w);
        for (int from : new int[] {0, 1, 64, 131, 132}) {
            for (int count : new int[] {1, 2, 3, 4, 7, 40}) {
                int to = Math.min(133, from + count);
                Tensor part = zeros(to - from, 57);
                kernels.matmul(part, x.rows(from, to), w);
                assertSameBits(part, y.rows(from, to));
            }
        }
    }

    @Test
    void matmulOfSeveralWeightsIsTheSameAsEach() {
        Random random = new Random(8);
        for (int rows : new int[] {0, 1, 6}) {
            Tensor x = normal(random, rows, 512);
            List<Tensor> w = List.of(
                    weights(DType.Q8_0, random, 40, 512),
                    weights(DType.Q4_K, random, 8, 512),
                    weights(DType.F32, random, 13, 512));
            List<Tensor> together = List.of(zeros(rows, 40), zeros(rows, 8), zeros(rows, 13));
            kernels.matmul(together, x, w);
            for (int i = 0; i < w.size(); i++) {
                Tensor alone = zeros(rows, (int) w.get(i).rows());
                kernels.matmul(alone, x, w.get(i));
                assertSameBits(together.get(i), alone);
            }
        }
    }

    @Test
    void matmulNamesShapesThatDoNotFit() {
        Tensor w = weights(DType.F32, new Random(9), 5, 8);
        assertThatThrownBy(() -> kernels.matmul(zeros(2, 5), zeros(2, 7), w))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(2, 7)")
                .hasMessageContaining("(5, 8)");
        assertThatThrownBy(() -> kernels.matmul(zeros(3, 5), zeros(2, 8), w))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> kernels.matmul(zeros(2, 4), zeros(2, 8), w))
                .isInstanceOf(IllegalArgumentException.class);
        Tensor onDevice = new Tensor(MemorySegment.ofAddress(4096), DType.F32, Shape.of(5, 8));
        assertThatThrownBy(() -> kernels.matmul(zeros(2, 5), zeros(2, 8), onDevice))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("device");
    }

    // ---- rows and elements

    @Test
    void addsBiasAndResidual() {
        Random random = new Random(10);
        for (int width : ODD_SIZES) {
            for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
                Tensor bias = weights(dtype, random, 1, width).reshape(width);
                float[] b = decoded(bias);
                Tensor y = normal(random, 3, width);
                float[] before = y.toFloats();
                kernels.addBias(y, bias);
                for (int i = 0; i < before.length; i++) {
                    assertThat(y.getFloat(i)).isEqualTo(before[i] + b[i % width]);
                }
            }
            Tensor y = normal(random, 3, width);
            Tensor x = normal(random, 3, width);
            float[] before = y.toFloats();
            kernels.add(y, x);
            for (int i = 0; i < before.length; i++) {
                assertThat(y.getFloat(i)).isEqualTo(before[i] + x.getFloat(i));
            }
        }
        assertThatThrownBy(() -> kernels.add(zeros(2, 3), zeros(3, 2)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(2, 3)")
                .hasMessageContaining("(3, 2)");
        assertThatThrownBy(() -> kernels.addBias(zeros(2, 3), zeros(2))).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void embeddingAndDequantizeDecodeToTheBit(DType dtype) {
        Random random = new Random(11);
        int width = dtype.blockSize() == 1 ? 207 : 768;
        Tensor table = shifted(weights(dtype, random, 11, width), 3);
        float[] expected = decoded(table);
        Tensor all = zeros(11, width);
        kernels.dequantize(all, table);
        assertThat(bits(all)).isEqualTo(bits(expected));
        int[] ids = {10, 0, 3, 3};
        Tensor y = zeros(4, width);
        kernels.embedding(y, table, ids);
        for (int i = 0; i < ids.length; i++) {
            assertThat(bits(y.row(i))).isEqualTo(bits(all.row(ids[i])));
        }
        kernels.embedding(zeros(0, width), table, new int[0]);
        assertThatThrownBy(() -> kernels.embedding(zeros(1, width), table, new int[] {11}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("11");
        assertThatThrownBy(() -> kernels.embedding(zeros(1, width), table, new int[] {-1}))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void rmsNormOfOddWidths() {
        Random random = new Random(12);
        for (int width : ODD_SIZES) {
            for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
                Tensor weight = weights(dtype, random, 1, width).reshape(width);
                float[] gain = decoded(weight);
                Tensor x = normal(random, 4, width);
                Tensor y = zeros(4, width);
                kernels.rmsNorm(y, x, weight, 1e-5f);
                for (int row = 0; row < 4; row++) {
                    double squares = 0;
                    for (int c = 0; c < width; c++) {
                        squares += Math.pow(x.getFloat((long) row * width + c), 2);
                    }
                    double factor = 1 / Math.sqrt(squares / width + 1e-5f);
                    for (int c = 0; c < width; c++) {
                        double expected = x.getFloat((long) row * width + c) * factor * gain[c];
                        assertThat((double) y.getFloat((long) row * width + c))
                                .isCloseTo(
                                        expected,
                                        Offset.offset(Math.abs(expected) * (8 + Math.sqrt(width) / 4) * EPS + 1e-44));
                    }
                }
                Tensor inPlace = copy(x);
                kernels.rmsNorm(inPlace, inPlace, weight, 1e-5f);
                assertSameBits(inPlace, y);
                Tensor alone = zeros(1, width);
                kernels.rmsNorm(alone, x.rows(2, 3), weight, 1e-5f);
                assertSameBits(alone, y.rows(2, 3));
            }
        }
        Tensor zero = zeros(1, 64);
        kernels.rmsNorm(zero, zero, ones(64), 1e-5f);
        assertThat(zero.toFloats()).containsOnly(0f);
        Tensor bad = normal(random, 2, 64);
        bad.setFloat(5, Float.NaN);
        Tensor y = zeros(2, 64);
        kernels.rmsNorm(y, bad, ones(64), 1e-5f);
        assertThat(y.getFloat(0)).isNaN();
        assertThat(y.getFloat(64)).isFinite();
        assertThatThrownBy(() -> kernels.rmsNorm(zeros(2, 8), zeros(2, 8), zeros(7), 1e-5f))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(7)");
    }

    @Test
    void ropeTurnsPairsOfEitherOrder() {
        Random random = new Random(13);
        for (int size : new int[] {2, 6, 64, 80, 128}) {
            int half = size / 2;
            RopeTable table = ropeTable(100, size);
            for (int heads : new int[] {1, 3}) {
                Tensor x = normal(random, 5, heads * size);
                int[] positions = {0, 1, 99, 7, 7};
                Tensor halves = zeros(5, heads * size);
                kernels.rope(halves, x, table, RopePairing.HALVES, positions);
                Tensor shuffled = zeros(5, heads * size);
                for (int row = 0; row < 5; row++) {
                    for (int head = 0; head < heads; head++) {
                        int at = (row * heads + head) * size;
                        for (int i = 0; i < half; i++) {
                            double a = x.getFloat(at + i);
                            double b = x.getFloat(at + half + i);
                            double cos = table.cos().getFloat((long) positions[row] * half + i);
                            double sin = table.sin().getFloat((long) positions[row] * half + i);
                            double bound = 4 * EPS * (Math.abs(a) + Math.abs(b));
                            assertThat((double) halves.getFloat(at + i))
                                    .isCloseTo(a * cos - b * sin, Offset.offset(bound));
                            assertThat((double) halves.getFloat(at + half + i))
                                    .isCloseTo(b * cos + a * sin, Offset.offset(bound));
                            shuffled.setFloat(at + 2 * i, (float) a);
                            shuffled.setFloat(at + 2 * i + 1, (float) b);
                        }
                    }
                }
                Tensor interleaved = zeros(5, heads * size);
                kernels.rope(interleaved, shuffled, table, RopePairing.INTERLEAVED, positions);
                assertSameBits(interleaved, halves);
                Tensor inPlace = copy(x);
                kernels.rope(inPlace, inPlace, table, RopePairing.HALVES, positions);
                assertSameBits(inPlace, halves);
            }
        }
        RopeTable table = ropeTable(4, 8);
        assertThatThrownBy(() -> kernels.rope(zeros(1, 8), zeros(1, 8), table, RopePairing.HALVES, new int[] {4}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("position 4");
        assertThatThrownBy(() -> kernels.rope(zeros(1, 12), zeros(1, 12), table, RopePairing.HALVES, new int[] {0}))
                .isInstanceOf(IllegalArgumentException.class);
        Tensor same = zeros(1, 8);
        assertThatThrownBy(() -> kernels.rope(same, same, table, RopePairing.INTERLEAVED, new int[] {0}))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void swiGluOfEverySize() {
        Random random = new Random(14);
        for (int width : ODD_SIZES) {
            Tensor gate = normal(random, 3, width);
            Tensor up = normal(random, 3, width);
            for (int i = 0; i < 3 * width; i++) {
                gate.setFloat(i, gate.getFloat(i) * (i % 5 == 0 ? 30 : 2));
            }
            Tensor y = zeros(3, width);
            kernels.swiGlu(y, gate, up);
            for (int i = 0; i < 3 * width; i++) {
                double g = gate.getFloat(i);
                double expected = g / (1 + Math.exp(-g)) * up.getFloat(i);
                assertThat((double) y.getFloat(i))
                        .as("silu(%s)", g)
                        .isCloseTo(expected, Offset.offset(8 * EPS * Math.abs(expected) + 1e-35));
            }
            Tensor alone = zeros(1, width);
            kernels.swiGlu(alone, gate.rows(1, 2), up.rows(1, 2));
            assertSameBits(alone, y.rows(1, 2));
            kernels.swiGlu(gate, gate, up);
            assertSameBits(gate, y);
        }
        float[] gates = {
            0f, -0f, 1e-30f, 88f, 89f, 200f, -87f, -88f, -89f, -200f, 1e30f, -1e30f, Float.POSITIVE_INFINITY
        };
        Tensor y = zeros(1, gates.length);
        kernels.swiGlu(y, Tensor.ofFloats(gates, 1, gates.length), ones(1, gates.length));
        for (int i = 0; i < gates.length; i++) {
            double expected = gates[i] / (1 + Math.exp(-(double) gates[i]));
            if (Double.isInfinite(expected)) {
                assertThat(y.getFloat(i)).isEqualTo(Float.POSITIVE_INFINITY);
            } else {
                assertThat((double) y.getFloat(i))
                        .as("silu(%s)", gates[i])
                        .isCloseTo(expected, Offset.offset(8 * EPS * Math.abs(expected) + 1e-35));
            }
        }
        Tensor nan = Tensor.ofFloats(new float[] {1, Float.NaN, 2}, 1, 3);
        Tensor result = zeros(1, 3);
        kernels.swiGlu(result, nan, ones(1, 3));
        assertThat(result.getFloat(1)).isNaN();
        assertThat(result.getFloat(0)).isFinite();
        assertThatThrownBy(() -> kernels.swiGlu(zeros(1, 3), zeros(1, 3), zeros(1, 4)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
    void quantizesAsTheReferenceDoes(DType dtype) {
        Tensor x = normal(new Random(15), 5, 768);
        Tensor y = tensor(dtype, 5, 768);
        kernels.quantize(y, x);
        byte[] expected = new byte[(int) y.data().byteSize()];
        Rows.encode(dtype, MemorySegment.ofArray(expected), 0, 5 * 768, x.toFloats(), 0);
        assertThat(y.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q2_K", "Q3_K", "IQ4_NL", "IQ4_XS", "F64", "I8", "U8", "I16", "I32", "I64"})
    void refusesToQuantizeWithoutAQuantizer(DType dtype) {
        assertThatThrownBy(() -> kernels.quantize(tensor(dtype, 1, 256), zeros(1, 256)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(dtype.name());
    }

    // ---- attention

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16", "Q8_0"})
    void attentionOfEveryCacheType(DType dtype) {
        for (int size : dtype == DType.Q8_0 ? new int[] {32, 64, 128} : new int[] {2, 6, 16, 64, 80, 128}) {
            checkAttention(dtype, 4, 2, size, 20, 0, 512);
        }
        checkAttention(dtype, 3, 3, 32, 5, 130, 512);
        checkAttention(dtype, 8, 1, 64, 1, 199, 512);
        checkAttention(dtype, 4, 2, 64, 70, 60, 16);
        checkAttention(dtype, 4, 2, 32, 33, 31, 1);
    }

    @Test
    void attentionDoesNotDependOnHowAPromptIsCut() {
        Random random = new Random(16);
        int heads = 6;
        int kvHeads = 2;
        int size = 48;
        int length = 150;
        KvView contiguous = cache(DType.F16, kvHeads, size, 256, 1, random);
        KvView paged = cache(DType.F16, kvHeads, size, 16, 16, random);
        Tensor k = normal(random, length, kvHeads * size);
        Tensor v = normal(random, length, kvHeads * size);
        kernels.storeKv(contiguous, 0, k, v);
        for (int at = 0; at < length; at += 37) {
            int to = Math.min(length, at + 37);
            kernels.storeKv(paged, at, k.rows(at, to), v.rows(at, to));
        }
        Tensor q = normal(random, length, heads * size);
        Tensor whole = zeros(length, heads * size);
        kernels.attention(whole, q, List.of(new AttentionSpan(contiguous, 0, length)), 0.2f);
        for (int piece : new int[] {1, 7, 64, 100}) {
            Tensor cut = zeros(length, heads * size);
            for (int at = 0; at < length; at += piece) {
                int to = Math.min(length, at + piece);
                kernels.attention(
                        cut.rows(at, to), q.rows(at, to), List.of(new AttentionSpan(paged, at, to - at)), 0.2f);
            }
            assertSameBits(cut, whole);
        }
    }

    @Test
    void attentionOfSeveralSequencesIsTheSameAsEach() {
        Random random = new Random(17);
        KvView first = filled(cache(DType.F32, 2, 32, 64, 1, random), random);
        KvView second = filled(cache(DType.F32, 2, 32, 16, 8, random), random);
        Tensor q = normal(random, 9, 4 * 32);
        Tensor together = zeros(9, 4 * 32);
        AttentionSpan a = new AttentionSpan(first, 40, 1);
        AttentionSpan none = new AttentionSpan(first, 3, 0);
        AttentionSpan b = new AttentionSpan(second, 100, 8);
        kernels.attention(together, q, List.of(a, none, b), 0.1f);
        Tensor alone = zeros(9, 4 * 32);
        kernels.attention(alone.rows(0, 1), q.rows(0, 1), List.of(a), 0.1f);
        kernels.attention(alone.rows(1, 9), q.rows(1, 9), List.of(b), 0.1f);
        assertSameBits(together, alone);
        kernels.attention(zeros(0, 128), zeros(0, 128), List.of(), 0.1f);
    }

    @Test
    void attentionSeesNothingOfTheFuture() {
        Random random = new Random(18);
        KvView cache = filled(cache(DType.F32, 1, 16, 128, 1, random), random);
        Tensor q = normal(random, 1, 16);
        Tensor y = zeros(1, 16);
        AttentionSpan span = new AttentionSpan(cache, 70, 1);
        kernels.attention(y, q, List.of(span), 0.25f);
        for (int position = 71; position < 128; position++) {
            for (int i = 0; i < 16; i++) {
                cache.pool().set(Tensor.F32_LE, cache.keyOffset(0, position) + 4L * i, Float.NaN);
                cache.pool().set(Tensor.F32_LE, cache.valueOffset(0, position) + 4L * i, Float.NaN);
            }
        }
        Tensor again = zeros(1, 16);
        kernels.attention(again, q, List.of(span), 0.25f);
        assertSameBits(again, y);
    }

    /** A value that is NaN or infinite is in the results of all who see it, and in no other element. */
    @ParameterizedTest
    @ValueSource(ints = {0, 20, 69})
    void attentionCarriesBadValuesToThoseWhoSeeThem(int bad) {
        int length = 70;
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
            for (float value : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                Random random = new Random(21);
                KvView cache = cache(dtype, 1, 32, 128, 1, random);
                Tensor v = normal(random, length, 32);
                v.setFloat(bad * 32L + 3, value);
                kernels.storeKv(cache, 0, normal(random, length, 32), v);
                Tensor q = normal(random, length, 32);
                Tensor y = zeros(length, 32);
                kernels.attention(y, q, List.of(new AttentionSpan(cache, 0, length)), 0.2f);
                for (int row = 0; row < length; row++) {
                    for (int i = 0; i < 32; i++) {
                        // Rows of a prompt before it may be struck, too: tiers multiply whole blocks of keys.
                        if (i != 3 || row >= bad) {
                            assertThat(Float.isFinite(y.getFloat(row * 32L + i)))
                                    .as("%s %s at %d: row %d, element %d", dtype, value, bad, row, i)
                                    .isEqualTo(i != 3);
                        }
                    }
                }
            }
        }
    }

    @Test
    void attentionWithLargeScores() {
        Random random = new Random(19);
        KvView cache = cache(DType.F32, 1, 16, 128, 1, random);
        Tensor k = normal(random, 128, 16);
        Tensor v = normal(random, 128, 16);
        for (int i = 0; i < 128 * 16; i++) {
            k.setFloat(i, k.getFloat(i) * 1000);
        }
        kernels.storeKv(cache, 0, k, v);
        Tensor q = normal(random, 2, 16);
        Tensor y = zeros(2, 16);
        kernels.attention(y, q, List.of(new AttentionSpan(cache, 126, 2)), 1f);
        // One key takes it all.
        for (int row = 0; row < 2; row++) {
            int best = 0;
            double bestScore = Double.NEGATIVE_INFINITY;
            for (int t = 0; t < 127 + row; t++) {
                double score = 0;
                for (int i = 0; i < 16; i++) {
                    score += (double) q.getFloat(row * 16 + i) * k.getFloat(t * 16 + i);
                }
                if (score > bestScore) {
                    bestScore = score;
                    best = t;
                }
            }
            for (int i = 0; i < 16; i++) {
                assertThat(y.getFloat(row * 16 + i)).isCloseTo(v.getFloat(best * 16 + i), Offset.offset(1e-4f));
            }
        }
    }

    @Test
    void attentionNamesWhatDoesNotFit() {
        Random random = new Random(20);
        KvView cache = cache(DType.F32, 2, 16, 32, 1, random);
        assertThatThrownBy(() ->
                        kernels.attention(zeros(1, 48), zeros(1, 48), List.of(new AttentionSpan(cache, 0, 1)), 1f))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(1, 48)");
        assertThatThrownBy(() ->
                        kernels.attention(zeros(2, 32), zeros(2, 32), List.of(new AttentionSpan(cache, 0, 1)), 1f))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> kernels.storeKv(cache, 31, zeros(2, 32), zeros(2, 32)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("31");
    }

    // ---- threads

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 130})
    void anyNumberOfThreadsGivesTheSameBits(int rows) {
        for (DType dtype : List.of(DType.F32, DType.Q8_0, DType.Q4_0, DType.Q4_K, DType.BF16)) {
            Tensor w = weights(dtype, new Random(21), 307, 1024);
            Tensor x = normal(new Random(22), rows, 1024);
            sameOnEveryTeam(zeros(rows, 307), (k, y) -> k.matmul(y, x, w));
        }
        Random random = new Random(23);
        Tensor x = normal(random, rows, 4098);
        Tensor other = normal(random, rows, 4098);
        sameOnEveryTeam(x, (k, y) -> k.add(y, other));
        sameOnEveryTeam(x, (k, y) -> k.addBias(y, other.row(0)));
        sameOnEveryTeam(x, (k, y) -> k.rmsNorm(y, other, x.row(0), 1e-6f));
        sameOnEveryTeam(x, (k, y) -> k.swiGlu(y, x, other));
        RopeTable table = ropeTable(rows, 6);
        int[] positions = new int[rows];
        Arrays.setAll(positions, i -> i);
        sameOnEveryTeam(x, (k, y) -> k.rope(y, other, table, RopePairing.HALVES, positions));
        KvView cache = filled(cache(DType.BF16, 2, 64, 512, 1, random), random);
        Tensor q = normal(random, rows, 8 * 64);
        sameOnEveryTeam(q, (k, y) -> k.attention(y, q, List.of(new AttentionSpan(cache, 512 - rows, rows)), 0.125f));
    }

    /** Runs an operation in place of a copy of {@code start} on 1, 2 and 7 threads. */
    private void sameOnEveryTeam(Tensor start, Operation operation) {
        Tensor expected = copy(start);
        operation.run(kernels, expected);
        for (Kernels other : List.of(onTwo, onSeven)) {
            Tensor y = copy(start);
            operation.run(other, y);
            assertSameBits(y, expected);
        }
    }

    @FunctionalInterface
    private interface Operation {
        void run(Kernels kernels, Tensor y);
    }

    // ---- the truth

    private void checkMatmul(Tensor w, Tensor x) {
        int rows = (int) x.rows();
        int in = (int) x.columns();
        int out = (int) w.rows();
        float[] weights = decoded(w);
        Tensor y = zeros(rows, out);
        kernels.matmul(y, x, w);
        for (int row = 0; row < rows; row++) {
            for (int o = 0; o < out; o++) {
                double sum = 0;
                double magnitude = 0;
                for (int i = 0; i < in; i++) {
                    double term = (double) x.getFloat((long) row * in + i) * weights[o * in + i];
                    sum += term;
                    magnitude += Math.abs(term);
                }
                float actual = y.getFloat((long) row * out + o);
                double bound = matmulTolerance(w.dtype(), in) * magnitude + Float.MIN_VALUE * (double) in;
                boolean overflows = magnitude > Float.MAX_VALUE / 4;
                assertThat(overflows || Math.abs(actual - sum) <= bound)
                        .as("%s row %d out %d: %s, expected %s ± %s", w, row, o, actual, sum, bound)
                        .isTrue();
            }
        }
    }

    private void checkAttention(
            DType dtype, int heads, int kvHeads, int size, int rows, int firstPosition, int pageLength) {
        Random random = new Random(24);
        int length = firstPosition + rows;
        int pages = (length + pageLength - 1) / pageLength;
        KvView cache = cache(dtype, kvHeads, size, pageLength, pages, random);
        Tensor k = normal(random, length, kvHeads * size);
        Tensor v = normal(random, length, kvHeads * size);
        kernels.storeKv(cache, 0, k, v);
        Tensor q = normal(random, rows, heads * size);
        Tensor y = zeros(rows, heads * size);
        float scale = (float) (1 / Math.sqrt(size));
        kernels.attention(y, q, List.of(new AttentionSpan(cache, firstPosition, rows)), scale);
        float[] key = new float[size];
        float[] value = new float[size];
        for (int row = 0; row < rows; row++) {
            for (int head = 0; head < heads; head++) {
                int visible = firstPosition + row + 1;
                int kvHead = head / (heads / kvHeads);
                double[] scores = new double[visible];
                double max = Double.NEGATIVE_INFINITY;
                double largestScore = 0;
                for (int t = 0; t < visible; t++) {
                    Rows.decode(dtype, cache.pool(), cache.keyOffset(kvHead, t), size, key, 0);
                    double magnitude = 0;
                    for (int i = 0; i < size; i++) {
                        double term = (double) q.getFloat((long) row * heads * size + head * size + i) * key[i];
                        scores[t] += term * scale;
                        magnitude += Math.abs(term) * scale;
                    }
                    max = Math.max(max, scores[t]);
                    largestScore = Math.max(largestScore, magnitude);
                }
                double total = 0;
                double[] expected = new double[size];
                double[] magnitude = new double[size];
                for (int t = 0; t < visible; t++) {
                    double p = Math.exp(scores[t] - max);
                    total += p;
                    Rows.decode(dtype, cache.pool(), cache.valueOffset(kvHead, t), size, value, 0);
                    for (int i = 0; i < size; i++) {
                        expected[i] += p * value[i];
                        magnitude[i] += p * Math.abs(value[i]);
                    }
                }
                for (int i = 0; i < size; i++) {
                    double bound = (16 + Math.sqrt(visible) + 8 * largestScore) * EPS * magnitude[i] / total
                            + attentionTolerance(dtype) * (1 + largestScore) * magnitude[i] / total;
                    assertThat((double) y.getFloat((long) row * heads * size + head * size + i))
                            .as("%s head size %d row %d head %d", dtype, size, row, head)
                            .isCloseTo(expected[i] / total, Offset.offset(bound));
                }
            }
        }
    }

    // ---- inputs

    /** Weights of any type with values around 1. */
    private Tensor weights(DType dtype, Random random, int rows, int columns) {
        Tensor tensor = tensor(dtype, rows, columns);
        MemorySegment data = tensor.data();
        int count = rows * columns;
        switch (dtype) {
            case F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K ->
                Rows.encode(dtype, data, 0, count, normal(random, rows, columns).toFloats(), 0);
            case F64 -> fill(count, i -> data.set(Tensor.F64_LE, 8L * i, random.nextGaussian()));
            case I8, U8 -> fill(count, i -> data.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt()));
            case I16 -> fill(count, i -> data.set(Tensor.I16_LE, 2L * i, (short) random.nextInt()));
            case I32 -> fill(count, i -> data.set(Tensor.I32_LE, 4L * i, random.nextInt(2001) - 1000));
            case I64 -> fill(count, i -> data.set(Tensor.I64_LE, 8L * i, random.nextInt(2001) - 1000));
            case Q2_K, Q3_K, IQ4_NL, IQ4_XS -> {
                fill((int) data.byteSize(), i -> data.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt()));
                int[] halves = switch (dtype) {
                    case Q2_K -> new int[] {80, 82};
                    case Q3_K -> new int[] {108};
                    default -> new int[] {0};
                };
                for (long block = 0; block < data.byteSize(); block += dtype.bytesPerBlock()) {
                    for (int half : halves) {
                        data.set(Tensor.I16_LE, block + half, Float.floatToFloat16((float) random.nextGaussian()));
                    }
                }
            }
        }
        return tensor;
    }

    private static void fill(int count, IntConsumer each) {
        for (int i = 0; i < count; i++) {
            each.accept(i);
        }
    }

    private Tensor tensor(DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        return new Tensor(arena.allocate(dtype.byteSize(shape.elementCount()), 64), dtype, shape);
    }

    private Tensor zeros(long... dims) {
        return tensor(DType.F32, dims);
    }

    private Tensor ones(long... dims) {
        Tensor tensor = zeros(dims);
        for (long i = 0; i < tensor.shape().elementCount(); i++) {
            tensor.setFloat(i, 1);
        }
        return tensor;
    }

    private Tensor normal(Random random, long... dims) {
        Tensor tensor = zeros(dims);
        for (long i = 0; i < tensor.shape().elementCount(); i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }

    private Tensor copy(Tensor tensor) {
        Tensor copy = tensor(tensor.dtype(), tensor.shape().dims());
        copy.data().copyFrom(tensor.data());
        return copy;
    }

    /** The same tensor at an address that is not aligned for anything. */
    private Tensor shifted(Tensor tensor, int bytes) {
        MemorySegment memory = arena.allocate(tensor.data().byteSize() + 64, 64)
                .asSlice(bytes, tensor.data().byteSize());
        memory.copyFrom(tensor.data());
        return new Tensor(memory, tensor.dtype(), tensor.shape());
    }

    private KvView cache(DType dtype, int kvHeads, int size, int pageLength, int pageCount, Random random) {
        long bytes = KvView.bytesPerPage(dtype, kvHeads, size, pageLength);
        long stride = bytes + 64;
        int[] pages = new int[pageCount];
        Arrays.setAll(pages, i -> pageCount - 1 - i);
        if (pageCount > 2) {
            int swap = random.nextInt(pageCount);
            int other = pages[swap];
            pages[swap] = pages[0];
            pages[0] = other;
        }
        return new KvView(arena.allocate(stride * pageCount, 64), dtype, kvHeads, size, pageLength, pages, stride);
    }

    private KvView filled(KvView cache, Random random) {
        int width = cache.kvHeadCount() * cache.headSize();
        kernels.storeKv(cache, 0, normal(random, cache.capacity(), width), normal(random, cache.capacity(), width));
        return cache;
    }

    private RopeTable ropeTable(int positions, int size) {
        Tensor cos = zeros(positions, size / 2);
        Tensor sin = zeros(positions, size / 2);
        for (int p = 0; p < positions; p++) {
            for (int i = 0; i < size / 2; i++) {
                double angle = p * Math.pow(10_000, -2.0 * i / size);
                cos.setFloat((long) p * size / 2 + i, (float) Math.cos(angle));
                sin.setFloat((long) p * size / 2 + i, (float) Math.sin(angle));
            }
        }
        return new RopeTable(cos, sin, size);
    }

    private static float[] decoded(Tensor tensor) {
        float[] values = new float[(int) tensor.shape().elementCount()];
        Rows.decode(tensor.dtype(), tensor.data(), 0, values.length, values, 0);
        return values;
    }

    private static int[] bits(Tensor tensor) {
        return bits(tensor.toFloats());
    }

    private static int[] bits(float[] values) {
        int[] bits = new int[values.length];
        Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
        return bits;
    }

    private static void assertSameBits(Tensor actual, Tensor expected) {
        long at = actual.data().mismatch(expected.data());
        assertThat(at).as("first byte that differs of %s", actual).isEqualTo(-1);
    }
}
