package dev.puna.kernels.x86;

import dev.puna.assembler.MeasuredPeaks;
import dev.puna.assembler.Processor;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.Supplier;

/**
 * Prints rates of products of plain numbers beside the peaks of this machine: the three products of training, and one
 * row of weights of each type read from memory. On one thread in processor time, since others load the machine; with
 * {@code -Dthreads=2} in elapsed time.
 */
final class FloatMatmulBench {
    private static final int THREADS = Integer.getInteger("threads", 1);
    private static final int RUNS = 7;

    private FloatMatmulBench() {}

    private static double seconds() {
        return 1e-9
                * (THREADS == 1 ? ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() : System.nanoTime());
    }

    public static void main(String[] args) {
        Processor processor = (Processor) Processor.detect();
        MeasuredPeaks.measure(processor, THREADS).forEach(System.out::println);
        try (ThreadTeam team = new ThreadTeam("bench", THREADS);
                X86Kernels kernels = new X86Kernels(new ReferenceKernels(team), processor)) {
            for (int[] shape : new int[][] {{1024, 1024, 1024}, {4096, 768, 2048}}) {
                training(kernels, shape[0], shape[1], shape[2]);
            }
            for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
                inference(kernels, dtype);
            }
        }
    }

    private static Tensor normal(Arena arena, Random random, int rows, int columns) {
        Tensor tensor = new Tensor(arena.allocate(4L * rows * columns, 64), DType.F32, Shape.of(rows, columns));
        for (long i = 0; i < (long) rows * columns; i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }

    private static void print(String what, double work, String unit, Runnable run) {
        double[] rates = new double[RUNS];
        run.run();
        for (int i = 0; i < RUNS; i++) {
            double start = seconds();
            run.run();
            rates[i] = work / (seconds() - start) * 1e-9;
        }
        Arrays.sort(rates);
        System.out.printf(
                Locale.ROOT, "%-44s median %8.1f best %8.1f %s%n", what, rates[RUNS / 2], rates[RUNS - 1], unit);
    }

    private static void training(X86Kernels kernels, int n, int in, int out) {
        try (Arena arena = Arena.ofShared()) {
            Random random = new Random(1);
            Tensor x = normal(arena, random, n, in);
            Tensor w = normal(arena, random, out, in);
            Tensor y = normal(arena, random, n, out);
            Tensor dx = normal(arena, random, n, in);
            Tensor dw = normal(arena, random, out, in);
            double operations = 2.0 * n * in * out;
            for (ComputePrecision precision : ComputePrecision.values()) {
                kernels.matmul(y, x, w, precision);
                double exact = 0;
                for (int i = 0; i < in; i++) {
                    exact += (double) x.getFloat(i) * w.getFloat(i);
                }
                if (Math.abs(exact - y.getFloat(0)) > 0.02 * Math.sqrt(in)) {
                    throw new IllegalStateException("wrong: " + y.getFloat(0) + ", expected " + exact);
                }
                String shape = " " + precision + " " + n + "×" + in + "×" + out;
                print("y = x·wᵀ" + shape, operations, "GFLOP/s", () -> kernels.matmul(y, x, w, precision));
                print(
                        "dx = dy·w" + shape,
                        operations,
                        "GFLOP/s",
                        () -> kernels.matmulBackwardInput(dx, y, w, false, precision));
                print(
                        "dw += dyᵀ·x" + shape,
                        operations,
                        "GFLOP/s",
                        () -> kernels.matmulBackwardWeight(dw, y, x, precision));
            }
        }
    }

    private static void inference(X86Kernels kernels, DType dtype) {
        int in = 2048;
        int out = 8192;
        try (Arena arena = Arena.ofShared()) {
            Random random = new Random(1);
            Tensor part = normal(arena, random, 512, in);
            Supplier<Tensor> weights = () -> {
                Tensor w = new Tensor(arena.allocate(dtype.byteSize((long) out * in), 64), dtype, Shape.of(out, in));
                for (int row = 0; row < out; row += 512) {
                    kernels.quantize(w.rows(row, row + 512), part);
                }
                return w;
            };
            Tensor[] ws = new Tensor[(int) (600_000_000L / dtype.byteSize((long) out * in))];
            Arrays.setAll(ws, _ -> weights.get());
            double bytes = (double) dtype.byteSize((long) out * in) * ws.length;
            for (int rows : new int[] {1, 2, 8, 16, 24, 32}) {
                Tensor x = part.rows(0, rows);
                Tensor y = normal(arena, random, rows, out);
                print(dtype + " " + rows + " rows, weights from memory", bytes, "GB/s", () -> {
                    for (Tensor w : ws) {
                        kernels.matmul(y, x, w);
                    }
                });
            }
            Tensor y = normal(arena, random, 512, out);
            print(dtype + " 512 rows", 2.0 * 512 * in * out, "GFLOP/s", () -> kernels.matmul(y, part, ws[0]));
        }
    }
}
