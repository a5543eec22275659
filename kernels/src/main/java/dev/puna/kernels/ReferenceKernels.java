package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.kernels.blocks.Rows;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The truth: each operation as its formula reads, in double precision from start to end and rounded to fp32 once. No
 * trick, no tile; every other tier is tested against this one, and this one against closed forms.
 */
public final class ReferenceKernels implements Kernels {
    private final ThreadTeam threads;

    public ReferenceKernels(ThreadTeam threads) {
        this.threads = threads;
    }

    @Override
    public String tier() {
        return "reference";
    }

    @Override
    public ThreadTeam threads() {
        return threads;
    }

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w) {
        KernelArguments.matmul(y, x, w);
        int in = Math.toIntExact(w.columns());
        int rowCount = Math.toIntExact(x.rows());
        float[] rows = floats(x);
        threads.forRange(w.rows(), 1, (from, to) -> {
            float[] weights = new float[in];
            for (long o = from; o < to; o++) {
                Rows.decode(w.dtype(), w.data(), o * w.rowBytes(), in, weights, 0);
                for (int n = 0; n < rowCount; n++) {
                    double sum = 0;
                    for (int i = 0; i < in; i++) {
                        sum += (double) rows[n * in + i] * weights[i];
                    }
                    set(y, n * w.rows() + o, (float) sum);
                }
            }
        });
    }

    @Override
    public void addBias(Tensor y, Tensor bias) {
        KernelArguments.addBias(y, bias);
        float[] b = floats(bias);
        forRows(y, row -> {
            for (int c = 0; c < b.length; c++) {
                long i = row * b.length + c;
                set(y, i, get(y, i) + b[c]);
            }
        });
    }

    @Override
    public void add(Tensor y, Tensor x) {
        KernelArguments.add(y, x);
        threads.forRange(y.shape().elementCount(), 4096, (from, to) -> {
            for (long i = from; i < to; i++) {
                set(y, i, get(y, i) + get(x, i));
            }
        });
    }

    @Override
    public void embedding(Tensor y, Tensor table, int[] ids) {
        KernelArguments.embedding(y, table, ids);
        int width = Math.toIntExact(y.columns());
        forRows(y, row -> {
            float[] values = new float[width];
            Rows.decode(table.dtype(), table.data(), ids[(int) row] * table.rowBytes(), width, values, 0);
            put(y, row, values);
        });
    }

    @Override
    public void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon) {
        KernelArguments.rmsNorm(y, x, weight);
        float[] gain = floats(weight);
        int width = gain.length;
        forRows(x, row -> {
            double squares = 0;
            for (int c = 0; c < width; c++) {
                double value = get(x, row * width + c);
                squares += value * value;
            }
            double factor = 1 / Math.sqrt(squares / width + epsilon);
            for (int c = 0; c < width; c++) {
                set(y, row * width + c, (float) (get(x, row * width + c) * factor * gain[c]));
            }
        });
    }

    @Override
    public void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        KernelArguments.rope(y, x, table, pairing, positions);
        int size = table.headSize();
        int half = size / 2;
        long width = x.columns();
        forRows(x, row -> {
            long angles = (long) positions[(int) row] * half;
            for (long head = row * width; head < (row + 1) * width; head += size) {
                for (int i = 0; i < half; i++) {
                    double a = get(x, head + (pairing == RopePairing.HALVES ? i : 2L * i));
                    double b = get(x, head + (pairing == RopePairing.HALVES ? i + half : 2L * i + 1));
                    double cos = get(table.cos(), angles + i);
                    double sin = get(table.sin(), angles + i);
                    set(y, head + i, (float) (a * cos - b * sin));
                    set(y, head + half + i, (float) (b * cos + a * sin));
                }
            }
        });
    }

    @Override
    public void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v) {
        KernelArguments.storeKv(cache, firstPosition, k, v);
        int size = cache.headSize();
        forRows(k, row -> {
            float[] keys = floats(k.row(row));
            float[] values = floats(v.row(row));
            int position = firstPosition + (int) row;
            for (int head = 0; head < cache.kvHeadCount(); head++) {
                MemorySegment pool = cache.pool();
                Rows.encode(cache.dtype(), pool, cache.keyOffset(head, position), size, keys, head * size);
                Rows.encode(cache.dtype(), pool, cache.valueOffset(head, position), size, values, head * size);
            }
        });
    }

    @Override
    public void attention(Tensor y, Tensor q, List<AttentionSpan> spans, float scale) {
        KernelArguments.attention(y, q, spans);
        long first = 0;
        for (AttentionSpan span : spans) {
            long base = first;
            int headCount = Math.toIntExact(q.columns() / span.cache().headSize());
            threads.forRange((long) span.rowCount() * headCount, 1, (from, to) -> {
                for (long i = from; i < to; i++) {
                    long row = i / headCount;
                    attendHead(y, q, base + row, (int) (i % headCount), headCount, span, (int) row, scale);
                }
            });
            first += span.rowCount();
        }
    }

    private static void attendHead(
            Tensor y, Tensor q, long row, int head, int headCount, AttentionSpan span, int rowInSpan, float scale) {
        KvView cache = span.cache();
        int size = cache.headSize();
        int kvHead = head / (headCount / cache.kvHeadCount());
        int visible = span.firstPosition() + rowInSpan + 1;
        long at = row * q.columns() + (long) head * size;
        float[] vector = new float[size];
        double[] weights = new double[visible];
        double max = Double.NEGATIVE_INFINITY;
        for (int t = 0; t < visible; t++) {
            Rows.decode(cache.dtype(), cache.pool(), cache.keyOffset(kvHead, t), size, vector, 0);
            double dot = 0;
            for (int i = 0; i < size; i++) {
                dot += (double) get(q, at + i) * vector[i];
            }
            weights[t] = dot * scale;
            max = Math.max(max, weights[t]);
        }
        double sum = 0;
        for (int t = 0; t < visible; t++) {
            weights[t] = Math.exp(weights[t] - max);
            sum += weights[t];
        }
        double[] result = new double[size];
        for (int t = 0; t < visible; t++) {
            Rows.decode(cache.dtype(), cache.pool(), cache.valueOffset(kvHead, t), size, vector, 0);
            for (int i = 0; i < size; i++) {
                result[i] += weights[t] * vector[i];
            }
        }
        for (int i = 0; i < size; i++) {
            set(y, at + i, (float) (result[i] / sum));
        }
    }

    @Override
    public void swiGlu(Tensor y, Tensor gate, Tensor up) {
        KernelArguments.swiGlu(y, gate, up);
        threads.forRange(y.shape().elementCount(), 1024, (from, to) -> {
            for (long i = from; i < to; i++) {
                double g = get(gate, i);
                set(y, i, (float) (g / (1 + Math.exp(-g)) * get(up, i)));
            }
        });
    }

    @Override
    public void dequantize(Tensor y, Tensor x) {
        KernelArguments.dequantize(y, x);
        int width = Math.toIntExact(x.columns());
        forRows(x, row -> {
            float[] values = new float[width];
            Rows.decode(x.dtype(), x.data(), row * x.rowBytes(), width, values, 0);
            put(y, row, values);
        });
    }

    @Override
    public void quantize(Tensor y, Tensor x) {
        KernelArguments.quantize(y, x);
        int width = Math.toIntExact(x.columns());
        forRows(x, row -> {
            float[] values = floats(x.row(row));
            Rows.encode(y.dtype(), y.data(), row * y.rowBytes(), width, values, 0);
        });
    }

    @FunctionalInterface
    private interface RowTask {
        void run(long row);
    }

    private void forRows(Tensor rows, RowTask task) {
        if (rows.columns() == 0) {
            return;
        }
        threads.forRange(rows.rows(), 1, (from, to) -> {
            for (long row = from; row < to; row++) {
                task.run(row);
            }
        });
    }

    /** All elements of a tensor of a plain or quantized type. */
    private static float[] floats(Tensor tensor) {
        int count = Math.toIntExact(tensor.shape().elementCount());
        float[] values = new float[count];
        Rows.decode(tensor.dtype(), tensor.data(), 0, count, values, 0);
        return values;
    }

    private static float get(Tensor tensor, long i) {
        return tensor.data().get(F32_LE, i * Float.BYTES);
    }

    private static void set(Tensor tensor, long i, float value) {
        tensor.data().set(F32_LE, i * Float.BYTES, value);
    }

    private static void put(Tensor y, long row, float[] values) {
        Rows.encode(DType.F32, y.data(), row * y.rowBytes(), values.length, values, 0);
    }
}
