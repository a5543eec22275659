package dev.puna.kernels.x86;

import dev.puna.assembler.Processor;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;

/** Prints rates of quantized products: bytes of weights per second for one row, operations per second for 512. */
final class QuantizedMatmulBench {
    /** Processor time of this thread: other processes on the machine matter less. With one thread only. */
    private static long cpu() {
        return Integer.getInteger("threads", 2) == 1
                ? java.lang.management.ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime()
                : System.nanoTime();
    }

    public static void main(String[] args) {
        int in = 2048;
        int out = 8192;
        for (String name : args) {
            DType dtype = DType.valueOf(name);
            int threads = Integer.getInteger("threads", 2);
            try (ThreadTeam team = new ThreadTeam("t", threads);
                    Arena arena = Arena.ofShared();
                    X86Kernels kernels = new X86Kernels(new ReferenceKernels(team), (Processor) Processor.detect())) {
                int count = (int) (1_200_000_000L / dtype.byteSize((long) in * out));
                Tensor[] ws = new Tensor[count];
                Random random = new Random(1);
                for (int i = 0; i < count; i++) {
                    ws[i] = Weights.random(arena, dtype, out, in, random);
                }
                int n = 512;
                Tensor x = new Tensor(arena.allocate(4L * n * in, 64), DType.F32, Shape.of(n, in));
                for (long i = 0; i < (long) n * in; i++) {
                    x.setFloat(i, (float) random.nextGaussian());
                }
                Tensor y = new Tensor(arena.allocate(4L * n * out, 64), DType.F32, Shape.of(n, out));
                double[] rates = new double[6];
                double[] ratios = new double[12];
                int slice = Math.min(count, 16);
                for (int run = 0; run < 12; run++) {
                    double peak = dev.puna.assembler.MeasuredPeaks.measure(
                                    (Processor) Processor.detect(), dev.puna.assembler.MeasuredPeaks.Work.READ, threads)
                            .orElseThrow()
                            .together();
                    long t = System.nanoTime();
                    for (int i = 0; i < slice; i++) {
                        kernels.matmul(y.rows(0, 1), x.rows(0, 1), ws[(run * slice + i) % count]);
                    }
                    double seconds = (System.nanoTime() - t) * 1e-9;
                    ratios[run] = dtype.byteSize((long) in * out) * slice / seconds * 1e-9 / peak;
                }
                Arrays.sort(ratios);
                System.out.printf(
                        "%s one row, ratio to reading memory: %.2f %.2f median %.2f %.2f %.2f%n",
                        dtype, ratios[0], ratios[3], ratios[6], ratios[9], ratios[11]);
                for (int run = 0; run < 7; run++) {
                    long t = cpu();
                    for (Tensor w : ws) {
                        kernels.matmul(y.rows(0, 1), x.rows(0, 1), w);
                    }
                    double seconds = (cpu() - t) * 1e-9;
                    if (run > 0) {
                        rates[run - 1] = dtype.byteSize((long) in * out) * count / seconds * 1e-9;
                    }
                }
                Arrays.sort(rates);
                System.out.printf("%s one row: median %.1f best %.1f GB/s%n", dtype, rates[3], rates[5]);
                // from the cache
                for (int run = 0; run < 6; run++) {
                    long t = cpu();
                    for (int i = 0; i < 400; i++) {
                        Tensor w = ws[0].rows(0, 512);
                        kernels.matmul(y.rows(0, 1).reshape(16, 512).rows(0, 1), x.rows(0, 1), w);
                    }
                    double seconds = (cpu() - t) * 1e-9;
                    rates[run] = dtype.byteSize((long) in * 512) * 400 / seconds * 1e-9;
                }
                Arrays.sort(rates);
                System.out.printf("%s one row from cache: median %.1f best %.1f GB/s%n", dtype, rates[3], rates[5]);
                for (int run = 0; run < 6; run++) {
                    long t = cpu();
                    kernels.matmul(y, x, ws[run % count]);
                    double seconds = (cpu() - t) * 1e-9;
                    rates[run] = 2.0 * n * in * out / seconds * 1e-9;
                }
                Arrays.sort(rates);
                System.out.printf("%s 512 rows: median %.0f best %.0f GOP/s%n", dtype, rates[3], rates[5]);
            }
        }
    }
}
