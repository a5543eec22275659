package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.kernels.AdamWStep;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.RopeTable;
import dev.puna.kernels.x86.GuardedMemory.Side;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernels of training with their inputs and outputs against inaccessible pages, at all small sizes. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GuardedTrainingTest {
    private final Random random = new Random(2);
    private ThreadTeam team;
    private Kernels kernels;
    private Kernels reference;
    private GuardedMemory memory;

    /** The kernels under test. */
    Kernels create(ThreadTeam threads) {
        return new X86KernelsProvider().create(threads);
    }

    @BeforeAll
    void open() {
        team = new ThreadTeam("guarded", 2);
        kernels = create(team);
        reference = new ReferenceKernels(team);
        memory = new GuardedMemory(8, 1 << 20);
    }

    @AfterAll
    void close() {
        kernels.close();
        team.close();
        memory.close();
    }

    private Tensor normal(Side side, long... dims) {
        Tensor tensor = memory.tensor(DType.F32, side, dims);
        for (long i = 0; i < tensor.shape().elementCount(); i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }

    private Tensor positive(Side side, long count) {
        Tensor tensor = normal(side, count);
        for (long i = 0; i < count; i++) {
            tensor.setFloat(i, Math.abs(tensor.getFloat(i)));
        }
        return tensor;
    }

    /** Runs an operation on guarded outputs, and the reference's on copies of them. */
    private void same(String what, List<Tensor> outputs, BiConsumer<Kernels, List<Tensor>> operation) {
        List<Tensor> expected = outputs.stream()
                .map(tensor -> new Tensor(
                        MemorySegment.ofArray(tensor.data().toArray(ValueLayout.JAVA_BYTE)),
                        tensor.dtype(),
                        tensor.shape()))
                .toList();
        operation.accept(kernels, outputs);
        operation.accept(reference, expected);
        for (int o = 0; o < outputs.size(); o++) {
            for (long i = 0; i < expected.get(o).shape().elementCount(); i++) {
                float wanted = expected.get(o).getFloat(i);
                assertThat(outputs.get(o).getFloat(i))
                        .as("%s, element %d of %s", what, i, outputs.get(o))
                        .isCloseTo(wanted, Offset.offset(2e-5f * (1 + Math.abs(wanted))));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void rows(Side side) {
        for (int width = 1; width <= 130; width++) {
            for (int rows : new int[] {1, 3, 65}) {
                memory.reset();
                Tensor dy = normal(side, rows, width);
                Tensor x = normal(side, rows, width);
                Tensor weight = normal(side, width);
                same(
                        "rmsNormBackward",
                        List.of(normal(side, rows, width), normal(side, width)),
                        (k, out) -> k.rmsNormBackward(out.getFirst(), out.getLast(), dy, x, weight, 1e-5f));
                if (rows == 65) {
                    continue;
                }
                memory.reset();
                Tensor gate = normal(side, rows, width);
                Tensor up = normal(side, rows, width);
                Tensor d = normal(side, rows, width);
                same(
                        "swiGluBackward",
                        List.of(normal(side, rows, width), normal(side, rows, width)),
                        (k, out) -> k.swiGluBackward(out.getFirst(), out.getLast(), d, gate, up));
                same(
                        "swiGluBackward in place",
                        List.of(d, normal(side, rows, width)),
                        (k, out) -> k.swiGluBackward(out.getFirst(), out.getLast(), out.getFirst(), gate, up));
                memory.reset();
                int[] targets = rows == 1 ? new int[] {width - 1} : new int[] {0, Kernels.IGNORED, width / 2};
                same(
                        "crossEntropy",
                        List.of(normal(side, rows), normal(side, rows), normal(side, rows, width)),
                        (k, out) -> k.crossEntropy(out.get(0), out.get(1), out.get(2), targets, 0.5f, 1e-3f));
                memory.reset();
                Tensor dRows = normal(side, 4, width);
                same(
                        "embeddingBackward",
                        List.of(normal(side, 3, width)),
                        (k, out) -> k.embeddingBackward(out.getFirst(), dRows, new int[] {2, 0, 2, 2}));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void elements(Side side) {
        for (int count = 1; count <= 130; count++) {
            memory.reset();
            Tensor g = normal(side, count);
            AdamWStep step = new AdamWStep(1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.7);
            same(
                    "adamW",
                    List.of(normal(side, count), normal(side, count), positive(side, count)),
                    (k, out) -> k.adamW(out.get(0), out.get(1), out.get(2), g, step));
            assertThat(kernels.squaredNorm(g)).isCloseTo(reference.squaredNorm(g), Offset.offset(1e-12 * count));
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void productsOfSmallSizes(Side side) {
        int[] sizes = {1, 3, 7, 8, 9, 15, 16, 17, 24, 25, 47, 48, 49, 130};
        for (int out : sizes) {
            for (int in : sizes) {
                int rows = sizes[(out + in) % sizes.length];
                memory.reset();
                Tensor x = normal(side, rows, in);
                Tensor w = normal(side, out, in);
                Tensor dy = normal(side, rows, out);
                String what = rows + " x " + in + " x " + out;
                same(
                        "matmul " + what,
                        List.of(normal(side, rows, out)),
                        (k, y) -> k.matmul(y.getFirst(), x, w, ComputePrecision.F32));
                same(
                        "matmulBackwardInput " + what,
                        List.of(normal(side, rows, in)),
                        (k, dx) -> k.matmulBackwardInput(dx.getFirst(), dy, w, out % 2 == 0, ComputePrecision.F32));
                same(
                        "matmulBackwardWeight " + what,
                        List.of(normal(side, out, in)),
                        (k, dw) -> k.matmulBackwardWeight(dw.getFirst(), dy, x, ComputePrecision.F32));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void ropeOfEverySize(Side side) {
        for (int size = 2; size <= 130; size += 2) {
            for (RopePairing pairing : RopePairing.values()) {
                memory.reset();
                RopeTable table = new RopeTable(normal(side, 3, size / 2), normal(side, 3, size / 2), size);
                Tensor dy = normal(side, 2, 3L * size);
                same(
                        "ropeBackward " + pairing + " " + size,
                        List.of(normal(side, 2, 3L * size)),
                        (k, out) -> k.ropeBackward(out.getFirst(), dy, table, pairing, new int[] {2, 0}));
            }
        }
    }
}
