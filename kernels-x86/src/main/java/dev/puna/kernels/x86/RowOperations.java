package dev.puna.kernels.x86;

import dev.puna.kernels.KvView;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.RopeTable;
import dev.puna.kernels.blocks.Rows;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Everything of a forward pass that is neither a product nor attention, on {@link RowKernels}. Arguments are checked. */
final class RowOperations {
    /** Elements from which on a second thread pays. */
    private static final long GRAIN = 1 << 14;

    private record SumKey(DType dtype, boolean shared) {}

    private record NormKey(DType dtype) {}

    private record RopeKey(RopePairing pairing) {}

    private record DecodeKey(DType dtype) {}

    private record EncodeKey(DType dtype) {}

    private record SwiGluKey() {}

    private final Workers workers;
    private final CodeCache codes;
    private final int bytes;

    /** @param bytes of a register: 64 or 32 */
    RowOperations(Workers workers, CodeCache codes, int bytes) {
        this.workers = workers;
        this.codes = codes;
        this.bytes = bytes;
    }

    /** Of a register. */
    int bytes() {
        return bytes;
    }

    /** Whether {@link #decode} reads this type. */
    static boolean decodes(DType dtype) {
        return switch (dtype) {
            case F32, F16, BF16, Q8_0 -> true;
            case F64, I8, I16, I32, I64, U8, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS ->
                false;
        };
    }

    /** Code of {@link RowKernels#decode}. */
    MemorySegment decode(DType dtype) {
        return codes.get(new DecodeKey(dtype), () -> RowKernels.decode(bytes, dtype));
    }

    private static long rowGrain(long width) {
        return Math.max(1, GRAIN / Math.max(1, width));
    }

    void addBias(Tensor y, Tensor bias) {
        if (y.columns() == 0) {
            return;
        }
        MemorySegment code = codes.get(new SumKey(bias.dtype(), true), () -> RowKernels.sum(bytes, bias.dtype(), true));
        try (Borrowed borrowed = new Borrowed()) {
            Tensor to = borrowed.output(y);
            long second = borrowed.input(bias).data().address();
            workers.inRanges(
                    y.rows(),
                    rowGrain(y.columns()),
                    (arguments, from, end) ->
                            rows(arguments, to, to, second, from, end - from).call(code));
        }
    }

    void add(Tensor y, Tensor x) {
        MemorySegment code = codes.get(new SumKey(DType.F32, false), () -> RowKernels.sum(bytes, DType.F32, false));
        elements(y, y, x, code);
    }

    void swiGlu(Tensor y, Tensor gate, Tensor up) {
        elements(y, gate, up, codes.get(new SwiGluKey(), () -> RowKernels.swiGlu(bytes)));
    }

    /** All elements as one row, cut at multiples of a register. */
    private void elements(Tensor y, Tensor x, Tensor second, MemorySegment code) {
        try (Borrowed borrowed = new Borrowed()) {
            Tensor to = borrowed.output(y);
            long source = borrowed.input(x).data().address();
            long other = borrowed.input(second).data().address();
            workers.inRanges(
                    y.shape().elementCount(),
                    GRAIN,
                    (arguments, from, end) -> arguments
                            .set(RowKernels.Y, to.data().address() + from * Float.BYTES)
                            .set(RowKernels.X, source + from * Float.BYTES)
                            .set(RowKernels.SECOND, other + from * Float.BYTES)
                            .set(RowKernels.COUNT, end - from)
                            .set(RowKernels.ROWS, 1)
                            .call(code));
        }
    }

    void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon) {
        if (x.columns() == 0) {
            return;
        }
        MemorySegment code = codes.get(new NormKey(weight.dtype()), () -> RowKernels.norm(bytes, weight.dtype()));
        try (Borrowed borrowed = new Borrowed()) {
            Tensor source = borrowed.input(x);
            Tensor to = borrowed.output(y);
            long gain = borrowed.input(weight).data().address();
            workers.inRanges(
                    x.rows(),
                    rowGrain(x.columns()),
                    (arguments, from, end) -> rows(arguments, to, source, gain, from, end - from)
                            .set(RowKernels.EPSILON, epsilon)
                            .set(RowKernels.INVERSE_COUNT, 1f / x.columns())
                            .call(code));
        }
    }

    private static ArgumentBlock rows(
            ArgumentBlock arguments, Tensor y, Tensor x, long second, long first, long count) {
        return arguments
                .set(RowKernels.Y, y.data().address() + first * y.rowBytes())
                .set(RowKernels.X, x.data().address() + first * x.rowBytes())
                .set(RowKernels.SECOND, second)
                .set(RowKernels.COUNT, x.columns())
                .set(RowKernels.ROWS, count);
    }

    void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        if (x.columns() == 0) {
            return;
        }
        MemorySegment code = codes.get(new RopeKey(pairing), () -> RowKernels.rope(bytes, pairing));
        try (Borrowed borrowed = new Borrowed()) {
            rope(
                    workers,
                    code,
                    borrowed.output(y),
                    borrowed.input(x),
                    borrowed.input(table.cos()),
                    borrowed.input(table.sin()),
                    table.headSize(),
                    positions);
        }
    }

    /** Runs {@code code}, a {@link RowKernels#rope}, on every row. */
    static void rope(
            Workers workers,
            MemorySegment code,
            Tensor y,
            Tensor x,
            Tensor cos,
            Tensor sin,
            int headSize,
            int[] positions) {
        workers.inRanges(x.rows(), rowGrain(x.columns()), (arguments, from, end) -> {
            arguments.set(RowKernels.PAIRS, headSize / 2).set(RowKernels.HEADS, x.columns() / headSize);
            for (long row = from; row < end; row++) {
                long angles = positions[(int) row] * cos.rowBytes();
                arguments
                        .set(RowKernels.Y, y.data().address() + row * y.rowBytes())
                        .set(RowKernels.X, x.data().address() + row * x.rowBytes())
                        .set(RowKernels.COS, cos.data().address() + angles)
                        .set(RowKernels.SIN, sin.data().address() + angles)
                        .call(code);
            }
        });
    }

    void embedding(Tensor y, Tensor table, int[] ids) {
        int width = Math.toIntExact(y.columns());
        if (ids.length == 0 || width == 0) {
            return;
        }
        if (!decodes(table.dtype())) {
            workers.threads().forRange(ids.length, rowGrain(width), (from, end) -> {
                float[] values = new float[width];
                for (long row = from; row < end; row++) {
                    Rows.decode(table.dtype(), table.data(), ids[(int) row] * table.rowBytes(), width, values, 0);
                    MemorySegment.copy(values, 0, y.data(), Tensor.F32_LE, row * y.rowBytes(), width);
                }
            });
            return;
        }
        MemorySegment code = decode(table.dtype());
        try (Borrowed borrowed = new Borrowed()) {
            Tensor from = borrowed.input(table);
            Tensor to = borrowed.output(y);
            workers.inRanges(ids.length, rowGrain(width), (arguments, first, end) -> {
                for (long row = first; row < end; row++) {
                    vectors(arguments, 1, 1, width)
                            .set(RowKernels.TO, to.data().address() + row * to.rowBytes())
                            .set(RowKernels.FROM, from.data().address() + ids[(int) row] * from.rowBytes())
                            .set(RowKernels.FACTOR, 1f)
                            .call(code);
                }
            });
        }
    }

    /** Sets how many vectors of how many elements; strides are 0. */
    static ArgumentBlock vectors(ArgumentBlock arguments, long outer, long inner, long elements) {
        return arguments
                .set(RowKernels.OUTER, outer)
                .set(RowKernels.INNER, inner)
                .set(RowKernels.COUNT, elements)
                .set(RowKernels.TO_INNER, 0)
                .set(RowKernels.TO_OUTER, 0)
                .set(RowKernels.FROM_INNER, 0)
                .set(RowKernels.FROM_OUTER, 0);
    }

    void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v) {
        if (k.shape().elementCount() == 0) {
            return;
        }
        DType dtype = cache.dtype();
        MemorySegment code = codes.get(new EncodeKey(dtype), () -> RowKernels.encode(bytes, dtype));
        int size = cache.headSize();
        try (Borrowed borrowed = new Borrowed()) {
            Tensor pool = borrowed.output(
                    new Tensor(cache.pool(), DType.U8, Shape.of(cache.pool().byteSize())));
            Tensor keys = borrowed.input(k);
            Tensor values = borrowed.input(v);
            long base = pool.data().address();
            workers.inRanges(k.rows(), rowGrain(k.columns()), (arguments, from, end) -> {
                // Runs of positions in one page; one after the other in each head's part of it.
                for (int row = (int) from; row < end; ) {
                    int position = firstPosition + row;
                    int run = (int) Math.min(end - row, cache.pageLength() - position % cache.pageLength());
                    vectors(arguments, cache.kvHeadCount(), run, size)
                            .set(RowKernels.TO_INNER, cache.vectorBytes())
                            .set(RowKernels.TO_OUTER, 2L * cache.pageLength() * cache.vectorBytes())
                            .set(RowKernels.FROM_INNER, k.rowBytes())
                            .set(RowKernels.FROM_OUTER, (long) size * Float.BYTES)
                            .set(RowKernels.TO, base + cache.keyOffset(0, position))
                            .set(RowKernels.FROM, keys.data().address() + row * k.rowBytes())
                            .call(code);
                    arguments
                            .set(RowKernels.TO, base + cache.valueOffset(0, position))
                            .set(RowKernels.FROM, values.data().address() + row * v.rowBytes())
                            .call(code);
                    row += run;
                }
            });
        }
    }
}
