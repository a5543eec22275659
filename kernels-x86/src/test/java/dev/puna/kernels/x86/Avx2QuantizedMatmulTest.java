package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.puna.assembler.Feature;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products with and without int8 dot products compute the same integers, whatever the bytes are. */
class Avx2QuantizedMatmulTest {
    private static final int IN = 512;

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K"})
    void bothKindsOfDotProductsGiveTheSameBits(DType dtype) {
        assumeThat(QuantizedMatmulTest.processor().features()).contains(Feature.AVXVNNI);
        Random random = new Random(1);
        try (ThreadTeam team = new ThreadTeam("matmul", 2);
                Arena arena = Arena.ofShared();
                Kernels vnni = new Avx2Kernels(new ReferenceKernels(team), QuantizedMatmulTest.processor());
                Kernels plain = new Avx2Kernels(new ReferenceKernels(team), Avx2WithoutVnniKernelsTest.withoutVnni())) {
            for (int out : new int[] {1, 7, 8, 9, 16, 17, 50}) {
                Tensor w = Weights.random(arena, dtype, out, IN, random);
                for (int rows : new int[] {1, 3, 4, 5, 11}) {
                    Tensor x = floats(arena, rows, IN);
                    for (long i = 0; i < (long) rows * IN; i++) {
                        x.setFloat(i, (float) random.nextGaussian());
                    }
                    Tensor y = floats(arena, rows, out);
                    Tensor expected = floats(arena, rows, out);
                    plain.matmul(y, x, w);
                    vnni.matmul(expected, x, w);
                    assertThat(y.data().mismatch(expected.data()))
                            .as("%s rows=%d out=%d", dtype, rows, out)
                            .isEqualTo(-1);
                }
            }
        }
    }

    /** Activations of ±127 and weights whose bits are all ones, or of Q8_0 −128: the largest sums of 16 bits. */
    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K"})
    void theLargestSumsDoNotOverflow(DType dtype) {
        int out = 16;
        try (ThreadTeam team = new ThreadTeam("matmul", 1);
                Arena arena = Arena.ofShared();
                Kernels kernels =
                        new Avx2Kernels(new ReferenceKernels(team), Avx2WithoutVnniKernelsTest.withoutVnni())) {
            Tensor w = Weights.random(arena, dtype, out, IN, new Random(1));
            byte extreme = (byte) (dtype == DType.Q8_0 ? 0x80 : 0xff);
            int scales = dtype == DType.Q4_1 || dtype == DType.Q4_K || dtype == DType.Q5_K ? 4 : 2;
            for (int at = 0; at < w.data().byteSize(); at++) {
                int inBlock = at % dtype.bytesPerBlock();
                boolean isScale = dtype == DType.Q6_K ? inBlock >= 208 : inBlock < scales;
                if (!isScale) {
                    w.data().set(java.lang.foreign.ValueLayout.JAVA_BYTE, at, extreme);
                }
            }
            for (float value : new float[] {1, -1}) {
                for (int rows : new int[] {1, 5}) {
                    Tensor x = floats(arena, rows, IN);
                    for (long i = 0; i < (long) rows * IN; i++) {
                        x.setFloat(i, value);
                    }
                    Tensor y = floats(arena, rows, out);
                    Tensor expected = floats(arena, rows, out);
                    kernels.matmul(y, x, w);
                    new ReferenceKernels(team).matmul(expected, x, w);
                    for (long i = 0; i < (long) rows * out; i++) {
                        float exact = expected.getFloat(i);
                        assertThat(y.getFloat(i))
                                .as("%s, x = %s, element %d", dtype, value, i)
                                .isCloseTo(exact, Offset.offset(1e-4f * Math.abs(exact) + 1e-2f));
                    }
                }
            }
        }
    }

    private static Tensor floats(Arena arena, long rows, long columns) {
        Shape shape = Shape.of(rows, columns);
        return new Tensor(arena.allocate(DType.F32.byteSize(shape.elementCount()), 64), DType.F32, shape);
    }
}
