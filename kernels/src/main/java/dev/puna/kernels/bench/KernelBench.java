package dev.puna.kernels.bench;

import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KvView;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Times the operations that a LLaMA spends its time in, in the shapes of Llama-3.2-1B (model width 2,048, feed-forward
 * width 8,192, 32 query and 8 key/value heads of 64).
 *
 * <p>Each case first compares some of its results with {@link ReferenceKernels} and fails if they differ by more than
 * rounding explains. Weights of one-row products are larger than the caches. What a case is held against is measured
 * before and after it.
 */
public final class KernelBench {
    /**
     * One case.
     *
     * @param operation {@code matmul}, {@code attention}, …
     * @param dtype of the weights, or of the cache
     * @param shape in words: {@code "512 x 2048 -> 8192"}
     * @param seconds the best of the runs
     * @param gigabytesPerSecond weights or cache read per second, in 10⁹ bytes
     * @param gigaflops 10⁹ multiplications and additions per second
     * @param ofPeak gigabytesPerSecond over the measured bandwidth for one row, gigaflops over the measured peak for
     *     more
     * @param peak what {@code ofPeak} divides by
     * @param error the largest error seen, as a share of what the check allows
     */
    public record Result(
            String operation,
            DType dtype,
            String shape,
            double seconds,
            double gigabytesPerSecond,
            double gigaflops,
            double ofPeak,
            Peak peak,
            double error) {
        /** {@code matmul Q8_0 1 x 2048 -> 60288  10.2 ms  12.9 GB/s  ...}. */
        public String line() {
            return String.format(
                    Locale.ROOT,
                    "%-10s %-7s %-24s %9.3f ms %7.1f GB/s %7.1f GFLOP/s  %3.0f %% of %.1f %s (%s)",
                    operation,
                    dtype,
                    shape,
                    seconds * 1e3,
                    gigabytesPerSecond,
                    gigaflops,
                    ofPeak * 100,
                    peak.value(),
                    peak.unit(),
                    peak.work());
        }
    }

    /**
     * The limit that a case runs into.
     *
     * @param value in {@code unit}, on as many threads as the kernels have
     * @param work what was measured: {@code "AMX int8"}
     */
    public record Peak(double value, String unit, String work) {}

    /** What a product is computed of, on tiers and processors that have instructions for it. */
    public enum Arithmetic {
        FP32,
        /** bf16 by bf16, summed in fp32. */
        BF16,
        /** Quantized weights by activations that are quantized on the way. */
        INT8
    }

    /** What this machine can do at most on the threads of the kernels, measured when it is asked. */
    public interface Limits {
        /** In GFLOP/s or GOP/s, of the fastest unit that the tier has for this. */
        Peak arithmetic(Arithmetic arithmetic);

        /** In GB/s. */
        Peak reading();
    }

    private static final int WIDTH = 2048;
    private static final int FEED_FORWARD = 8192;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_SIZE = 64;
    private static final int PROMPT = 512;
    private static final int LONG_PROMPT = 2048;
    private static final int CONTEXT = 8192;
    private static final int TRAINING_HEADS = 12;
    private static final int TRAINING_ROWS = 1024;

    /** Rows of attention that are held against the reference, the last ones. */
    private static final int CHECKED_ROWS = 8;

    /** Bytes of weights in a one-row product. */
    private static final long WEIGHT_BYTES = 192L << 20;

    /** Weight rows that are made; larger matrices repeat them. */
    private static final int DISTINCT_ROWS = 64;

    private static final double EPS = 0x1p-24;

    private final Kernels kernels;
    private final Kernels truth;
    private final Limits limits;
    private final double secondsPerCase;
    private long seed = 20261120;

    /** @param secondsPerCase how long each case runs, after as long a time to warm up */
    public KernelBench(Kernels kernels, Limits limits, double secondsPerCase) {
        this.kernels = kernels;
        this.limits = limits;
        this.truth = new ReferenceKernels(kernels.threads());
        this.secondsPerCase = secondsPerCase;
    }

    /** The types of weights that are worth timing. */
    public static List<DType> weightTypes() {
        return List.of(
                DType.F32,
                DType.F16,
                DType.BF16,
                DType.Q8_0,
                DType.Q6_K,
                DType.Q5_K,
                DType.Q5_1,
                DType.Q5_0,
                DType.Q4_K,
                DType.Q4_1,
                DType.Q4_0);
    }

    /**
     * Runs all cases, telling {@code each} as they finish.
     *
     * @throws IllegalStateException if an answer is wrong
     */
    public List<Result> run(List<DType> dtypes, Consumer<Result> each) {
        List<Result> results = new ArrayList<>();
        for (DType dtype : dtypes) {
            results.add(report(matmulOneRow(dtype), each));
        }
        for (DType dtype : dtypes) {
            results.add(report(matmulBatch(dtype, PROMPT, WIDTH, FEED_FORWARD), each));
        }
        results.add(report(matmulBatch(DType.Q8_0, PROMPT, FEED_FORWARD, WIDTH), each));
        results.add(report(matmulBatch(DType.Q8_0, 8, WIDTH, FEED_FORWARD), each));
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0)) {
            results.add(report(attention(dtype, 1, CONTEXT), each));
            results.add(report(attention(dtype, PROMPT, PROMPT), each));
            results.add(report(attention(dtype, LONG_PROMPT, LONG_PROMPT), each));
        }
        for (ComputePrecision precision : ComputePrecision.values()) {
            results.add(report(attentionTraining(precision), each));
        }
        return results;
    }

    private static Result report(Result result, Consumer<Result> each) {
        each.accept(result);
        return result;
    }

    /** One row times weights larger than the caches. */
    public Result matmulOneRow(DType dtype) {
        try (Arena arena = Arena.ofShared()) {
            int out = Math.toIntExact(WEIGHT_BYTES / dtype.byteSize(WIDTH) / DISTINCT_ROWS * DISTINCT_ROWS);
            Tensor w = weights(arena, dtype, out, WIDTH);
            Tensor x = normal(arena, 1, WIDTH);
            Tensor y = allocate(arena, DType.F32, 1, out);
            double error = checkMatmul(y, x, w, arena);
            Peak before = limits.reading();
            double seconds = time(() -> kernels.matmul(y, x, w));
            Peak peak = larger(before, limits.reading());
            double gigabytes = w.data().byteSize() / seconds / 1e9;
            double gigaflops = 2.0 * out * WIDTH / seconds / 1e9;
            return new Result(
                    "matmul",
                    dtype,
                    "1 x " + WIDTH + " -> " + out,
                    seconds,
                    gigabytes,
                    gigaflops,
                    gigabytes / peak.value(),
                    peak,
                    error);
        }
    }

    /** {@code rows} rows times one weight matrix. */
    public Result matmulBatch(DType dtype, int rows, int in, int out) {
        try (Arena arena = Arena.ofShared()) {
            Tensor w = weights(arena, dtype, out, in);
            Tensor x = normal(arena, rows, in);
            Tensor y = allocate(arena, DType.F32, rows, out);
            double error = checkMatmul(y, x, w, arena);
            Arithmetic arithmetic = dtype.isQuantized() ? Arithmetic.INT8 : Arithmetic.FP32;
            Peak before = limits.arithmetic(arithmetic);
            double seconds = time(() -> kernels.matmul(y, x, w));
            Peak peak = larger(before, limits.arithmetic(arithmetic));
            double gigaflops = 2.0 * rows * in * out / seconds / 1e9;
            return new Result(
                    "matmul",
                    dtype,
                    rows + " x " + in + " -> " + out,
                    seconds,
                    w.data().byteSize() / seconds / 1e9,
                    gigaflops,
                    gigaflops / peak.value(),
                    peak,
                    error);
        }
    }

    /** The last {@code rows} rows of a sequence of {@code length}. */
    public Result attention(DType dtype, int rows, int length) {
        try (Arena arena = Arena.ofShared()) {
            long bytes = KvView.bytesPerPage(dtype, KV_HEADS, HEAD_SIZE, length);
            KvView cache =
                    new KvView(arena.allocate(bytes, 64), dtype, KV_HEADS, HEAD_SIZE, length, new int[] {0}, bytes);
            kernels.storeKv(
                    cache, 0, normal(arena, length, KV_HEADS * HEAD_SIZE), normal(arena, length, KV_HEADS * HEAD_SIZE));
            Tensor q = normal(arena, rows, HEADS * HEAD_SIZE);
            Tensor y = allocate(arena, DType.F32, rows, HEADS * HEAD_SIZE);
            int checked = Math.min(rows, CHECKED_ROWS);
            Tensor expected = allocate(arena, DType.F32, checked, HEADS * HEAD_SIZE);
            float scale = (float) (1 / Math.sqrt(HEAD_SIZE));
            List<AttentionSpan> spans = List.of(new AttentionSpan(cache, length - rows, rows));
            kernels.attention(y, q, spans, scale);
            truth.attention(
                    expected,
                    q.rows(rows - checked, rows),
                    List.of(new AttentionSpan(cache, length - checked, checked)),
                    scale);
            // Values are about 1, scores about 8; what is kept in bf16 may be multiplied in bf16.
            double error = error(y.rows(rows - checked, rows), expected, dtype == DType.BF16 ? 3e-2 : 1e-4);
            require(error, "attention " + dtype);
            boolean reading = rows == 1;
            Supplier<Peak> limit = reading
                    ? limits::reading
                    : () -> limits.arithmetic(dtype == DType.BF16 ? Arithmetic.BF16 : Arithmetic.FP32);
            Peak before = limit.get();
            double seconds = time(() -> kernels.attention(y, q, spans, scale));
            Peak peak = larger(before, limit.get());
            double pairs = (double) rows * (length - rows) + (double) rows * (rows + 1) / 2;
            double gigaflops = 4.0 * pairs * HEADS * HEAD_SIZE / seconds / 1e9;
            return new Result(
                    "attention",
                    dtype,
                    rows + " rows of " + length,
                    seconds,
                    bytes / seconds / 1e9,
                    gigaflops,
                    (reading ? bytes / seconds / 1e9 : gigaflops) / peak.value(),
                    peak,
                    error);
        }
    }

    /** Forward and backward of one sequence, as a model of 110M has it; of five products in the backward pass. */
    public Result attentionTraining(ComputePrecision precision) {
        try (Arena arena = Arena.ofShared()) {
            int n = TRAINING_ROWS;
            int width = TRAINING_HEADS * HEAD_SIZE;
            int[] first = new int[n];
            float scale = (float) (1 / Math.sqrt(HEAD_SIZE));
            Tensor q = normal(arena, n, width);
            Tensor k = normal(arena, n, width);
            Tensor v = normal(arena, n, width);
            Tensor dy = normal(arena, n, width);
            Tensor y = allocate(arena, DType.F32, n, width);
            Tensor lse = allocate(arena, DType.F32, n, TRAINING_HEADS);
            Tensor dq = allocate(arena, DType.F32, n, width);
            Tensor dk = allocate(arena, DType.F32, n, width);
            Tensor dv = allocate(arena, DType.F32, n, width);
            Runnable step = () -> {
                kernels.attention(y, lse, q, k, v, HEAD_SIZE, first, scale, precision);
                kernels.attentionBackward(dq, dk, dv, dy, q, k, v, y, lse, HEAD_SIZE, first, scale, precision);
            };
            step.run();
            List<Tensor> found = List.of(y, dq, dk, dv);
            List<Tensor> expected = new ArrayList<>();
            found.forEach(tensor -> expected.add(allocate(arena, DType.F32, n, width)));
            truth.attention(expected.getFirst(), lse, q, k, v, HEAD_SIZE, first, scale, precision);
            truth.attentionBackward(
                    expected.get(1),
                    expected.get(2),
                    expected.get(3),
                    dy,
                    q,
                    k,
                    v,
                    expected.getFirst(),
                    lse,
                    HEAD_SIZE,
                    first,
                    scale,
                    precision);
            double error = 0;
            for (int i = 0; i < found.size(); i++) {
                error = Math.max(
                        error, error(found.get(i), expected.get(i), precision == ComputePrecision.BF16 ? 0.1 : 1e-4));
            }
            require(error, "attention's training in " + precision);
            Arithmetic arithmetic = precision == ComputePrecision.BF16 ? Arithmetic.BF16 : Arithmetic.FP32;
            Peak before = limits.arithmetic(arithmetic);
            double seconds = time(step);
            Peak peak = larger(before, limits.arithmetic(arithmetic));
            double pairs = (double) n * (n + 1) / 2;
            double gigaflops = (4.0 + 10.0) * pairs * width / seconds / 1e9;
            return new Result(
                    "training",
                    precision == ComputePrecision.BF16 ? DType.BF16 : DType.F32,
                    "attention, " + n + " rows",
                    seconds,
                    9.0 * n * width * Float.BYTES / seconds / 1e9,
                    gigaflops,
                    gigaflops / peak.value(),
                    peak,
                    error);
        }
    }

    private static Peak larger(Peak a, Peak b) {
        return b.value() > a.value() ? b : a;
    }

    /** The largest difference, as a share of {@code allowed} times the larger of 1 and the largest element. */
    private static double error(Tensor found, Tensor expected, double allowed) {
        double worst = 0;
        double largest = 1;
        for (long i = 0; i < found.shape().elementCount(); i++) {
            double difference = Math.abs((double) found.getFloat(i) - expected.getFloat(i));
            worst = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(worst, difference);
            largest = Math.max(largest, Math.abs(expected.getFloat(i)));
        }
        return worst / (allowed * largest);
    }

    private double checkMatmul(Tensor y, Tensor x, Tensor w, Arena arena) {
        kernels.matmul(y, x, w);
        int rows = (int) Math.min(x.rows(), 16);
        Tensor some = w.rows(w.rows() - DISTINCT_ROWS, w.rows());
        Tensor expected = allocate(arena, DType.F32, rows, DISTINCT_ROWS);
        truth.matmul(expected, x.rows(0, rows), some);
        Tensor decoded = allocate(arena, DType.F32, DISTINCT_ROWS, (int) w.columns());
        truth.dequantize(decoded, some);
        float[] a = x.rows(0, rows).toFloats();
        float[] b = decoded.toFloats();
        int in = (int) w.columns();
        double worst = 0;
        for (int row = 0; row < rows; row++) {
            for (int o = 0; o < DISTINCT_ROWS; o++) {
                double magnitude = 0;
                for (int i = 0; i < in; i++) {
                    magnitude += Math.abs((double) a[row * in + i] * b[o * in + i]);
                }
                double difference = y.getFloat(row * w.rows() + w.rows() - DISTINCT_ROWS + o)
                        - expected.getFloat((long) row * DISTINCT_ROWS + o);
                // Quantized activations, where a tier uses them, err by up to 1/254 of each block's largest.
                double allowed = Math.max(64 * EPS, w.dtype().isQuantized() ? 1e-2 : 0) * magnitude;
                worst = Math.max(worst, Math.abs(difference) / allowed);
            }
        }
        require(worst, "matmul " + w);
        return worst;
    }

    private void require(double error, String what) {
        if (!(error <= 1)) {
            throw new IllegalStateException(
                    kernels.tier() + " kernels: " + what + " differs from the reference by " + error + " of the bound");
        }
    }

    private double time(Runnable work) {
        long budget = (long) (secondsPerCase * 1e9);
        long begin = System.nanoTime();
        do {
            work.run();
        } while (System.nanoTime() - begin < budget);
        double best = Double.POSITIVE_INFINITY;
        begin = System.nanoTime();
        do {
            long start = System.nanoTime();
            work.run();
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        } while (System.nanoTime() - begin < budget);
        return best;
    }

    private Tensor weights(Arena arena, DType dtype, int out, int in) {
        Tensor tensor = allocate(arena, dtype, out, in);
        Tensor some = tensor.rows(0, DISTINCT_ROWS);
        truth.quantize(some, normal(arena, DISTINCT_ROWS, in));
        MemorySegment data = tensor.data();
        for (long at = some.data().byteSize();
                at < data.byteSize();
                at += some.data().byteSize()) {
            MemorySegment.copy(some.data(), 0, data, at, some.data().byteSize());
        }
        return tensor;
    }

    private static Tensor allocate(Arena arena, DType dtype, int rows, int columns) {
        return new Tensor(arena.allocate(dtype.byteSize((long) rows * columns), 64), dtype, Shape.of(rows, columns));
    }

    private Tensor normal(Arena arena, int rows, int columns) {
        Tensor tensor = allocate(arena, DType.F32, rows, columns);
        Random random = new Random(seed++);
        for (long i = 0; i < tensor.shape().elementCount(); i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }
}
