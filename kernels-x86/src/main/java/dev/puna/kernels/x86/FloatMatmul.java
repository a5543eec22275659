package dev.puna.kernels.x86;

import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.x86.Gemm.Operand;
import dev.puna.kernels.x86.Gemm.Target;
import dev.puna.kernels.x86.Gemm.Unit;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;

/** The products of weights that are plain numbers: {@code y = x · wᵀ} and its two gradients. */
final class FloatMatmul implements AutoCloseable {
    /** From this many rows on, packing the weights pays. */
    private static final int ROWS_FOR_PANELS = 32;

    /** Weights that a few rows read one after the other while they are in the cache. */
    private static final long SHARED_BYTES = 256 << 10;

    private final Workers workers;
    private final CodeCache codes;
    private final Gemm gemm;

    FloatMatmul(Workers workers, CodeCache codes, Gemm gemm) {
        this.workers = workers;
        this.codes = codes;
        this.gemm = gemm;
    }

    static boolean serves(DType dtype) {
        return dtype == DType.F32 || dtype == DType.F16 || dtype == DType.BF16;
    }

    /** Rows of the matrix run along k. */
    private static Operand along(Tensor matrix) {
        return new Operand(matrix.data().address(), matrix.rowBytes(), matrix.dtype(), true);
    }

    /** Columns of the matrix run along k. */
    private static Operand across(Tensor matrix) {
        return new Operand(matrix.data().address(), matrix.rowBytes(), matrix.dtype(), false);
    }

    private static Target target(Tensor matrix) {
        return new Target(matrix.data().address(), matrix.rowBytes());
    }

    private static void zeroIfNothingIsAdded(Tensor y, long k) {
        if (k == 0) {
            y.data().fill((byte) 0);
        }
    }

    /** {@code y (N, out) = x (N, in) · wᵀ}, {@code w} F32, F16 or BF16 (out, in). */
    void multiply(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        zeroIfNothingIsAdded(y, x.columns());
        if (x.rows() < ROWS_FOR_PANELS && x.columns() > 0 && gemm.unit(precision) == Unit.FMA) {
            stream(y, x, w);
            return;
        }
        gemm.multiply(target(y), x.rows(), w.rows(), x.columns(), along(x), along(w), false, gemm.unit(precision));
    }

    /** Weights pass once, in their own layout; the bits are those of packed products. */
    private void stream(Tensor y, Tensor x, Tensor w) {
        long out = w.rows();
        int rows = Math.toIntExact(x.rows());
        long together = rows <= FloatVectorProduct.MAX_TOKENS
                ? out
                : Math.max(1, SHARED_BYTES / (FloatVectorProduct.LANES * w.rowBytes())) * FloatVectorProduct.LANES;
        workers.inRanges(out, FloatVectorProduct.LANES, (arguments, from, to) -> {
            for (long first = from; first < to; first += together) {
                long last = Math.min(first + together, to);
                for (int row = 0; row < rows; row += FloatVectorProduct.MAX_TOKENS) {
                    int tokens = Math.min(FloatVectorProduct.MAX_TOKENS, rows - row);
                    long sixteens = (last - first) / FloatVectorProduct.LANES;
                    if (sixteens > 0) {
                        stream(arguments, y, x, w, row, tokens, first, FloatVectorProduct.LANES, sixteens);
                    }
                    int rest = (int) ((last - first) % FloatVectorProduct.LANES);
                    if (rest > 0) {
                        stream(arguments, y, x, w, row, tokens, last - rest, rest, 1);
                    }
                }
            }
        });
    }

    private void stream(
            ArgumentBlock arguments,
            Tensor y,
            Tensor x,
            Tensor w,
            int row,
            int tokens,
            long firstOut,
            int lanes,
            long sixteens) {
        int perBlock = FloatVectorProduct.Shape.elementsPerBlock(w.dtype());
        FloatVectorProduct.Shape shape =
                new FloatVectorProduct.Shape(w.dtype(), tokens, lanes, (int) (x.columns() % perBlock));
        arguments
                .set(FloatVectorProduct.W, w.data().address() + firstOut * w.rowBytes())
                .set(FloatVectorProduct.W_STRIDE, w.rowBytes())
                .set(FloatVectorProduct.SIXTEENS, sixteens)
                .set(FloatVectorProduct.BLOCKS, x.columns() / perBlock)
                .set(FloatVectorProduct.X, x.data().address() + row * x.rowBytes())
                .set(FloatVectorProduct.X_STRIDE, x.rowBytes())
                .set(FloatVectorProduct.Y, y.data().address() + row * y.rowBytes() + firstOut * Float.BYTES)
                .set(FloatVectorProduct.Y_STRIDE, y.rowBytes())
                .call(codes.get(shape, () -> FloatVectorProduct.code(shape)));
    }

    /** Until {@link #forget}, {@code w} stays as {@link #backwardInput} reads it; in fp32 that would be all of it twice. */
    void keep(Tensor w, ComputePrecision precision) {
        if (gemm.unit(precision).bf16()) {
            gemm.keep(across(w), w.columns(), w.rows(), gemm.unit(precision));
        }
    }

    /** What was kept may change. */
    void forget() {
        gemm.forget();
    }

    /** {@code dx (N, in) = dy (N, out) · w}, or added to dx. */
    void backwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        if (!accumulate) {
            zeroIfNothingIsAdded(dx, dy.columns());
        }
        gemm.multiply(
                target(dx), dy.rows(), w.columns(), w.rows(), along(dy), across(w), accumulate, gemm.unit(precision));
    }

    /** {@code dw (out, in) += dyᵀ · x}. */
    void backwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        gemm.multiply(
                target(dw), dy.columns(), x.columns(), dy.rows(), across(dy), across(x), true, gemm.unit(precision));
    }

    @Override
    public void close() {
        gemm.close();
    }
}
