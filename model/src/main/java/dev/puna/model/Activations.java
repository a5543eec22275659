package dev.puna.model;

import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;

/**
 * The memory of one forward pass, reused from layer to layer and from call to call: one slab for at most
 * {@code maxRows} rows.
 */
public final class Activations implements AutoCloseable {
    private final int maxRows;
    private final Slab slab;
    final Tensor x; // (N, C) the residual stream
    final Tensor h; // (N, C) its norm; then the output of a block
    final Tensor q; // (N, H·D)
    final Tensor k; // (N, KV·D)
    final Tensor v; // (N, KV·D)
    final Tensor rotatedQ; // (N, H·D)
    final Tensor rotatedK; // (N, KV·D)
    final Tensor gate; // (N, F)
    final Tensor up; // (N, F)

    public Activations(LlamaConfig config, int maxRows) {
        if (maxRows < 1) {
            throw new IllegalArgumentException("maxRows=" + maxRows);
        }
        this.maxRows = maxRows;
        this.slab = new Slab(byteSize(config, maxRows));
        this.x = slab.allocate(DType.F32, maxRows, config.width());
        this.h = slab.allocate(DType.F32, maxRows, config.width());
        this.q = slab.allocate(DType.F32, maxRows, config.queryWidth());
        this.k = slab.allocate(DType.F32, maxRows, config.kvWidth());
        this.v = slab.allocate(DType.F32, maxRows, config.kvWidth());
        this.rotatedQ = slab.allocate(DType.F32, maxRows, config.queryWidth());
        this.rotatedK = slab.allocate(DType.F32, maxRows, config.kvWidth());
        this.gate = slab.allocate(DType.F32, maxRows, config.feedForwardWidth());
        this.up = slab.allocate(DType.F32, maxRows, config.feedForwardWidth());
    }

    /** Bytes for that many rows. */
    public static long byteSize(LlamaConfig config, int maxRows) {
        return 2 * Slab.bytesFor(DType.F32, maxRows, config.width())
                + 2 * Slab.bytesFor(DType.F32, maxRows, config.queryWidth())
                + 3 * Slab.bytesFor(DType.F32, maxRows, config.kvWidth())
                + 2 * Slab.bytesFor(DType.F32, maxRows, config.feedForwardWidth());
    }

    public int maxRows() {
        return maxRows;
    }

    @Override
    public void close() {
        slab.close();
    }
}
