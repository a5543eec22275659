package dev.puna.kernels;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;

/**
 * Cosines and sines of the rotary embedding.
 *
 * @param cos F32 (positions, D/2)
 * @param sin F32 (positions, D/2)
 * @param headSize D, even
 */
public record RopeTable(Tensor cos, Tensor sin, int headSize) {
    public RopeTable {
        if (cos.dtype() != DType.F32
                || sin.dtype() != DType.F32
                || !cos.shape().equals(sin.shape())
                || headSize % 2 != 0
                || cos.columns() != headSize / 2) {
            throw new IllegalArgumentException("RoPE table for headSize=" + headSize + " needs two F32 (positions, "
                    + headSize / 2 + "), found " + cos + " and " + sin);
        }
    }

    public long positions() {
        return cos.rows();
    }
}
