package dev.puna.kernels;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;

/** What the training operations of every tier check at the door, as {@link KernelArguments} for the others. */
public final class TrainingArguments {
    private TrainingArguments() {}

    /** {@code y = x · wᵀ} or one of its backward forms. */
    public static void matmul(String operation, Tensor y, Tensor x, Tensor w) {
        plain(operation, "y", y);
        plain(operation, "x", x);
        plain(operation, "w", w);
        if (x.columns() != w.columns() || y.columns() != w.rows() || y.rows() != x.rows()) {
            throw new IllegalArgumentException(
                    operation + " of y (N, out) = x (N, in) · w (out, in)ᵀ: y " + y + ", x " + x + ", w " + w);
        }
    }

    public static void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        plain("embeddingBackward", "dtable", dtable);
        plain("embeddingBackward", "dy", dy);
        if (dy.columns() != dtable.columns() || dy.rows() != ids.length) {
            throw new IllegalArgumentException(
                    "embeddingBackward of " + ids.length + " ids: dy " + dy + ", dtable " + dtable);
        }
        for (int id : ids) {
            if (id < 0 || id >= dtable.rows()) {
                throw new IllegalArgumentException("embeddingBackward: id " + id + " is not in dtable " + dtable);
            }
        }
    }

    public static void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight) {
        plain("rmsNormBackward", "x", x);
        sameShape("rmsNormBackward", "dx", dx, "x", x);
        sameShape("rmsNormBackward", "dy", dy, "x", x);
        for (Tensor vector : new Tensor[] {dweight, weight}) {
            plain("rmsNormBackward", "weight", vector);
            if (vector.shape().elementCount() != x.columns()) {
                throw new IllegalArgumentException("rmsNormBackward: weight " + vector + " for rows of " + x);
            }
        }
    }

    public static void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        plain("ropeBackward", "dy", dy);
        sameShape("ropeBackward", "dx", dx, "dy", dy);
        if (dy.columns() % table.headSize() != 0 || dy.rows() != positions.length) {
            throw new IllegalArgumentException("ropeBackward of " + positions.length + " positions with headSize="
                    + table.headSize() + ": dy " + dy);
        }
        if (pairing == RopePairing.INTERLEAVED
                && dx.data().asOverlappingSlice(dy.data()).isPresent()) {
            throw new IllegalArgumentException("ropeBackward with " + pairing + " pairs reorders: dx must not be dy");
        }
        for (int position : positions) {
            if (position < 0 || position >= table.positions()) {
                throw new IllegalArgumentException(
                        "ropeBackward: position " + position + " is not in a table of " + table.positions());
            }
        }
    }

    public static void attention(
            String operation,
            Tensor y,
            Tensor logSumExp,
            Tensor q,
            Tensor k,
            Tensor v,
            int headSize,
            int[] firstVisible) {
        plain(operation, "q", q);
        plain(operation, "logSumExp", logSumExp);
        sameShape(operation, "y", y, "q", q);
        plain(operation, "k", k);
        sameShape(operation, "k", k, "v", v);
        if (headSize < 1
                || q.columns() % headSize != 0
                || k.columns() == 0
                || k.columns() % headSize != 0
                || q.columns() % k.columns() != 0
                || k.rows() != q.rows()) {
            throw new IllegalArgumentException(operation + " with headSize=" + headSize + ": q " + q + ", k " + k);
        }
        if (logSumExp.rows() != q.rows() || logSumExp.columns() != q.columns() / headSize) {
            throw new IllegalArgumentException(operation + ": logSumExp " + logSumExp + " for q " + q);
        }
        if (firstVisible.length != q.rows()) {
            throw new IllegalArgumentException(
                    operation + ": " + firstVisible.length + " visible beginnings for q " + q);
        }
        int previous = 0;
        for (int row = 0; row < firstVisible.length; row++) {
            int first = firstVisible[row];
            if (first < previous || first > row) {
                throw new IllegalArgumentException(operation + ": row " + row + " sees from row " + first
                        + "; it must be from " + previous + " to " + row);
            }
            previous = first;
        }
    }

    public static void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        plain("swiGluBackward", "dy", dy);
        sameShape("swiGluBackward", "dgate", dgate, "dy", dy);
        sameShape("swiGluBackward", "dup", dup, "dy", dy);
        sameShape("swiGluBackward", "gate", gate, "dy", dy);
        sameShape("swiGluBackward", "up", up, "dy", dy);
    }

    public static void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets) {
        plain("crossEntropy", "logits", logits);
        plain("crossEntropy", "losses", losses);
        plain("crossEntropy", "logSumExp", logSumExp);
        if (targets.length != logits.rows()
                || losses.shape().elementCount() != targets.length
                || logSumExp.shape().elementCount() != targets.length) {
            throw new IllegalArgumentException("crossEntropy of " + targets.length + " targets: logits " + logits
                    + ", losses " + losses + ", logSumExp " + logSumExp);
        }
        for (int target : targets) {
            if (target != Kernels.IGNORED && (target < 0 || target >= logits.columns())) {
                throw new IllegalArgumentException("crossEntropy: target " + target + " is not in logits " + logits);
            }
        }
    }

    public static void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient) {
        plain("adamW", "w", w);
        sameShape("adamW", "m", m, "w", w);
        sameShape("adamW", "v", v, "w", w);
        sameShape("adamW", "gradient", gradient, "w", w);
    }

    /** Both in the same shape and of a type that training computes in. */
    public static void sameShape(String operation, String a, Tensor first, String b, Tensor second) {
        plain(operation, a, first);
        if (first.rows() != second.rows() || first.columns() != second.columns()) {
            throw new IllegalArgumentException(
                    operation + ": " + a + " " + first + " and " + b + " " + second + " differ in shape");
        }
    }

    private static void plain(String operation, String name, Tensor tensor) {
        if (tensor.dtype() != DType.F32 && tensor.dtype() != DType.F64) {
            throw new IllegalArgumentException(operation + ": " + name + " must be F32, found " + tensor);
        }
        if (tensor.data().byteSize() == 0 && tensor.shape().elementCount() != 0) {
            throw new IllegalArgumentException(operation + ": " + name + " " + tensor + " lies in device memory");
        }
    }
}
