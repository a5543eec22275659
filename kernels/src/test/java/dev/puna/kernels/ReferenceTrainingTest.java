package dev.puna.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.function.DoubleSupplier;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/**
 * Every backward formula against central differences of its forward formula in float64: forward operations are written
 * out here once more, so that a mistake cannot be on both sides.
 */
class ReferenceTrainingTest {
    private static final ThreadTeam TEAM = new ThreadTeam("finite-differences", 2);
    private static final ReferenceTraining TRAINING = new ReferenceTraining(TEAM);
    private static final double STEP = 1e-5;
    private final Random random = new Random(7);

    @AfterAll
    static void close() {
        TEAM.close();
    }

    private static Tensor zeros(long... dims) {
        Shape shape = Shape.of(dims);
        return new Tensor(MemorySegment.ofArray(new double[(int) shape.elementCount()]), DType.F64, shape);
    }

    private Tensor normal(long... dims) {
        Tensor tensor = zeros(dims);
        for (int i = 0; i < tensor.shape().elementCount(); i++) {
            ReferenceTraining.set(tensor, i, random.nextGaussian());
        }
        return tensor;
    }

    private static double weighted(Tensor y, Tensor dy) {
        double sum = 0;
        for (int i = 0; i < y.shape().elementCount(); i++) {
            sum += ReferenceTraining.get(y, i) * ReferenceTraining.get(dy, i);
        }
        return sum;
    }

    /** Holds {@code gradient} against how {@code loss} changes with each element of {@code x}. */
    private static void check(Tensor x, Tensor gradient, DoubleSupplier loss) {
        for (int i = 0; i < x.shape().elementCount(); i++) {
            double value = ReferenceTraining.get(x, i);
            ReferenceTraining.set(x, i, value + STEP);
            double above = loss.getAsDouble();
            ReferenceTraining.set(x, i, value - STEP);
            double below = loss.getAsDouble();
            ReferenceTraining.set(x, i, value);
            double expected = (above - below) / (2 * STEP);
            assertThat(ReferenceTraining.get(gradient, i))
                    .as("element " + i)
                    .isCloseTo(expected, org.assertj.core.data.Offset.offset(1e-7 * (1 + Math.abs(expected))));
        }
    }

    private static Tensor map(Tensor x, UnaryOperator<double[]> row) {
        Tensor y = zeros(x.rows(), x.columns());
        int width = (int) x.columns();
        for (int r = 0; r < x.rows(); r++) {
            double[] values = new double[width];
            for (int c = 0; c < width; c++) {
                values[c] = ReferenceTraining.get(x, (long) r * width + c);
            }
            values = row.apply(values);
            for (int c = 0; c < width; c++) {
                ReferenceTraining.set(y, (long) r * width + c, values[c]);
            }
        }
        return y;
    }

    private static Tensor product(Tensor x, Tensor w) {
        Tensor y = zeros(x.rows(), w.rows());
        TRAINING.matmul(y, x, w, ComputePrecision.F32);
        return y;
    }

    @Test
    void matmul() {
        Tensor x = normal(3, 5);
        Tensor w = normal(4, 5);
        Tensor dy = normal(3, 4);
        Tensor dx = zeros(3, 5);
        Tensor dw = zeros(4, 5);
        TRAINING.matmulBackwardInput(dx, dy, w, false, ComputePrecision.F32);
        TRAINING.matmulBackwardWeight(dw, dy, x, ComputePrecision.F32);
        DoubleSupplier loss = () -> weighted(product(x, w), dy);
        check(x, dx, loss);
        check(w, dw, loss);
        TRAINING.matmulBackwardInput(dx, dy, w, true, ComputePrecision.F32);
        TRAINING.matmulBackwardWeight(dw, dy, x, ComputePrecision.F32);
        check(x, dx, () -> 2 * loss.getAsDouble());
        check(w, dw, () -> 2 * loss.getAsDouble());
    }

    @Test
    void bf16RoundsFactorsToNearestEven() {
        assertThat(ReferenceTraining.factor(1 + 0x1p-8f, ComputePrecision.BF16)).isEqualTo(1f);
        assertThat(ReferenceTraining.factor(1 + 3 * 0x1p-8f, ComputePrecision.BF16))
                .isEqualTo(1 + 0x1p-6f);
        assertThat(ReferenceTraining.factor(1 + 0x1.1p-8f, ComputePrecision.BF16))
                .isEqualTo(1 + 0x1p-7f);
    }

    @Test
    void embedding() {
        int[] ids = {2, 0, 2, 2};
        Tensor table = normal(3, 4);
        Tensor dy = normal(4, 4);
        Tensor dtable = zeros(3, 4);
        TRAINING.embeddingBackward(dtable, dy, ids);
        check(table, dtable, () -> {
            double sum = 0;
            for (int r = 0; r < ids.length; r++) {
                for (int c = 0; c < 4; c++) {
                    sum += ReferenceTraining.get(table, ids[r] * 4L + c) * ReferenceTraining.get(dy, r * 4L + c);
                }
            }
            return sum;
        });
    }

    @Test
    void rmsNorm() {
        Tensor x = normal(3, 7);
        Tensor weight = normal(7);
        Tensor dy = normal(3, 7);
        Tensor dx = zeros(3, 7);
        Tensor dweight = zeros(7);
        TRAINING.rmsNormBackward(dx, dweight, dy, x, weight, 1e-2f);
        DoubleSupplier loss = () -> weighted(
                map(x, row -> {
                    double squares = Arrays.stream(row).map(v -> v * v).sum();
                    double s = 1 / Math.sqrt(squares / row.length + 1e-2f);
                    for (int c = 0; c < row.length; c++) {
                        row[c] *= s * ReferenceTraining.get(weight, c);
                    }
                    return row;
                }),
                dy);
        check(x, dx, loss);
        check(weight, dweight, loss);
    }

    @Test
    void ropeOfBothPairings() {
        float[] cos = new float[5 * 3];
        float[] sin = new float[5 * 3];
        for (int i = 0; i < cos.length; i++) {
            cos[i] = (float) Math.cos(0.3 * i);
            sin[i] = (float) Math.sin(0.3 * i);
        }
        RopeTable table = new RopeTable(Tensor.ofFloats(cos, 5, 3), Tensor.ofFloats(sin, 5, 3), 6);
        int[] positions = {4, 0, 2};
        for (RopePairing pairing : RopePairing.values()) {
            Tensor x = normal(3, 12);
            Tensor dy = normal(3, 12);
            Tensor dx = zeros(3, 12);
            TRAINING.ropeBackward(dx, dy, table, pairing, positions);
            check(x, dx, () -> {
                int[] at = {0};
                return weighted(
                        map(x, row -> {
                            double[] y = new double[12];
                            int position = positions[at[0]++];
                            for (int head = 0; head < 12; head += 6) {
                                for (int i = 0; i < 3; i++) {
                                    boolean halves = pairing == RopePairing.HALVES;
                                    double a = row[head + (halves ? i : 2 * i)];
                                    double b = row[head + (halves ? i + 3 : 2 * i + 1)];
                                    y[head + i] = a * cos[position * 3 + i] - b * sin[position * 3 + i];
                                    y[head + i + 3] = b * cos[position * 3 + i] + a * sin[position * 3 + i];
                                }
                            }
                            return y;
                        }),
                        dy);
            });
        }
    }

    /** Two sequences of which the second holds two documents; two query heads share a key/value head. */
    @Test
    void groupedQueryAttentionWithDocuments() {
        int[] first = {0, 0, 0, 3, 3, 5, 5};
        int n = first.length;
        Tensor q = normal(n, 12);
        Tensor k = normal(n, 6);
        Tensor v = normal(n, 6);
        Tensor dy = normal(n, 12);
        Tensor y = zeros(n, 12);
        Tensor lse = zeros(n, 4);
        TRAINING.attention(y, lse, q, k, v, 3, first, 0.6f);
        Tensor dq = zeros(n, 12);
        Tensor dk = zeros(n, 6);
        Tensor dv = zeros(n, 6);
        TRAINING.attentionBackward(dq, dk, dv, dy, q, k, v, y, lse, 3, first, 0.6f);
        DoubleSupplier loss = () -> {
            Tensor again = zeros(n, 12);
            TRAINING.attention(again, zeros(n, 4), q, k, v, 3, first, 0.6f);
            return weighted(again, dy);
        };
        check(q, dq, loss);
        check(k, dk, loss);
        check(v, dv, loss);
        // A row that sees only itself returns its value.
        assertThat(ReferenceTraining.get(y, 3 * 12)).isCloseTo(ReferenceTraining.get(v, 3 * 6), within(1e-12));
    }

    private static org.assertj.core.data.Offset<Double> within(double offset) {
        return org.assertj.core.data.Offset.offset(offset);
    }

    @Test
    void swiGlu() {
        Tensor gate = normal(2, 5);
        Tensor up = normal(2, 5);
        Tensor dy = normal(2, 5);
        Tensor dgate = zeros(2, 5);
        Tensor dup = zeros(2, 5);
        TRAINING.swiGluBackward(dgate, dup, dy, gate, up);
        DoubleSupplier loss = () -> {
            double sum = 0;
            for (int i = 0; i < 10; i++) {
                double g = ReferenceTraining.get(gate, i);
                sum += g / (1 + Math.exp(-g)) * ReferenceTraining.get(up, i) * ReferenceTraining.get(dy, i);
            }
            return sum;
        };
        check(gate, dgate, loss);
        check(up, dup, loss);
    }

    @Test
    void crossEntropyWithZLossAndIgnoredRows() {
        int[] targets = {2, Kernels.IGNORED, 0};
        Tensor logits = normal(3, 4);
        Tensor gradient = zeros(3, 4);
        MemorySegment.copy(logits.data(), 0, gradient.data(), 0, 96);
        Tensor losses = zeros(3);
        Tensor lse = zeros(3);
        TRAINING.crossEntropy(losses, lse, gradient, targets, 0.5f, 0.25f);
        check(logits, gradient, () -> {
            double sum = 0;
            for (int row = 0; row < 3; row++) {
                if (targets[row] != Kernels.IGNORED) {
                    double total = 0;
                    for (int c = 0; c < 4; c++) {
                        total += Math.exp(ReferenceTraining.get(logits, row * 4L + c));
                    }
                    double z = Math.log(total);
                    sum += 0.5 * (z - ReferenceTraining.get(logits, row * 4L + targets[row]) + 0.25 * z * z);
                }
            }
            return sum;
        });
        assertThat(ReferenceTraining.get(losses, 1)).isZero();
    }

    @Test
    void adamWOfOneElementByHand() {
        Tensor w = Tensor.ofFloats(new float[] {2}, 1);
        Tensor m = Tensor.ofFloats(new float[1], 1);
        Tensor v = Tensor.ofFloats(new float[1], 1);
        Tensor g = Tensor.ofFloats(new float[] {4}, 1);
        TRAINING.adamW(w, m, v, g, new AdamWStep(0.1, 0.9, 0.95, 1e-8, 0.5, 1, 0.5));
        // The first step moves by the learning rate, against the sign, after the decay of lr · 0.5.
        assertThat(w.getFloat(0)).isCloseTo(2 * 0.95f - 0.1f, org.assertj.core.data.Offset.offset(1e-6f));
        assertThat(m.getFloat(0)).isCloseTo(0.2f, org.assertj.core.data.Offset.offset(1e-7f));
        assertThat(v.getFloat(0)).isCloseTo(0.2f, org.assertj.core.data.Offset.offset(1e-7f));
    }
}
