package dev.puna.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * What every tier promises for training: the reference's results within fp32 rounding, and the same bits on teams of
 * one, two and seven.
 */
public abstract class TrainingContract {
    /**
     * Of attention whose factors are rounded to bf16: scores of some units are off by 2⁻⁹ of their terms, probabilities
     * and gradients by as much again.
     */
    private static final double ROUNDED = 0.03;

    private final Random random = new Random(11);

    /** The kernels under test, on a team that the caller closes. */
    protected abstract Kernels create(ThreadTeam threads);

    /** What an operation overwrites or adds to. */
    @FunctionalInterface
    private interface Operation {
        void run(Kernels kernels, List<Tensor> outputs);
    }

    private Tensor normal(Arena arena, long... dims) {
        Tensor heap =
                Tensor.ofFloats(new float[(int) dev.puna.tensor.Shape.of(dims).elementCount()], dims);
        Tensor tensor = new Tensor(arena.allocate(heap.data().byteSize(), 64), heap.dtype(), heap.shape());
        for (long i = 0; i < tensor.shape().elementCount(); i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }

    /** Compares against the reference, relative to the largest element of each output, and over team sizes. */
    private void check(double tolerance, List<Tensor> outputs, Operation operation) {
        List<float[]> before = outputs.stream().map(Tensor::toFloats).toList();
        List<float[]> expected = new ArrayList<>();
        try (ThreadTeam team = new ThreadTeam("truth", 2);
                Kernels reference = new ReferenceKernels(team)) {
            operation.run(reference, outputs);
            outputs.forEach(tensor -> expected.add(tensor.toFloats()));
        }
        List<float[]> first = new ArrayList<>();
        for (int size : new int[] {1, 2, 7}) {
            for (int i = 0; i < before.size(); i++) {
                outputs.get(i).data().copyFrom(java.lang.foreign.MemorySegment.ofArray(before.get(i)));
            }
            try (ThreadTeam team = new ThreadTeam("tested", size);
                    Kernels kernels = create(team)) {
                operation.run(kernels, outputs);
            }
            for (int i = 0; i < before.size(); i++) {
                float[] found = outputs.get(i).toFloats();
                if (size == 1) {
                    first.add(found);
                    double largest = 1; // inputs are of this size, and a gradient may be zero
                    double worst = 0;
                    for (int e = 0; e < found.length; e++) {
                        largest = Math.max(largest, Math.abs(expected.get(i)[e]));
                        double difference = Math.abs((double) found[e] - expected.get(i)[e]);
                        worst = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(worst, difference);
                    }
                    assertThat(worst / largest).as("output " + i).isLessThan(tolerance);
                } else {
                    assertThat(Arrays.equals(found, first.get(i)))
                            .as("output " + i + " on " + size)
                            .isTrue();
                }
            }
        }
    }

    @Test
    void productsOfOddSizes() {
        int[][] sizes = {{1, 1, 1}, {3, 13, 31}, {64, 48, 80}, {33, 207, 65}, {130, 96, 100}};
        for (int[] s : sizes) {
            try (Arena arena = Arena.ofShared()) {
                Tensor x = normal(arena, s[0], s[1]);
                Tensor w = normal(arena, s[2], s[1]);
                Tensor dy = normal(arena, s[0], s[2]);
                for (ComputePrecision precision : ComputePrecision.values()) {
                    check(
                            3e-6,
                            List.of(normal(arena, s[0], s[2])),
                            (k, out) -> k.matmul(out.getFirst(), x, w, precision));
                    for (boolean accumulate : new boolean[] {false, true}) {
                        check(
                                3e-6,
                                List.of(normal(arena, s[0], s[1])),
                                (k, out) -> k.matmulBackwardInput(out.getFirst(), dy, w, accumulate, precision));
                    }
                    check(
                            3e-6,
                            List.of(normal(arena, s[2], s[1])),
                            (k, out) -> k.matmulBackwardWeight(out.getFirst(), dy, x, precision));
                }
            }
        }
    }

    /** Weights that are said to stay give the same bits; when that has ended, they may change. */
    @Test
    void keptWeightsChangeNothing() {
        try (Arena arena = Arena.ofShared();
                ThreadTeam team = new ThreadTeam("tested", 2);
                Kernels kernels = create(team)) {
            for (int[] s : new int[][] {{1, 13, 31}, {37, 80, 2100}, {130, 40, 70}}) {
                Tensor w = normal(arena, s[2], s[1]);
                Tensor dy = normal(arena, s[0], s[2]);
                Tensor plain = normal(arena, s[0], s[1]);
                Tensor kept = normal(arena, s[0], s[1]);
                for (ComputePrecision precision : ComputePrecision.values()) {
                    for (float factor : new float[] {1, -2}) {
                        w.setFloat(0, factor * w.getFloat(0));
                        kernels.matmulBackwardInput(plain, dy, w, false, precision);
                        kernels.keepWeights(w, precision);
                        for (int again = 0; again < 2; again++) {
                            kept.data().fill((byte) -1);
                            kernels.matmulBackwardInput(kept, dy, w, false, precision);
                            assertThat(kept.toFloats()).containsExactly(plain.toFloats());
                        }
                        kernels.forgetWeights();
                    }
                }
            }
        }
    }

    @Test
    void embeddingAndNorm() {
        try (Arena arena = Arena.ofShared()) {
            for (int width : new int[] {1, 13, 64, 207}) {
                Tensor dy = normal(arena, 19, width);
                int[] ids = random.ints(19, 0, 7).toArray();
                check(1e-6, List.of(normal(arena, 7, width)), (k, out) -> k.embeddingBackward(out.getFirst(), dy, ids));
                Tensor x = normal(arena, 19, width);
                Tensor weight = normal(arena, width);
                check(
                        2e-6,
                        List.of(normal(arena, 19, width), normal(arena, width)),
                        (k, out) -> k.rmsNormBackward(out.getFirst(), out.getLast(), dy, x, weight, 1e-5f));
            }
        }
    }

    @Test
    void ropeTurnsBack() {
        try (Arena arena = Arena.ofShared()) {
            Tensor angles = normal(arena, 9, 5);
            Tensor cos = normal(arena, 9, 5);
            Tensor sin = normal(arena, 9, 5);
            for (int i = 0; i < 45; i++) {
                cos.setFloat(i, (float) Math.cos(angles.getFloat(i)));
                sin.setFloat(i, (float) Math.sin(angles.getFloat(i)));
            }
            RopeTable table = new RopeTable(cos, sin, 10);
            int[] positions = random.ints(17, 0, 9).toArray();
            Tensor dy = normal(arena, 17, 30);
            for (RopePairing pairing : RopePairing.values()) {
                check(
                        1e-6,
                        List.of(normal(arena, 17, 30)),
                        (k, out) -> k.ropeBackward(out.getFirst(), dy, table, pairing, positions));
            }
            Tensor x = normal(arena, 17, 30);
            check(1e-6, List.of(normal(arena, 17, 30)), (k, out) -> {
                k.rope(out.getFirst(), x, table, RopePairing.HALVES, positions);
                k.ropeBackward(out.getFirst(), out.getFirst(), table, RopePairing.HALVES, positions);
            });
        }
    }

    @Test
    void attentionOfDocuments() {
        int[][] lengths = {{1}, {5}, {70}, {130, 1, 33, 64, 65}, {200}};
        for (int[] documents : lengths) {
            int[] first = new int[Arrays.stream(documents).sum()];
            int row = 0;
            for (int length : documents) {
                Arrays.fill(first, row, row + length, row);
                row += length;
            }
            for (int size : new int[] {6, 16, 48}) {
                try (Arena arena = Arena.ofShared()) {
                    int n = first.length;
                    Tensor q = normal(arena, n, 4L * size);
                    Tensor k = normal(arena, n, 2L * size);
                    Tensor v = normal(arena, n, 2L * size);
                    Tensor dy = normal(arena, n, 4L * size);
                    float scale = (float) (1 / Math.sqrt(size));
                    Tensor y = normal(arena, n, 4L * size);
                    Tensor lse = normal(arena, n, 4);
                    for (ComputePrecision precision : ComputePrecision.values()) {
                        boolean exact = precision == ComputePrecision.F32;
                        check(exact ? 3e-6 : ROUNDED, List.of(y, lse), (kernels, out) -> {
                            kernels.attention(out.getFirst(), out.getLast(), q, k, v, size, first, scale, precision);
                        });
                        check(
                                exact ? 1e-5 : ROUNDED,
                                List.of(
                                        normal(arena, n, 4L * size),
                                        normal(arena, n, 2L * size),
                                        normal(arena, n, 2L * size)),
                                (kernels, out) -> kernels.attentionBackward(
                                        out.get(0),
                                        out.get(1),
                                        out.get(2),
                                        dy,
                                        q,
                                        k,
                                        v,
                                        y,
                                        lse,
                                        size,
                                        first,
                                        scale,
                                        precision));
                    }
                }
            }
        }
    }

    /** Windows that slide: rows whose first visible row is neither their own nor their document's. */
    @Test
    void attentionOfWindows() {
        try (Arena arena = Arena.ofShared()) {
            int n = 150;
            int[] first = new int[n];
            Arrays.setAll(first, r -> Math.max(0, r - 40));
            Tensor q = normal(arena, n, 32);
            Tensor k = normal(arena, n, 16);
            Tensor v = normal(arena, n, 16);
            Tensor dy = normal(arena, n, 32);
            Tensor y = normal(arena, n, 32);
            Tensor lse = normal(arena, n, 2);
            for (ComputePrecision precision : ComputePrecision.values()) {
                boolean exact = precision == ComputePrecision.F32;
                check(
                        exact ? 3e-6 : ROUNDED,
                        List.of(y, lse),
                        (kernels, out) ->
                                kernels.attention(out.getFirst(), out.getLast(), q, k, v, 16, first, 0.25f, precision));
                check(
                        exact ? 1e-5 : ROUNDED,
                        List.of(normal(arena, n, 32), normal(arena, n, 16), normal(arena, n, 16)),
                        (kernels, out) -> kernels.attentionBackward(
                                out.get(0), out.get(1), out.get(2), dy, q, k, v, y, lse, 16, first, 0.25f, precision));
            }
        }
    }

    @Test
    void swiGluAndCrossEntropy() {
        try (Arena arena = Arena.ofShared()) {
            for (int width : new int[] {1, 13, 64, 1025, 4098}) {
                Tensor gate = normal(arena, 3, width);
                Tensor up = normal(arena, 3, width);
                Tensor dy = normal(arena, 3, width);
                check(
                        2e-6,
                        List.of(normal(arena, 3, width), normal(arena, 3, width)),
                        (k, out) -> k.swiGluBackward(out.getFirst(), out.getLast(), dy, gate, up));
                int[] targets = {width - 1, Kernels.IGNORED, width / 2};
                for (float zLoss : new float[] {0, 1e-2f}) {
                    check(
                            2e-6,
                            List.of(normal(arena, 3), normal(arena, 3), normal(arena, 3, width)),
                            (k, out) -> k.crossEntropy(out.get(0), out.get(1), out.get(2), targets, 0.125f, zLoss));
                }
            }
        }
    }

    @Test
    void adamWAndNorm() {
        try (Arena arena = Arena.ofShared()) {
            for (int count : new int[] {1, 33, 70_001}) {
                Tensor g = normal(arena, count);
                Tensor v = normal(arena, count);
                for (int i = 0; i < count; i++) {
                    v.setFloat(i, Math.abs(v.getFloat(i)));
                }
                check(
                        1e-6,
                        List.of(normal(arena, count), normal(arena, count), v),
                        (k, out) -> k.adamW(
                                out.get(0),
                                out.get(1),
                                out.get(2),
                                g,
                                new AdamWStep(1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.7)));
                check(
                        1e-6,
                        List.of(normal(arena, 1)),
                        (k, out) -> out.getFirst().setFloat(0, (float) k.squaredNorm(g)));
            }
        }
    }
}
