package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.assembler.Refusal;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One row, a few rows, vector tiles and tile registers compute the same integers, and round the same way. */
class QuantizedMatmulTest {
    @ParameterizedTest
    @EnumSource(
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"
            })
    void everyWayGivesTheSameBitsWithinTheRoundingOfActivations(DType dtype) {
        check(dtype, 1024, new int[] {1, 15, 16, 17, 31, 32, 33, 100}, new int[] {1, 2, 5, 16, 22, 33});
    }

    /** Groups that do not fill four products, and more tiles of rows than are taken together. */
    @ParameterizedTest
    @EnumSource(
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"
            })
    void sizesThatFillNothingGiveTheSameBits(DType dtype) {
        for (int blocks : dtype.blockSize() == 32 ? new int[] {1, 9, 22} : new int[] {1, 3}) {
            check(dtype, blocks * dtype.blockSize(), new int[] {7, 40}, new int[] {17, 71});
        }
    }

    private static void check(DType dtype, int in, int[] outs, int[] rowCounts) {
        Random random = new Random(1);
        try (ThreadTeam team = new ThreadTeam("matmul", 2);
                Arena arena = Arena.ofShared();
                Kernels tiles = new X86Kernels(new ReferenceKernels(team), processor());
                Kernels vectors = new X86Kernels(new ReferenceKernels(team), withoutTiles(processor()))) {
            for (int out : outs) {
                Tensor w = Weights.random(arena, dtype, out, in, random);
                Tensor exactW = floats(arena, out, in);
                tiles.dequantize(exactW, w);
                for (int rows : rowCounts) {
                    Tensor x = floats(arena, rows, in);
                    for (long i = 0; i < (long) rows * in; i++) {
                        x.setFloat(i, (float) random.nextGaussian());
                    }
                    Tensor y = floats(arena, rows, out);
                    Tensor yOfVectors = floats(arena, rows, out);
                    Tensor alone = floats(arena, 1, out);
                    tiles.matmul(y, x, w);
                    vectors.matmul(yOfVectors, x, w);
                    assertThat(yOfVectors.data().mismatch(y.data()))
                            .as("%s in=%d rows=%d out=%d: tiles and vectors", dtype, in, rows, out)
                            .isEqualTo(-1);
                    for (int row = 0; row < rows; row++) {
                        tiles.matmul(alone, x.rows(row, row + 1), w);
                        assertThat(alone.data().mismatch(y.row(row).data()))
                                .as("%s in=%d rows=%d out=%d: row %d alone", dtype, in, rows, out, row)
                                .isEqualTo(-1);
                        checkRow(y, x, exactW, row);
                    }
                }
            }
        }
    }

    /** Half a step of every block's scale, on every weight. */
    private static void checkRow(Tensor y, Tensor x, Tensor w, int row) {
        int in = Math.toIntExact(w.columns());
        for (int o = 0; o < w.rows(); o++) {
            double exact = 0;
            double bound = 1e-4;
            for (int block = 0; block < in; block += 32) {
                double largest = 0;
                double weights = 0;
                for (int i = block; i < block + 32; i++) {
                    double weight = w.getFloat((long) o * in + i);
                    double value = x.getFloat((long) row * in + i);
                    exact += weight * value;
                    largest = Math.max(largest, Math.abs(value));
                    weights += Math.abs(weight);
                }
                bound += largest / 127 * 0.51 * weights;
            }
            double found = y.getFloat(row * w.rows() + o);
            if (!(Math.abs(found - exact) <= bound)) {
                fail("row %d, output %d: %s, exactly %s, bound %s", row, o, found, exact, bound);
            }
        }
    }

    private static Tensor floats(Arena arena, long rows, long columns) {
        Shape shape = Shape.of(rows, columns);
        return new Tensor(arena.allocate(DType.F32.byteSize(shape.elementCount()), 64), DType.F32, shape);
    }

    static Processor processor() {
        return switch (Processor.detect()) {
            case Processor processor -> processor;
            case Refusal refusal -> fail(refusal.reason());
        };
    }

    /** The same processor without AMX. */
    static Processor withoutTiles(Processor processor) {
        Set<Feature> features = EnumSet.copyOf(processor.features());
        features.removeAll(Set.of(Feature.AMXTILE, Feature.AMXINT8, Feature.AMXBF16));
        return new Processor(processor.vendor(), processor.brand(), features, processor.caches());
    }
}
