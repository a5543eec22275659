package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.kernels.KernelsProvider.Availability;
import dev.puna.kernels.blocks.Rows;
import dev.puna.tensor.DType;
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
 * <p><b>Matrix product.</b> Weights are decoded into floats in the cache and multiplied from there, by tiles of scalar
 * products ({@link VectorTiles}): for one row 8 weight rows at a time, a piece of each; for more rows a panel of 24
 * weight rows, decoded once for the whole batch. Every product is the same sequence of fused multiply-adds per lane and
 * the same tree over the lanes, whatever the tile: so a row has the same bits alone and in a batch.
 *
 * <p>Scratch lies in Java arrays larger than half a G1 region, which begin 16 bytes after a region: with {@link
 * #FIRST} elements skipped, vectors do not straddle cache lines. Elsewhere only speed is lost. C2 removes bounds checks
 * from arrays that it keeps for memory segments.
 */
public final class VectorKernels implements Kernels {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

    /** Index of the first element used: 16 bytes of header and 12 floats are 64 bytes. */
    private static final int FIRST = 12;

    /** Arrays of this many floats are large objects for G1 with regions of up to 8 MiB. */
    private static final int LARGE = (4 << 20) / Float.BYTES + 1024;

    /** Elements of each weight row that the product of a single row decodes at a time. */
    private static final int LINE_PIECE = 1024;

    /** Elements after which the tiles of a batch move on to the next tile: 4 + 6 rows of it fit the first-level cache. */
    private static final int BATCH_PIECE = 1024;

    /** Weight rows decoded together: four tiles. */
    private static final int PANEL = 4 * VectorTiles.TILE_WEIGHTS;

    /** Rows of x whose running sums are kept at a time. */
    private static final int BATCH_ROWS = 128;

    /** Floats between rows in scratch beyond their length: keeps rows out of each other's cache sets. */
    private static final int PAD = 16;

    /** Products of fewer multiplications stay on the calling thread. */
    private static final long WORTH_A_TEAM = 1 << 16;

    private final ThreadTeam threads;
    private final Scratch[] scratch;
    private final VectorTraining training;
    private float[] packed = new float[LARGE];

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
        float[] floats = new float[LARGE];
        float[] sums = new float[LARGE];
        short[] halves = new short[LINE_PIECE];

        private final VectorAttention attention = new VectorAttention();
        private final VectorLines lines = new VectorLines();

        VectorLines lines() {
            return lines;
        }

        VectorAttention attention() {
            return attention;
        }

        float[] floats(int count) {
            if (floats.length < count + FIRST) {
                floats = new float[count + FIRST];
            }
            return floats;
        }

        short[] halves(int count) {
            if (halves.length < count) {
                halves = new short[count];
            }
            return halves;
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

    /** Floats from one packed row to the next. */
    private static int stride(int columns) {
        return VectorLanes.roundUp(columns) + PAD;
    }

    /** Copies the rows of x into {@link #packed}, with zeros up to whole vectors and whole tiles. */
    private void pack(Tensor x) {
        int in = Math.toIntExact(x.columns());
        int stride = stride(in);
        int rowCount = Math.toIntExact(x.rows());
        int tiledRows = rowCount == 1
                ? 1
                : (rowCount + VectorTiles.TILE_ROWS - 1) / VectorTiles.TILE_ROWS * VectorTiles.TILE_ROWS;
        int length = Math.addExact(Math.multiplyExact(tiledRows, stride), FIRST);
        if (packed.length < length) {
            packed = new float[length];
        }
        float[] target = packed;
        long rowBytes = x.rowBytes();
        threads.forRange(tiledRows, 32, (from, to) -> {
            for (int row = (int) from; row < to; row++) {
                int at = FIRST + row * stride;
                if (row < rowCount) {
                    MemorySegment.copy(x.data(), F32_LE, row * rowBytes, target, at, in);
                    Arrays.fill(target, at + in, at + stride, 0);
                } else {
                    Arrays.fill(target, at, at + stride, 0);
                }
            }
        });
    }

    private void product(Tensor y, Tensor x, Tensor w) {
        long rowCount = x.rows();
        long out = w.rows();
        int grain = rowCount == 1 ? VectorTiles.LINE_WEIGHTS : PANEL;
        if (rowCount * out * x.columns() < WORTH_A_TEAM) {
            productRange(y, x, w, 0, out, scratch[0]);
            return;
        }
        long grains = (out + grain - 1) / grain;
        threads.run((member, size) -> {
            long from = grains * member / size * grain;
            long to = Math.min(grains * (member + 1) / size * grain, out);
            if (from < to) {
                productRange(y, x, w, from, to, scratch[member]);
            }
        });
    }

    private void productRange(Tensor y, Tensor x, Tensor w, long from, long to, Scratch memory) {
        if (x.rows() == 1) {
            if (VectorLines.AVAILABLE && w.dtype() == DType.Q4_0) {
                oneRowOfQ40(y, w, from, to, packed, memory);
            } else {
                oneRow(y, w, from, to, packed, memory);
            }
        } else {
            batch(y, w, from, to, packed, (int) x.rows(), memory);
        }
    }

    /** Weight rows [from, to) of Q4_0 times the one row of x. */
    private static void oneRowOfQ40(Tensor y, Tensor w, long from, long to, float[] x, Scratch memory) {
        int in = (int) w.columns();
        long rowBytes = w.rowBytes();
        float[] sums = memory.sums;
        VectorLines lines = memory.lines();
        for (long o = from; o < to; o += 2) {
            long next = o + 1 < to ? rowBytes : 0;
            lines.pair(w.data(), o * rowBytes, next, in, x, FIRST, sums, FIRST);
            y.data().set(F32_LE, o * Float.BYTES, VectorTiles.total(sums, FIRST));
            if (next > 0) {
                y.data().set(F32_LE, (o + 1) * Float.BYTES, VectorTiles.total(sums, FIRST + LANES));
            }
        }
    }

    /** Weight rows [from, to) times the one row of x. */
    private static void oneRow(Tensor y, Tensor w, long from, long to, float[] x, Scratch memory) {
        int in = (int) w.columns();
        int width = VectorTiles.LINE_WEIGHTS;
        int piece = Math.min(LINE_PIECE, VectorLanes.roundUp(in));
        int stride = piece + PAD;
        float[] weights = memory.floats(width * stride);
        float[] sums = memory.sums;
        short[] halves = memory.halves(piece);
        DType dtype = w.dtype();
        long rowBytes = w.rowBytes();
        for (long o = from; o < to; o += width) {
            int rows = (int) Math.min(width, to - o);
            Arrays.fill(sums, FIRST, FIRST + width * LANES, 0);
            for (int k = 0; k < in; k += piece) {
                int count = Math.min(piece, in - k);
                int padded = VectorLanes.roundUp(count);
                long offset = o * rowBytes + dtype.byteSize(k);
                for (int i = 0; i < rows; i++) {
                    int at = FIRST + i * stride;
                    VectorUnpack.unpack(dtype, w.data(), offset + i * rowBytes, count, weights, at, halves);
                    Arrays.fill(weights, at + count, at + padded, 0);
                }
                VectorTiles.oneByEight(x, FIRST + k, weights, FIRST, stride, padded, sums, FIRST);
            }
            for (int i = 0; i < rows; i++) {
                y.data().set(F32_LE, (o + i) * Float.BYTES, VectorTiles.total(sums, FIRST + i * LANES));
            }
        }
    }

    /** Weight rows [from, to) times all rows of x. */
    private static void batch(Tensor y, Tensor w, long from, long to, float[] x, int rowCount, Scratch memory) {
        int in = (int) w.columns();
        long out = w.rows();
        int padded = VectorLanes.roundUp(in);
        int stride = stride(in);
        float[] weights = memory.floats(PANEL * stride);
        short[] halves = memory.halves(in);
        DType dtype = w.dtype();
        long rowBytes = w.rowBytes();
        for (long o = from; o < to; o += PANEL) {
            int rows = (int) Math.min(PANEL, to - o);
            for (int i = 0; i < rows; i++) {
                int at = FIRST + i * stride;
                VectorUnpack.unpack(dtype, w.data(), (o + i) * rowBytes, in, weights, at, halves);
                Arrays.fill(weights, at + in, at + padded, 0);
            }
            for (int row = 0; row < rowCount; row += BATCH_ROWS) {
                batchPanel(
                        y, out, o, rows, x, stride, row, Math.min(BATCH_ROWS, rowCount - row), padded, weights, memory);
            }
        }
    }

    /** One decoded panel times some rows of x. */
    private static void batchPanel(
            Tensor y,
            long out,
            long firstWeight,
            int weightCount,
            float[] x,
            int stride,
            int firstRow,
            int rowCount,
            int length,
            float[] weights,
            Scratch memory) {
        int tileSums = VectorTiles.TILE_ROWS * VectorTiles.TILE_WEIGHTS * LANES;
        int tilesDown = (rowCount + VectorTiles.TILE_ROWS - 1) / VectorTiles.TILE_ROWS;
        int tilesAcross = (weightCount + VectorTiles.TILE_WEIGHTS - 1) / VectorTiles.TILE_WEIGHTS;
        float[] sums = memory.sums;
        Arrays.fill(sums, FIRST, FIRST + tilesDown * tilesAcross * tileSums, 0);
        for (int k = 0; k < length; k += BATCH_PIECE) {
            int count = Math.min(BATCH_PIECE, length - k);
            for (int across = 0; across < tilesAcross; across++) {
                int wAt = FIRST + across * VectorTiles.TILE_WEIGHTS * stride + k;
                for (int down = 0; down < tilesDown; down++) {
                    int xAt = FIRST + (firstRow + down * VectorTiles.TILE_ROWS) * stride + k;
                    int sumsAt = FIRST + (across * tilesDown + down) * tileSums;
                    VectorTiles.fourBySix(x, xAt, stride, weights, wAt, stride, count, sums, sumsAt);
                }
            }
        }
        for (int across = 0; across < tilesAcross; across++) {
            int columns = Math.min(VectorTiles.TILE_WEIGHTS, weightCount - across * VectorTiles.TILE_WEIGHTS);
            for (int row = 0; row < rowCount; row++) {
                int sumsAt = FIRST
                        + (across * tilesDown + row / VectorTiles.TILE_ROWS) * tileSums
                        + row % VectorTiles.TILE_ROWS * VectorTiles.TILE_WEIGHTS * LANES;
                long at = (firstRow + row) * out + firstWeight + (long) across * VectorTiles.TILE_WEIGHTS;
                for (int column = 0; column < columns; column++) {
                    y.data().set(F32_LE, (at + column) * Float.BYTES, VectorTiles.total(sums, sumsAt + column * LANES));
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
            VectorAttention attention = scratch[0].attention();
            for (long i = 0; i < work; i++) {
                attention.attend(y, q, firstRow, span, (int) (i / kvHeads), (int) (i % kvHeads), scale);
            }
            return;
        }
        threads.run((member, size) -> {
            // Later tiles see more keys: dealt round-robin.
            VectorAttention attention = scratch[member].attention();
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
