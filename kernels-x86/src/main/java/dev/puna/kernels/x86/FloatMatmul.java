package dev.puna.kernels.x86;

import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.x86.Gemm.Operand;
import dev.puna.kernels.x86.Gemm.Target;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;

/** The products of weights that are plain numbers: {@code y = x · wᵀ} and its two gradients. */
final class FloatMatmul implements AutoCloseable {
    private final Gemm gemm;

    FloatMatmul(Gemm gemm) {
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
        gemm.multiply(target(y), x.rows(), w.rows(), x.columns(), along(x), along(w), false, gemm.unit(precision));
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
