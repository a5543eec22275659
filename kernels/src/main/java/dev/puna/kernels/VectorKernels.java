package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.kernels.KernelsProvider.Availability;
import dev.puna.kernels.blocks.Rows;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The tier on the JDK's Vector API.
 *
 * <p><b>Matrix product.</b> For one row, and for few, weights stream through the cache ({@link VectorLines}). For more,
 * {@link VectorPanels#ROWS} weight rows of a slice are decoded once for the whole batch ({@link VectorPanels}) and
 * multiplied by tiles ({@link VectorTiles}). Every sum has the same order in both: so a row has the same bits alone and
 * in a batch.
 */
public final class VectorKernels implements Kernels {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

    /** Up to as many rows stream the weights; more make tiles. */
    private static final int FEW_ROWS = 6;

    /** Groups of rows whose slice of one chain stays in the second-level cache. */
    private static final int GROUPS = 43;

    /** Products of fewer multiplications stay on the calling thread. */
    private static final long WORTH_A_TEAM = 1 << 16;

    private final ThreadTeam threads;
    private final Scratch[] scratch;
    private final VectorTraining training;
    private float[] packed = new float[0];

    public VectorKernels(ThreadTeam threads) {
        this.threads = threads;
        this.scratch = new Scratch[threads.size()];
        this.training = new VectorTraining(this);
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
    }

    /** Whether this processor's vectors are worth using. */
    static Availability probe() {
        int bits = F.vectorBitSize();
        return bits < 128
                ? new Availability.Refused("vectors of " + bits + " bits")
                : new Availability.Available("JDK Vector API, " + bits + " bits");
    }

    /** What one member of the team works in. */
    private static final class Scratch {
        private final VectorAttention attention = new VectorAttention();
        private final VectorLines lines = new VectorLines();
        private final VectorPanels panels = new VectorPanels();
        private float[] sums = new float[0];
        private float[] rows = new float[0];

        float[] sums(int count) {
            if (sums.length < count) {
                sums = new float[count];
            }
            return sums;
        }

        float[] rows() {
            if (rows.length == 0) {
                rows = new float[VectorPanels.packScratch()];
            }
            return rows;
        }
    }

    @Override
    public String tier() {
        return "vector";
    }

    @Override
    public ThreadTeam threads() {
        return threads;
    }

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w) {
        KernelArguments.matmul(y, x, w);
        if (x.rows() == 0 || w.rows() == 0) {
            return;
        }
        pack(x);
        product(y, x, w);
    }

    @Override
    public void matmul(List<Tensor> y, Tensor x, List<Tensor> w) {
        KernelArguments.matmul(y, x, w);
        if (x.rows() == 0) {
            return;
        }
        pack(x);
        for (int i = 0; i < w.size(); i++) {
            if (w.get(i).rows() > 0) {
                product(y.get(i), x, w.get(i));
            }
        }
    }

    /** Copies the rows of x into {@link #packed} in the form that the product wants. */
    private void pack(Tensor x) {
        int in = Math.toIntExact(x.columns());
        int rows = Math.toIntExact(x.rows());
        if (rows <= FEW_ROWS) {
            int stride = VectorLines.stride(in);
            float[] target = room(Math.multiplyExact(rows, stride));
            for (int row = 0; row < rows; row++) {
                MemorySegment.copy(x.data(), F32_LE, row * x.rowBytes(), target, row * stride, in);
                Arrays.fill(target, row * stride + in, (row + 1) * stride, 0);
            }
            return;
        }
        int groups = VectorPanels.groups(rows);
        float[] target = room(VectorPanels.packedLength(groups, in));
        threads.run((member, size) -> {
            for (int group = groups * member / size; group < groups * (member + 1) / size; group++) {
                VectorPanels.pack(x, group, groups, scratch[member].rows(), target);
            }
        });
    }

    private float[] room(int length) {
        if (packed.length < length) {
            packed = new float[length];
        }
        return packed;
    }

    private void product(Tensor y, Tensor x, Tensor w) {
        int rows = (int) x.rows();
        long out = w.rows();
        boolean few = rows <= FEW_ROWS;
        int grain = few ? 1 : VectorTiles.WIDTH;
        long grains = (out + grain - 1) / grain;
        boolean alone = rows * out * x.columns() < WORTH_A_TEAM;
        ThreadTeam.Task task = (member, size) -> {
            long from = grains * member / size * grain;
            long to = Math.min(grains * (member + 1) / size * grain, out);
            if (from < to && few) {
                scratch[member].lines.multiply(y, w, from, to, packed, rows);
            } else if (from < to) {
                batch(y, w, from, to, packed, rows, scratch[member]);
            }
        };
        if (alone) {
            task.run(0, 1);
        } else {
            threads.run(task);
        }
    }

    /** Weight rows [from, to) times all rows of x. */
    private static void batch(Tensor y, Tensor w, long from, long to, float[] x, int rows, Scratch memory) {
        int in = (int) w.columns();
        long out = w.rows();
        int groups = VectorPanels.groups(rows);
        int width = VectorPanels.ROWS;
        VectorPanels panels = memory.panels;
        float[] sums = memory.sums(groups * VectorTiles.ROWS * width);
        for (long o = from; o < to; o += width) {
            int count = (int) Math.min(width, to - o);
            Arrays.fill(sums, 0, groups * VectorTiles.ROWS * width, 0);
            for (int k = 0; k < in; k += VectorTiles.SLICE) {
                panels.load(w, o, count, k, Math.min(VectorTiles.SLICE, in - k));
                for (int group = 0; group < groups; group += GROUPS) {
                    int end = Math.min(groups, group + GROUPS);
                    slice(x, k / VectorTiles.SLICE, groups, group, end, rows, panels, count, sums);
                }
            }
            for (int row = 0; row < rows; row++) {
                MemorySegment.copy(sums, row * width, y.data(), F32_LE, (row * out + o) * Float.BYTES, count);
            }
        }
    }

    /** Adds to the sums of some groups of rows what one slice gives. */
    private static void slice(
            float[] x,
            int slice,
            int groups,
            int from,
            int to,
            int rows,
            VectorPanels panels,
            int weightRows,
            float[] sums) {
        int steps = panels.steps();
        float[] w = panels.floats();
        for (int chain = 0; chain < VectorTiles.CHAINS; chain++) {
            for (int panel = 0; panel * VectorTiles.WIDTH < weightRows; panel++) {
                int wAt = panels.at(panel, chain);
                for (int group = from; group < to; group++) {
                    VectorTiles.multiply(
                            x,
                            VectorPanels.packedAt(groups, slice, steps, chain, group),
                            rows - group * VectorTiles.ROWS,
                            w,
                            wAt,
                            steps,
                            sums,
                            group * VectorTiles.ROWS * VectorPanels.ROWS + panel * VectorTiles.WIDTH,
                            VectorPanels.ROWS);
                }
            }
        }
    }

    @Override
    public void addBias(Tensor y, Tensor bias) {
        KernelArguments.addBias(y, bias);
        int width = Math.toIntExact(y.columns());
        float[] b = floats(bias);
        forRows(y.rows(), width, row -> {
            long at = row * width * 4L;
            int i = 0;
            for (; i <= width - LANES; i += LANES) {
                FloatVector.fromMemorySegment(F, y.data(), at + 4L * i, LE)
                        .add(FloatVector.fromArray(F, b, i))
                        .intoMemorySegment(y.data(), at + 4L * i, LE);
            }
            for (; i < width; i++) {
                y.data().set(F32_LE, at + 4L * i, y.data().get(F32_LE, at + 4L * i) + b[i]);
            }
        });
    }

    @Override
    public void add(Tensor y, Tensor x) {
        KernelArguments.add(y, x);
        MemorySegment target = y.data();
        MemorySegment source = x.data();
        threads.forRange(y.shape().elementCount(), 1 << 14, (from, to) -> {
            long i = from;
            for (; i <= to - LANES; i += LANES) {
                FloatVector.fromMemorySegment(F, target, 4 * i, LE)
                        .add(FloatVector.fromMemorySegment(F, source, 4 * i, LE))
                        .intoMemorySegment(target, 4 * i, LE);
            }
            for (; i < to; i++) {
                target.set(F32_LE, 4 * i, target.get(F32_LE, 4 * i) + source.get(F32_LE, 4 * i));
            }
        });
    }

    @Override
    public void embedding(Tensor y, Tensor table, int[] ids) {
        KernelArguments.embedding(y, table, ids);
        int width = Math.toIntExact(y.columns());
        forRows(ids.length, width, row -> {
            float[] values = new float[width];
            Rows.decode(table.dtype(), table.data(), ids[(int) row] * table.rowBytes(), width, values, 0);
            MemorySegment.copy(values, 0, y.data(), F32_LE, row * width * 4L, width);
        });
    }

    @Override
    public void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon) {
        KernelArguments.rmsNorm(y, x, weight);
        int width = Math.toIntExact(x.columns());
        float[] gain = floats(weight);
        forRows(x.rows(), width, row -> normRow(y.data(), x.data(), row * width * 4L, gain, width, epsilon));
    }

    private static void normRow(MemorySegment y, MemorySegment x, long at, float[] gain, int width, float epsilon) {
        var sum = FloatVector.zero(F);
        int i = 0;
        for (; i <= width - LANES; i += LANES) {
            var v = FloatVector.fromMemorySegment(F, x, at + 4L * i, LE);
            sum = v.fma(v, sum);
        }
        float squares = VectorLanes.sum(sum);
        for (; i < width; i++) {
            float v = x.get(F32_LE, at + 4L * i);
            squares = Math.fma(v, v, squares);
        }
        float factor = (float) (1 / Math.sqrt((double) squares / width + epsilon));
        i = 0;
        for (; i <= width - LANES; i += LANES) {
            FloatVector.fromMemorySegment(F, x, at + 4L * i, LE)
                    .mul(factor)
                    .mul(FloatVector.fromArray(F, gain, i))
                    .intoMemorySegment(y, at + 4L * i, LE);
        }
        for (; i < width; i++) {
            y.set(F32_LE, at + 4L * i, x.get(F32_LE, at + 4L * i) * factor * gain[i]);
        }
    }

    @Override
    public void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        KernelArguments.rope(y, x, table, pairing, positions);
        int size = table.headSize();
        int half = size / 2;
        int width = Math.toIntExact(x.columns());
        forRows(x.rows(), width, row -> {
            float[] values = new float[width];
            float[] turned = new float[width];
            float[] cos = new float[half];
            float[] sin = new float[half];
            long angles = (long) positions[(int) row] * half * Float.BYTES;
            MemorySegment.copy(x.data(), F32_LE, row * width * 4L, values, 0, width);
            MemorySegment.copy(table.cos().data(), F32_LE, angles, cos, 0, half);
            MemorySegment.copy(table.sin().data(), F32_LE, angles, sin, 0, half);
            int step = pairing == RopePairing.HALVES ? 1 : 2;
            int second = pairing == RopePairing.HALVES ? half : 1;
            for (int head = 0; head < width; head += size) {
                turn(values, head, step, head + second, turned, half, cos, sin);
            }
            MemorySegment.copy(turned, 0, y.data(), F32_LE, row * width * 4L, width);
        });
    }

    private static void turn(float[] x, int a, int step, int b, float[] y, int half, float[] cos, float[] sin) {
        int at = a;
        for (int i = 0; i < half; i++) {
            float first = x[a + step * i];
            float second = x[b + step * i];
            y[at + i] = first * cos[i] - second * sin[i];
            y[at + half + i] = second * cos[i] + first * sin[i];
        }
    }

    @Override
    public void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v) {
        KernelArguments.storeKv(cache, firstPosition, k, v);
        int size = cache.headSize();
        int width = Math.toIntExact(k.columns());
        forRows(k.rows(), 2L * width, row -> {
            float[] values = new float[width];
            int position = firstPosition + (int) row;
            MemorySegment.copy(k.data(), F32_LE, row * width * 4L, values, 0, width);
            for (int head = 0; head < cache.kvHeadCount(); head++) {
                Rows.encode(cache.dtype(), cache.pool(), cache.keyOffset(head, position), size, values, head * size);
            }
            MemorySegment.copy(v.data(), F32_LE, row * width * 4L, values, 0, width);
            for (int head = 0; head < cache.kvHeadCount(); head++) {
                Rows.encode(cache.dtype(), cache.pool(), cache.valueOffset(head, position), size, values, head * size);
            }
        });
    }

    @Override
    public void attention(Tensor y, Tensor q, List<AttentionSpan> spans, float scale) {
        KernelArguments.attention(y, q, spans);
        long first = 0;
        for (AttentionSpan span : spans) {
            if (span.rowCount() > 0) {
                attend(y, q, first, span, scale);
            }
            first += span.rowCount();
        }
    }

    private void attend(Tensor y, Tensor q, long firstRow, AttentionSpan span, float scale) {
        int kvHeads = span.cache().kvHeadCount();
        int tiles = (span.rowCount() + VectorAttention.TILE_ROWS - 1) / VectorAttention.TILE_ROWS;
        long work = (long) tiles * kvHeads;
        if (q.columns() * (span.firstPosition() + span.rowCount()) < WORTH_A_TEAM) {
            VectorAttention attention = scratch[0].attention;
            for (long i = 0; i < work; i++) {
                attention.attend(y, q, firstRow, span, (int) (i / kvHeads), (int) (i % kvHeads), scale);
            }
            return;
        }
        threads.run((member, size) -> {
            // Later tiles see more keys: dealt round-robin.
            VectorAttention attention = scratch[member].attention;
            for (long i = member; i < work; i += size) {
                attention.attend(y, q, firstRow, span, (int) (i / kvHeads), (int) (i % kvHeads), scale);
            }
        });
    }

    @Override
    public void swiGlu(Tensor y, Tensor gate, Tensor up) {
        KernelArguments.swiGlu(y, gate, up);
        threads.forRange(y.shape().elementCount(), 1 << 12, (from, to) -> {
            swiGlu(y.data(), gate.data(), up.data(), from, to);
        });
    }

    private static void swiGlu(MemorySegment y, MemorySegment gate, MemorySegment up, long from, long to) {
        long i = from;
        for (; i <= to - LANES; i += LANES) {
            var g = FloatVector.fromMemorySegment(F, gate, 4 * i, LE);
            var u = FloatVector.fromMemorySegment(F, up, 4 * i, LE);
            g.div(VectorLanes.exp(g.neg()).add(1f)).mul(u).intoMemorySegment(y, 4 * i, LE);
        }
        for (; i < to; i++) {
            float g = gate.get(F32_LE, 4 * i);
            y.set(F32_LE, 4 * i, g / (VectorLanes.exp(-g) + 1f) * up.get(F32_LE, 4 * i));
        }
    }

    @Override
    public void dequantize(Tensor y, Tensor x) {
        KernelArguments.dequantize(y, x);
        int width = Math.toIntExact(x.columns());
        forRows(x.rows(), width, row -> {
            float[] values = new float[width];
            VectorUnpack.unpack(x.dtype(), x.data(), row * x.rowBytes(), width, values, 0, new short[width]);
            MemorySegment.copy(values, 0, y.data(), F32_LE, row * width * 4L, width);
        });
    }

    @Override
    public void quantize(Tensor y, Tensor x) {
        KernelArguments.quantize(y, x);
        int width = Math.toIntExact(x.columns());
        forRows(x.rows(), width, row -> {
            float[] values = new float[width];
            MemorySegment.copy(x.data(), F32_LE, row * width * 4L, values, 0, width);
            Rows.encode(y.dtype(), y.data(), row * y.rowBytes(), width, values, 0);
        });
    }

    // ---- training

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        training.matmul(y, x, w, precision);
    }

    @Override
    public void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        training.matmulBackwardInput(dx, dy, w, accumulate, precision);
    }

    @Override
    public void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        training.matmulBackwardWeight(dw, dy, x, precision);
    }

    @Override
    public void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        training.embeddingBackward(dtable, dy, ids);
    }

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        training.rmsNormBackward(dx, dweight, dy, x, weight, epsilon);
    }

    @Override
    public void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        training.ropeBackward(dx, dy, table, pairing, positions);
    }

    @Override
    public void attention(
            Tensor y,
            Tensor logSumExp,
            Tensor q,
            Tensor k,
            Tensor v,
            int headSize,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        training.attention(y, logSumExp, q, k, v, headSize, firstVisible, scale);
    }

    @Override
    public void attentionBackward(
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dy,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor y,
            Tensor logSumExp,
            int headSize,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        training.attentionBackward(dq, dk, dv, dy, q, k, v, y, logSumExp, headSize, firstVisible, scale);
    }

    @Override
    public void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        training.swiGluBackward(dgate, dup, dy, gate, up);
    }

    @Override
    public void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets, float scale, float zLoss) {
        training.crossEntropy(losses, logSumExp, logits, targets, scale, zLoss);
    }

    @Override
    public void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        training.adamW(w, m, v, gradient, step);
    }

    @Override
    public double squaredNorm(Tensor x) {
        return training.squaredNorm(x);
    }

    @Override
    public void close() {
        training.close();
    }

    @FunctionalInterface
    private interface RowTask {
        void run(long row);
    }

    private void forRows(long rows, long width, RowTask task) {
        if (width == 0) {
            return;
        }
        long grain = Math.max(1, (1 << 13) / width);
        threads.forRange(rows, grain, (from, to) -> {
            for (long row = from; row < to; row++) {
                task.run(row);
            }
        });
    }

    /** All elements of a small tensor. */
    private static float[] floats(Tensor tensor) {
        float[] values = new float[Math.toIntExact(tensor.shape().elementCount())];
        Rows.decode(tensor.dtype(), tensor.data(), 0, values.length, values, 0);
        return values;
    }
}
