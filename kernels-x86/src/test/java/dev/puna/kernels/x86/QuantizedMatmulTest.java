package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.assembler.Processor;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizedMatmulTest {
    @ParameterizedTest
    @EnumSource(
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"
            })
    void agreesWithTheReferenceWithinTheRoundingOfActivations(DType dtype) {
        Random random = new Random(1);
        try (ThreadTeam team = new ThreadTeam("t", 2);
                Arena arena = Arena.ofShared();
                X86Kernels kernels = new X86Kernels(new ReferenceKernels(team), (Processor) Processor.detect())) {
            int in = 1024;
            for (int out : new int[] {1, 15, 16, 17, 31, 32, 33, 100, 256}) {
                Tensor w = Weights.random(arena, dtype, out, in, random);
                Tensor wf = new Tensor(arena.allocate(4L * out * in, 64), DType.F32, Shape.of(out, in));
                kernels.dequantize(wf, w);
                for (int n : new int[] {1, 2, 4, 5, 6, 7, 13}) {
                    Tensor x = new Tensor(arena.allocate(4L * n * in, 64), DType.F32, Shape.of(n, in));
                    for (long i = 0; i < (long) n * in; i++) {
                        x.setFloat(i, (float) random.nextGaussian());
                    }
                    Tensor y = new Tensor(arena.allocate(4L * n * out, 64), DType.F32, Shape.of(n, out));
                    kernels.matmul(y, x, w);
                    for (int t = 0; t < n; t++) {
                        Tensor alone = new Tensor(arena.allocate(4L * out, 64), DType.F32, Shape.of(1, out));
                        kernels.matmul(alone, x.rows(t, t + 1), w);
                        for (int o = 0; o < out; o++) {
                            double exact = 0;
                            double bound = 0;
                            for (int b = 0; b < in; b += 32) {
                                double max = 0;
                                double sum = 0;
                                for (int i = b; i < b + 32; i++) {
                                    double weight = wf.getFloat((long) o * in + i);
                                    double value = x.getFloat((long) t * in + i);
                                    exact += weight * value;
                                    max = Math.max(max, Math.abs(value));
                                    sum += Math.abs(weight);
                                }
                                bound += max / 127 * 0.5001 * sum;
                            }
                            assertThat((double) y.getFloat((long) t * out + o))
                                    .as("%s n=%d out=%d t=%d o=%d", dtype, n, out, t, o)
                                    .isCloseTo(exact, org.assertj.core.data.Offset.offset(bound * 1.01 + 1e-4));
                            assertThat(Float.floatToRawIntBits(y.getFloat((long) t * out + o)))
                                    .as("alone %s n=%d out=%d t=%d o=%d", dtype, n, out, t, o)
                                    .isEqualTo(Float.floatToRawIntBits(alone.getFloat(o)));
                        }
                    }
                }
            }
        }
    }
}
