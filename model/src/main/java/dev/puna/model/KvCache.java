package dev.puna.model;

import dev.puna.kernels.KvView;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Keys and values of one sequence, in memory that it owns and that grows with the sequence: a context of 131,072 costs
 * what is used of it. The memory is a row of pages, each holding {@code pageLength} positions of all layers; so growing
 * copies one block of memory, and a pool of pages shared by many sequences has the same layout.
 *
 * <p>Not for concurrent use.
 */
public final class KvCache implements KvSequence, AutoCloseable {
    /** Positions in a page unless said otherwise. */
    public static final int PAGE_LENGTH = 256;

    private final LlamaConfig config;
    private final DType dtype;
    private final int pageLength;
    private final long layerPageBytes;
    private Slab slab = new Slab(0);
    private Tensor memory = slab.allocate(DType.I8, 0);
    private int pageCount;
    private KvView[] views;

    /** An empty cache of pages of {@link #PAGE_LENGTH}. */
    public KvCache(LlamaConfig config, DType dtype) {
        this(config, dtype, PAGE_LENGTH);
    }

    /**
     * @param dtype F32, F16, BF16 or Q8_0
     * @param pageLength a power of two
     */
    public KvCache(LlamaConfig config, DType dtype, int pageLength) {
        if (Integer.bitCount(pageLength) != 1) {
            throw new ConfigurationException("pageLength", pageLength, "must be a power of two");
        }
        switch (dtype) {
            case F32, F16, BF16 -> {}
            case Q8_0 -> {
                if (config.headSize() % dtype.blockSize() != 0) {
                    throw new ConfigurationException(
                            "kv",
                            dtype,
                            "needs heads of a multiple of 32 elements, this model's have " + config.headSize());
                }
            }
            case F64, I8, I16, I32, I64, U8, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS ->
                throw new ConfigurationException("kv", dtype, "use F32, F16, BF16 or Q8_0");
        }
        this.config = config;
        this.dtype = dtype;
        this.pageLength = pageLength;
        this.layerPageBytes = KvView.bytesPerPage(dtype, config.kvHeadCount(), config.headSize(), pageLength);
        this.views = new KvView[config.layerCount()];
    }

    public DType dtype() {
        return dtype;
    }

    @Override
    public int capacity() {
        return pageCount * pageLength;
    }

    /** Bytes that are allocated. */
    public long byteSize() {
        return memory.data().byteSize();
    }

    /**
     * Makes room for positions {@code 0 … positions − 1}; what was stored stays. At least doubles when it grows.
     *
     * @throws ConfigurationException if the model's context is shorter
     */
    public void reserve(int positions) {
        if (positions <= capacity()) {
            return;
        }
        if (positions > config.contextLength()) {
            throw new ConfigurationException(
                    "positions", positions, "the model's context is " + config.contextLength() + " tokens");
        }
        int limit = Math.ceilDiv(config.contextLength(), pageLength);
        int grown = Math.min(limit, Math.max(Math.ceilDiv(positions, pageLength), 2 * pageCount));
        long stride = layerPageBytes * config.layerCount();
        Slab larger = new Slab(stride * grown);
        Tensor largerMemory = larger.allocate(DType.I8, stride * grown);
        MemorySegment.copy(
                memory.data(), 0, largerMemory.data(), 0, memory.data().byteSize());
        slab.close();
        slab = larger;
        memory = largerMemory;
        pageCount = grown;
        int[] pages = new int[pageCount];
        Arrays.setAll(pages, i -> i);
        for (int layer = 0; layer < views.length; layer++) {
            views[layer] = new KvView(
                    memory.data().asSlice(layer * layerPageBytes),
                    dtype,
                    config.kvHeadCount(),
                    config.headSize(),
                    pageLength,
                    pages,
                    stride);
        }
    }

    @Override
    public KvView layer(int layer) {
        if (pageCount == 0) {
            throw new IllegalStateException("reserve positions first");
        }
        return views[layer];
    }

    /** Frees the memory; the cache is then empty and may be used again. Idempotent. */
    @Override
    public void close() {
        slab.close();
        slab = new Slab(0);
        memory = slab.allocate(DType.I8, 0);
        pageCount = 0;
        views = new KvView[config.layerCount()];
    }
}
