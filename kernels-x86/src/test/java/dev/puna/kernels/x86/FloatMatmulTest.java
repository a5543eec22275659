package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.assembler.Processor;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.kernels.blocks.Rows;
import dev.puna.kernels.x86.GuardedMemory.Side;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights that stream and weights in panels, between inaccessible pages, held to sums in float64 and to each other. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FloatMatmulTest {
    private final Random random = new Random(1);
    private ThreadTeam team;
    private Kernels kernels;
    private GuardedMemory memory;

    /** The kernels under test. */
    Kernels create(ThreadTeam threads) {
        return new X86Kernels(new ReferenceKernels(threads), (Processor) Processor.detect());
    }

    @BeforeAll
    void open() {
        team = new ThreadTeam("floats", 2);
        kernels = create(team);
        memory = new GuardedMemory(8, 1 << 20);
    }

    @AfterAll
    void close() {
        kernels.close();
        team.close();
        memory.close();
    }

    private Tensor normal(DType dtype, Side side, int rows, int columns) {
        Tensor tensor = memory.tensor(dtype, side, rows, columns);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        Rows.encode(dtype, tensor.data(), 0, values.length, values, 0);
        return tensor;
    }

    private void check(DType dtype, Side side, int rows, int in, int out) {
        memory.reset();
        Tensor x = normal(DType.F32, side, rows, in);
        Tensor w = normal(dtype, side, out, in);
        Tensor y = normal(DType.F32, side, rows, out);
        kernels.matmul(y, x, w);
        float[] weights = new float[out * in];
        Rows.decode(dtype, w.data(), 0, weights.length, weights, 0);
        for (int row = 0; row < rows; row++) {
            for (int o = 0; o < out; o++) {
                double sum = 0;
                double magnitude = 0;
                for (int i = 0; i < in; i++) {
                    double term = (double) x.getFloat((long) row * in + i) * weights[o * in + i];
                    sum += term;
                    magnitude += Math.abs(term);
                }
                assertThat(Math.abs(y.getFloat((long) row * out + o) - sum))
                        .as("%s %d rows, in %d, out %d, row %d, output %d", dtype, rows, in, out, row, o)
                        .isLessThanOrEqualTo((4 + Math.sqrt(in)) * 0x1p-24 * magnitude);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void everyWidthToOneHundredAndThirty(DType dtype) {
        for (Side side : Side.values()) {
            for (int size = 0; size <= 130; size++) {
                check(dtype, side, 1 + size % 6, size, 1 + size * 7 % 37);
                check(dtype, side, 1 + size % 5, 1 + size * 11 % 50, size);
                check(dtype, side, size % 31, 1 + size * 5 % 40, 1 + size * 3 % 20);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void aRowHasTheSameBitsAloneAndInAnyBatch(DType dtype) {
        for (int in : new int[] {1, 31, 33, 255, 256, 257, 1061}) {
            memory.reset();
            int out = 53;
            Tensor x = normal(DType.F32, Side.AFTER, 67, in);
            Tensor w = normal(dtype, Side.AFTER, out, in);
            Tensor all = normal(DType.F32, Side.AFTER, 67, out);
            Tensor part = normal(DType.F32, Side.AFTER, 67, out);
            kernels.matmul(all, x, w);
            for (int rows : new int[] {1, 2, 3, 4, 5, 7, 23, 24, 25, 32, 66}) {
                kernels.matmul(part.rows(0, rows), x.rows(1, 1 + rows), w);
                assertThat(part.rows(0, rows)
                                .data()
                                .mismatch(all.rows(1, 1 + rows).data()))
                        .as("%s in %d rows %d", dtype, in, rows)
                        .isEqualTo(-1);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void gradientsAreThoseOfTheReference(ComputePrecision precision) {
        ReferenceKernels reference = new ReferenceKernels(team);
        for (int[] shape : new int[][] {{1, 1, 1}, {3, 17, 33}, {40, 130, 70}, {0, 5, 6}, {7, 0, 3}, {7, 3, 0}}) {
            memory.reset();
            int rows = shape[0];
            int in = shape[1];
            int out = shape[2];
            Tensor x = normal(DType.F32, Side.AFTER, rows, in);
            Tensor w = normal(DType.F32, Side.BEFORE, out, in);
            Tensor dy = normal(DType.F32, Side.AFTER, rows, out);
            for (boolean accumulate : new boolean[] {false, true}) {
                Tensor dx = Tensor.ofFloats(new float[rows * in], rows, in);
                dx.data().fill((byte) 1);
                Tensor expected = Tensor.ofFloats(dx.toFloats(), rows, in);
                kernels.matmulBackwardInput(dx, dy, w, accumulate, precision);
                reference.matmulBackwardInput(expected, dy, w, accumulate, precision);
                close(dx, expected);
            }
            Tensor dw = Tensor.ofFloats(w.toFloats(), out, in);
            Tensor expected = Tensor.ofFloats(w.toFloats(), out, in);
            kernels.matmulBackwardWeight(dw, dy, x, precision);
            reference.matmulBackwardWeight(expected, dy, x, precision);
            close(dw, expected);
        }
    }

    private static void close(Tensor actual, Tensor expected) {
        for (long i = 0; i < expected.shape().elementCount(); i++) {
            assertThat(Math.abs(actual.getFloat(i) - expected.getFloat(i)))
                    .as("element %d of %s", i, actual)
                    .isLessThanOrEqualTo(2e-5f * (1 + Math.abs(expected.getFloat(i))));
        }
    }
}
