package dev.puna.kernels;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.util.List;

/**
 * What every tier checks at the door, so that its loops need not: one method per operation of {@link Kernels}. Each
 * throws an {@link IllegalArgumentException} that names the operation and the shapes that do not fit.
 */
public final class KernelArguments {
    private KernelArguments() {}

    public static void matmul(Tensor y, Tensor x, Tensor w) {
        activations("matmul", "y", y);
        activations("matmul", "x", x);
        inHostMemory("matmul", "w", w);
        if (w.shape().rank() != 2 || x.columns() != w.columns() || y.columns() != w.rows() || y.rows() != x.rows()) {
            throw new IllegalArgumentException(
                    "matmul y (N, out) = x (N, in) · w (out, in)ᵀ: y " + y + ", x " + x + ", w " + w);
        }
    }

    public static void matmul(List<Tensor> y, Tensor x, List<Tensor> w) {
        if (y.size() != w.size()) {
            throw new IllegalArgumentException("matmul: " + y.size() + " results for " + w.size() + " weights");
        }
        for (int i = 0; i < w.size(); i++) {
            matmul(y.get(i), x, w.get(i));
        }
    }

    public static void addBias(Tensor y, Tensor bias) {
        activations("addBias", "y", y);
        vector("addBias", "bias", bias, y);
    }

    public static void add(Tensor y, Tensor x) {
        activations("add", "y", y);
        activations("add", "x", x);
        sameShape("add", "y", y, "x", x);
    }

    public static void embedding(Tensor y, Tensor table, int[] ids) {
        activations("embedding", "y", y);
        inHostMemory("embedding", "table", table);
        if (y.columns() != table.columns() || y.rows() != ids.length) {
            throw new IllegalArgumentException("embedding of " + ids.length + " ids: y " + y + ", table " + table);
        }
        for (int id : ids) {
            if (id < 0 || id >= table.rows()) {
                throw new IllegalArgumentException("embedding: id " + id + " is not in table " + table);
            }
        }
    }

    public static void rmsNorm(Tensor y, Tensor x, Tensor weight) {
        activations("rmsNorm", "y", y);
        activations("rmsNorm", "x", x);
        sameShape("rmsNorm", "y", y, "x", x);
        vector("rmsNorm", "weight", weight, y);
    }

    public static void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        activations("rope", "y", y);
        activations("rope", "x", x);
        sameShape("rope", "y", y, "x", x);
        if (x.columns() % table.headSize() != 0 || x.rows() != positions.length) {
            throw new IllegalArgumentException(
                    "rope of " + positions.length + " positions with headSize=" + table.headSize() + ": x " + x);
        }
        if (pairing == RopePairing.INTERLEAVED
                && y.data().asOverlappingSlice(x.data()).isPresent()) {
            throw new IllegalArgumentException("rope with " + pairing + " pairs reorders: y must not be x");
        }
        for (int position : positions) {
            if (position < 0 || position >= table.positions()) {
                throw new IllegalArgumentException(
                        "rope: position " + position + " is not in a table of " + table.positions());
            }
        }
    }

    public static void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v) {
        activations("storeKv", "k", k);
        activations("storeKv", "v", v);
        sameShape("storeKv", "k", k, "v", v);
        if (k.columns() != (long) cache.kvHeadCount() * cache.headSize()) {
            throw new IllegalArgumentException(
                    "storeKv: a cache of " + cache.kvHeadCount() + " heads of " + cache.headSize() + ", k " + k);
        }
        positions("storeKv", cache, firstPosition, k.rows());
    }

    public static void attention(Tensor y, Tensor q, List<AttentionSpan> spans) {
        activations("attention", "y", y);
        activations("attention", "q", q);
        sameShape("attention", "y", y, "q", q);
        long rows = 0;
        for (AttentionSpan span : spans) {
            KvView cache = span.cache();
            if (q.columns() % cache.headSize() != 0 || q.columns() / cache.headSize() % cache.kvHeadCount() != 0) {
                throw new IllegalArgumentException("attention: q " + q + " does not divide into heads of "
                        + cache.headSize() + " for " + cache.kvHeadCount() + " key/value heads");
            }
            if (cache.headSize() != spans.getFirst().cache().headSize()) {
                throw new IllegalArgumentException("attention: spans with heads of "
                        + spans.getFirst().cache().headSize() + " and of " + cache.headSize());
            }
            positions("attention", cache, span.firstPosition(), span.rowCount());
            rows += span.rowCount();
        }
        if (rows != q.rows()) {
            throw new IllegalArgumentException("attention: spans of " + rows + " rows together, q " + q);
        }
    }

    public static void swiGlu(Tensor y, Tensor gate, Tensor up) {
        activations("swiGlu", "y", y);
        activations("swiGlu", "gate", gate);
        activations("swiGlu", "up", up);
        sameShape("swiGlu", "y", y, "gate", gate);
        sameShape("swiGlu", "y", y, "up", up);
    }

    public static void dequantize(Tensor y, Tensor x) {
        activations("dequantize", "y", y);
        inHostMemory("dequantize", "x", x);
        sameShape("dequantize", "y", y, "x", x);
    }

    public static void quantize(Tensor y, Tensor x) {
        activations("quantize", "x", x);
        inHostMemory("quantize", "y", y);
        sameShape("quantize", "y", y, "x", x);
        switch (y.dtype()) {
            case F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K -> {}
            case F64, I8, I16, I32, I64, U8, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
                throw new IllegalArgumentException("quantize: no quantizer for " + y.dtype()
                        + "; there is one for F32, F16, BF16, Q8_0, Q4_0," + " Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K");
        }
    }

    private static void activations(String operation, String name, Tensor tensor) {
        if (tensor.dtype() != DType.F32) {
            throw new IllegalArgumentException(operation + ": " + name + " must be F32, found " + tensor);
        }
        inHostMemory(operation, name, tensor);
    }

    private static void inHostMemory(String operation, String name, Tensor tensor) {
        if (tensor.data().byteSize() == 0 && tensor.shape().elementCount() != 0) {
            throw new IllegalArgumentException(operation + ": " + name + " " + tensor + " lies in device memory");
        }
    }

    private static void sameShape(String operation, String a, Tensor first, String b, Tensor second) {
        if (first.rows() != second.rows() || first.columns() != second.columns()) {
            throw new IllegalArgumentException(
                    operation + ": " + a + " " + first + " and " + b + " " + second + " differ in shape");
        }
    }

    /** One element per column of {@code rows}, in a plain float type. */
    private static void vector(String operation, String name, Tensor tensor, Tensor rows) {
        DType dtype = tensor.dtype();
        inHostMemory(operation, name, tensor);
        if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
            throw new IllegalArgumentException(operation + ": " + name + " must be F32, F16 or BF16, found " + tensor);
        }
        if (tensor.shape().elementCount() != rows.columns()) {
            throw new IllegalArgumentException(operation + ": " + name + " " + tensor + " for rows of " + rows);
        }
    }

    private static void positions(String operation, KvView cache, int first, long count) {
        DType dtype = cache.dtype();
        if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16 && dtype != DType.Q8_0) {
            throw new IllegalArgumentException(operation + ": a cache is F32, F16, BF16 or Q8_0, found " + dtype);
        }
        if (first < 0 || first + count > cache.capacity()) {
            throw new IllegalArgumentException(operation + ": positions " + first + " … " + (first + count)
                    + " do not fit a cache of " + cache.capacity());
        }
        if (count == 0) {
            return;
        }
        long pageBytes = KvView.bytesPerPage(dtype, cache.kvHeadCount(), cache.headSize(), cache.pageLength());
        long lastPage = (first + count - 1) / cache.pageLength();
        for (int i = 0; i <= lastPage; i++) {
            int page = cache.pages()[i];
            if (page < 0
                    || page * cache.pageStrideBytes() + pageBytes > cache.pool().byteSize()) {
                throw new IllegalArgumentException(operation + ": page " + page + " lies outside a pool of "
                        + cache.pool().byteSize() + " bytes");
            }
        }
    }
}
