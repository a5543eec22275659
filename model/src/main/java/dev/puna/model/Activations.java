package dev.puna.model;

import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
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
    private final int widest;
    private Slab adapterSlab = new Slab(0);
    private long adapterRank;

    public Activations(LlamaConfig config, int maxRows) {
        if (maxRows < 1) {
            throw new IllegalArgumentException("maxRows=" + maxRows);
        }
        this.maxRows = maxRows;
        this.widest = Math.max(config.feedForwardWidth(), Math.max(config.width(), config.queryWidth()));
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

    /** Room for what adapters compute: (rows, rank) and (rows, out), until the next call. Made when first needed. */
    Tensor[] adapter(long rows, long rank, long out) {
        if (rank > adapterRank) {
            Slab larger = new Slab(Slab.bytesFor(DType.F32, maxRows, rank) + Slab.bytesFor(DType.F32, maxRows, widest));
            adapterSlab.close();
            adapterSlab = larger;
            adapterRank = rank;
        }
        long first = Slab.bytesFor(DType.F32, maxRows, adapterRank);
        return new Tensor[] {
            new Tensor(
                    adapterSlab.whole().asSlice(0, DType.F32.byteSize(rows * rank)), DType.F32, Shape.of(rows, rank)),
            new Tensor(
                    adapterSlab.whole().asSlice(first, DType.F32.byteSize(rows * out)), DType.F32, Shape.of(rows, out))
        };
    }

    @Override
    public void close() {
        adapterSlab.close();
        slab.close();
    }
}
