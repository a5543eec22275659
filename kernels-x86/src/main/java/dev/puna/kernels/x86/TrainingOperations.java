package dev.puna.kernels.x86;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.puna.kernels.AdamWStep;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.RopeTable;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * What training does besides products and attention, on {@link TrainingKernels}. Arguments are checked. Sums over rows
 * and over elements are cut at fixed places and added up in order, so that the number of threads does not matter.
 */
final class TrainingOperations implements AutoCloseable {
    /** Elements from which on a second thread pays. */
    private static final long GRAIN = 1 << 14;

    /** Rows whose part of a weight's gradient is added up by itself. */
    private static final int NORM_ROWS = 64;

    /** Elements whose squares are added up by themselves. */
    private static final int SQUARES = 1 << 16;

    private enum Key {
        NORM_BACKWARD,
        SWIGLU_BACKWARD,
        ROPE_BACKWARD,
        EXPONENTIALS,
        SCALE,
        ADAMW,
        SQUARES,
        ADD
    }

    private final Workers workers;
    private final CodeCache codes;
    private final Scratch scratch = new Scratch();

    TrainingOperations(Workers workers, CodeCache codes) {
        this.workers = workers;
        this.codes = codes;
    }

    /** Whether all are of the type that the kernels compute in. */
    static boolean serves(Tensor... tensors) {
        for (Tensor tensor : tensors) {
            if (tensor.dtype() != DType.F32) {
                return false;
            }
        }
        return true;
    }

    private MemorySegment add() {
        return codes.get(Key.ADD, () -> RowKernels.sum(64, DType.F32, false));
    }

    private static ArgumentBlock sum(ArgumentBlock arguments, long y, long x, long count) {
        return arguments
                .set(RowKernels.Y, y)
                .set(RowKernels.X, y)
                .set(RowKernels.SECOND, x)
                .set(RowKernels.COUNT, count)
                .set(RowKernels.ROWS, 1);
    }

    /** Each thread takes some columns of all rows, so every element is added to in the order of the rows. */
    void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        if (ids.length == 0) {
            return;
        }
        MemorySegment code = add();
        try (Borrowed borrowed = new Borrowed()) {
            Tensor to = borrowed.output(dtable);
            long source = borrowed.input(dy).data().address();
            workers.inRanges(dy.columns(), 16, (arguments, from, end) -> {
                for (int row = 0; row < ids.length; row++) {
                    long target = to.data().address() + ids[row] * to.rowBytes() + from * Float.BYTES;
                    sum(arguments, target, source + row * dy.rowBytes() + from * Float.BYTES, end - from)
                            .call(code);
                }
            });
        }
    }

    void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        long width = x.columns();
        long rows = x.rows();
        if (width == 0 || rows == 0) {
            return;
        }
        MemorySegment code = codes.get(Key.NORM_BACKWARD, TrainingKernels::normBackward);
        long blocks = (rows + NORM_ROWS - 1) / NORM_ROWS;
        long line = width * Float.BYTES;
        MemorySegment parts = scratch.memory(blocks * line);
        try (Borrowed borrowed = new Borrowed()) {
            Tensor to = borrowed.output(dx);
            long sum = borrowed.output(dweight).data().address();
            long dys = borrowed.input(dy).data().address();
            long xs = borrowed.input(x).data().address();
            long gain = borrowed.input(weight).data().address();
            workers.inRanges(blocks, 1, (arguments, from, end) -> {
                parts.asSlice(from * line, (end - from) * line).fill((byte) 0);
                for (long block = from; block < end; block++) {
                    long first = block * NORM_ROWS;
                    arguments
                            .set(TrainingKernels.COUNT, width)
                            .set(TrainingKernels.DX, to.data().address() + first * line)
                            .set(TrainingKernels.DY, dys + first * line)
                            .set(TrainingKernels.X, xs + first * line)
                            .set(TrainingKernels.WEIGHT, gain)
                            .set(TrainingKernels.DWEIGHT, parts.address() + block * line)
                            .set(TrainingKernels.ROWS, Math.min(NORM_ROWS, rows - first))
                            .set(TrainingKernels.EPSILON, epsilon)
                            .set(TrainingKernels.INVERSE_COUNT, 1f / width)
                            .call(code);
                }
            });
            MemorySegment add = add();
            workers.inRanges(width, GRAIN, (arguments, from, end) -> {
                for (long block = 0; block < blocks; block++) {
                    long at = from * Float.BYTES;
                    sum(arguments, sum + at, parts.address() + block * line + at, end - from)
                            .call(add);
                }
            });
        }
    }

    /** For rows whose pairs are halves of a head. */
    void ropeBackward(Tensor dx, Tensor dy, RopeTable table, int[] positions) {
        if (dy.columns() == 0) {
            return;
        }
        MemorySegment code = codes.get(Key.ROPE_BACKWARD, () -> RowKernels.ropeBackward(64));
        try (Borrowed borrowed = new Borrowed()) {
            RowOperations.rope(
                    workers,
                    code,
                    borrowed.output(dx),
                    borrowed.input(dy),
                    borrowed.input(table.cos()),
                    borrowed.input(table.sin()),
                    table.headSize(),
                    positions);
        }
    }

    void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        MemorySegment code = codes.get(Key.SWIGLU_BACKWARD, TrainingKernels::swiGluBackward);
        try (Borrowed borrowed = new Borrowed()) {
            long dgates = borrowed.output(dgate).data().address();
            long dups = borrowed.output(dup).data().address();
            long dys = dy.equals(dgate) ? dgates : borrowed.input(dy).data().address();
            long gates = borrowed.input(gate).data().address();
            long ups = borrowed.input(up).data().address();
            workers.inRanges(
                    dy.shape().elementCount(),
                    GRAIN,
                    (arguments, from, end) -> arguments
                            .set(TrainingKernels.COUNT, end - from)
                            .set(TrainingKernels.DGATE, dgates + from * Float.BYTES)
                            .set(TrainingKernels.DUP, dups + from * Float.BYTES)
                            .set(TrainingKernels.DY, dys + from * Float.BYTES)
                            .set(TrainingKernels.GATE, gates + from * Float.BYTES)
                            .set(TrainingKernels.UP, ups + from * Float.BYTES)
                            .call(code));
        }
    }

    void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets, float scale, float zLoss) {
        MemorySegment exponentials = codes.get(Key.EXPONENTIALS, TrainingKernels::exponentials);
        MemorySegment product = codes.get(Key.SCALE, TrainingKernels::scale);
        MemorySegment results = scratch.memory(16L * targets.length);
        try (Borrowed borrowed = new Borrowed()) {
            Tensor rows = borrowed.output(logits);
            long line = rows.rowBytes();
            workers.inRanges(targets.length, 1, (arguments, from, end) -> {
                for (int row = (int) from; row < end; row++) {
                    if (targets[row] == Kernels.IGNORED) {
                        losses.setFloat(row, 0);
                        logSumExp.setFloat(row, 0);
                        rows.data().asSlice(row * line, line).fill((byte) 0);
                        continue;
                    }
                    long hitAt = row * line + targets[row] * (long) Float.BYTES;
                    float hit = rows.data().get(Tensor.F32_LE, hitAt);
                    arguments
                            .set(TrainingKernels.COUNT, rows.columns())
                            .set(TrainingKernels.ROW, rows.data().address() + row * line)
                            .set(TrainingKernels.SUM, results.address() + 16L * row)
                            .set(TrainingKernels.MAXIMUM, results.address() + 16L * row + 8)
                            .call(exponentials);
                    double sum = results.get(JAVA_DOUBLE, 16L * row);
                    double total = results.get(JAVA_FLOAT, 16L * row + 8) + Math.log(sum);
                    losses.setFloat(row, (float) (total - hit));
                    logSumExp.setFloat(row, (float) total);
                    arguments
                            .set(TrainingKernels.FACTOR, (float) (scale * (1 + 2 * zLoss * total) / sum))
                            .call(product);
                    rows.data().set(Tensor.F32_LE, hitAt, rows.data().get(Tensor.F32_LE, hitAt) - scale);
                }
            });
        }
    }

    void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        MemorySegment code = codes.get(Key.ADAMW, TrainingKernels::adamW);
        try (Borrowed borrowed = new Borrowed()) {
            long ws = borrowed.output(w).data().address();
            long ms = borrowed.output(m).data().address();
            long vs = borrowed.output(v).data().address();
            long gs = borrowed.input(gradient).data().address();
            workers.inRanges(
                    w.shape().elementCount(),
                    GRAIN,
                    (arguments, from, end) -> arguments
                            .set(TrainingKernels.COUNT, end - from)
                            .set(TrainingKernels.W, ws + from * Float.BYTES)
                            .set(TrainingKernels.M, ms + from * Float.BYTES)
                            .set(TrainingKernels.V, vs + from * Float.BYTES)
                            .set(TrainingKernels.G, gs + from * Float.BYTES)
                            .set(TrainingKernels.BETA1, (float) step.beta1())
                            .set(TrainingKernels.REST1, (float) (1 - step.beta1()))
                            .set(TrainingKernels.BETA2, (float) step.beta2())
                            .set(TrainingKernels.REST2, (float) (1 - step.beta2()))
                            .set(TrainingKernels.GRADIENT_SCALE, (float) step.gradientScale())
                            .set(TrainingKernels.SHRINK, step.shrink())
                            .set(TrainingKernels.STEP_SIZE, step.stepSize())
                            .set(TrainingKernels.CORRECTION, step.secondMomentCorrection())
                            .set(TrainingKernels.ADAM_EPSILON, (float) step.epsilon())
                            .call(code));
        }
    }

    double squaredNorm(Tensor x) {
        MemorySegment code = codes.get(Key.SQUARES, TrainingKernels::squares);
        long count = x.shape().elementCount();
        long blocks = (count + SQUARES - 1) / SQUARES;
        MemorySegment sums = scratch.memory(blocks * Double.BYTES);
        try (Borrowed borrowed = new Borrowed()) {
            long data = borrowed.input(x).data().address();
            workers.inRanges(blocks, 1, (arguments, from, end) -> {
                for (long block = from; block < end; block++) {
                    long first = block * SQUARES;
                    arguments
                            .set(TrainingKernels.COUNT, Math.min(SQUARES, count - first))
                            .set(TrainingKernels.ROW, data + first * Float.BYTES)
                            .set(TrainingKernels.SUM, sums.address() + block * Double.BYTES)
                            .call(code);
                }
            });
        }
        double total = 0;
        for (long block = 0; block < blocks; block++) {
            total += sums.getAtIndex(JAVA_DOUBLE, block);
        }
        return total;
    }

    @Override
    public void close() {
        scratch.close();
    }
}
