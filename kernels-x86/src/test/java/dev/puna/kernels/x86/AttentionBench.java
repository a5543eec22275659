package dev.puna.kernels.x86;

import dev.puna.assembler.Processor;
import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.KvView;
import dev.puna.kernels.VectorKernelsProvider;
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

/**
 * Prints rates of attention: prefill, decode, training. On one thread in processor time, since others load the machine;
 * with {@code -Dthreads=2} in elapsed time.
 */
final class AttentionBench {
    private static final int THREADS = Integer.getInteger("threads", 1);
    private static final int RUNS = 7;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int SIZE = 64;

    private AttentionBench() {}

    private static double seconds() {
        return 1e-9
                * (THREADS == 1 ? ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() : System.nanoTime());
    }

    public static void main(String[] args) {
        Processor processor = (Processor) Processor.detect();
        List<String> what = List.of(args);
        try (ThreadTeam team = new ThreadTeam("bench", THREADS);
                X86Kernels kernels = new X86Kernels(new VectorKernelsProvider().create(team), processor)) {
            for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0)) {
                if (what.isEmpty() || what.contains("prefill")) {
                    cache(kernels, dtype, 2048, 2048);
                }
                if (what.isEmpty() || what.contains("decode")) {
                    cache(kernels, dtype, 1, Integer.getInteger("context", 8192));
                }
            }
            if (what.isEmpty() || what.contains("training")) {
                for (ComputePrecision precision : ComputePrecision.values()) {
                    training(kernels, precision, 12, 64, 1024, 1024);
                    training(kernels, precision, 6, 48, 4096, 256);
                }
            }
        }
    }

    private static Tensor normal(Arena arena, int rows, int columns) {
        Random random = new Random(1);
        Tensor tensor = new Tensor(arena.allocate(4L * rows * columns, 64), DType.F32, Shape.of(rows, columns));
        for (long i = 0; i < (long) rows * columns; i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }

    private static void print(String what, double operations, double bytes, Runnable run) {
        double[] times = new double[RUNS];
        double warm = seconds() + 1.5;
        do {
            run.run();
        } while (seconds() < warm);
        for (int i = 0; i < RUNS; i++) {
            double start = seconds();
            run.run();
            times[i] = seconds() - start;
        }
        Arrays.sort(times);
        System.out.printf(
                Locale.ROOT,
                "%-36s median %8.3f best %8.3f ms %8.1f GFLOP/s %6.1f GB/s%n",
                what,
                times[RUNS / 2] * 1e3,
                times[0] * 1e3,
                operations / times[RUNS / 2] * 1e-9,
                bytes / times[RUNS / 2] * 1e-9);
    }

    private static void cache(X86Kernels kernels, DType dtype, int rows, int length) {
        try (Arena arena = Arena.ofShared()) {
            long bytes = KvView.bytesPerPage(dtype, KV_HEADS, SIZE, length);
            // Decode reads several layers' caches, one after the other, so that they come from memory.
            int layers = rows == 1 ? Integer.getInteger("layers", 16) : 1;
            List<KvView> caches = new java.util.ArrayList<>();
            for (int i = 0; i < layers; i++) {
                KvView cache =
                        new KvView(arena.allocate(bytes, 64), dtype, KV_HEADS, SIZE, length, new int[] {0}, bytes);
                kernels.storeKv(
                        cache, 0, normal(arena, length, KV_HEADS * SIZE), normal(arena, length, KV_HEADS * SIZE));
                caches.add(cache);
            }
            Tensor q = normal(arena, rows, HEADS * SIZE);
            Tensor y = normal(arena, rows, HEADS * SIZE);
            double pairs = (double) rows * (length - rows) + (double) rows * (rows + 1) / 2;
            print(
                    "rows " + rows + " of " + length + " " + dtype,
                    4.0 * pairs * HEADS * SIZE * layers,
                    (double) bytes * layers,
                    () -> {
                        for (KvView cache : caches) {
                            kernels.attention(y, q, List.of(new AttentionSpan(cache, length - rows, rows)), 0.125f);
                        }
                    });
        }
    }

    private static void training(X86Kernels kernels, ComputePrecision precision, int heads, int size, int rows, int t) {
        try (Arena arena = Arena.ofShared()) {
            int[] first = new int[rows];
            Arrays.setAll(first, r -> r / t * t);
            Tensor[] x = new Tensor[8];
            Arrays.setAll(x, i -> normal(arena, rows, heads * size));
            Tensor lse = normal(arena, rows, heads);
            double pairs = (double) rows * (t + 1) / 2 * heads;
            String name = precision + " " + rows + " rows of " + t + ", " + heads + " heads of " + size;
            print(
                    name + " forward",
                    4.0 * pairs * size,
                    0,
                    () -> kernels.attention(x[0], lse, x[1], x[2], x[3], size, first, 0.125f, precision));
            print(
                    name + " backward",
                    10.0 * pairs * size,
                    0,
                    () -> kernels.attentionBackward(
                            x[4], x[5], x[6], x[7], x[1], x[2], x[3], x[0], lse, size, first, 0.125f, precision));
        }
    }
}
