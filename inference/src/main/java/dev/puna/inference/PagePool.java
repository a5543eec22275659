package dev.puna.inference;

import dev.puna.kernels.KvView;
import dev.puna.model.LlamaConfig;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of all sequences, in pages of equal size (Kwon et al. 2023). A page holds {@code pageLength}
 * positions of every layer and is used by as many sequences as hold a reference to it. Full pages are published under
 * the tokens they hold and the page before them, so that a later sequence with the same beginning finds them; the keys
 * are compared whole, never by their hash alone. A page without a reference keeps its contents until room is needed: the
 * one that was used longest ago goes first.
 *
 * <p>The memory grows with use, by doubling, up to {@code pageLimit} pages; while it grows, old and new stand side by
 * side. For one thread, the engine's.
 */
final class PagePool implements AutoCloseable {
    /** What a published page holds: its tokens, after those of the chain of pages before it. */
    record Key(long parent, int[] ids) {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Key key && parent == key.parent && Arrays.equals(ids, key.ids);
        }

        @Override
        public int hashCode() {
            return 31 * Arrays.hashCode(ids) + Long.hashCode(parent);
        }
    }

    private static final int FIRST_PAGES = 64;

    private final LlamaConfig config;
    private final DType dtype;
    private final int pageLength;
    private final int pageLimit;
    private final long layerBytes;
    private final long pageBytes;
    private Slab slab = new Slab(0);
    private MemorySegment memory = slab.allocate(DType.I8, 0).data();
    private int pageCount;
    private int growths;
    private int[] references = {};
    private @Nullable Key[] keys = {};
    private long[] chains = {};
    private int[] free = {};
    private int freeCount;
    private final Map<Key, Integer> published = new HashMap<>();
    /** Published pages without a reference, the one used longest ago first. */
    private final LinkedHashSet<Integer> idle = new LinkedHashSet<>();

    private long nextChain;

    PagePool(LlamaConfig config, DType dtype, int pageLength, int pageLimit) {
        this.config = config;
        this.dtype = dtype;
        this.pageLength = pageLength;
        this.pageLimit = pageLimit;
        this.layerBytes = KvView.bytesPerPage(dtype, config.kvHeadCount(), config.headSize(), pageLength);
        this.pageBytes = layerBytes * config.layerCount();
    }

    /** Bytes of one page of all layers. */
    static long pageBytes(LlamaConfig config, DType dtype, int pageLength) {
        return config.layerCount() * KvView.bytesPerPage(dtype, config.kvHeadCount(), config.headSize(), pageLength);
    }

    int pageLength() {
        return pageLength;
    }

    int pageLimit() {
        return pageLimit;
    }

    /** Pages with a reference. */
    int used() {
        return pageCount - freeCount - idle.size();
    }

    /** Pages without a reference whose contents may be found again. */
    int cached() {
        return idle.size();
    }

    /** Pages that {@link #acquire} can give. */
    int available() {
        return pageLimit - used();
    }

    /** How often the memory has moved: views of an earlier count are stale. */
    int growths() {
        return growths;
    }

    /** The start of a chain that shares nothing with any other. */
    long newChain() {
        return nextChain++;
    }

    /** A page with one reference and any contents; empty when all are referenced. */
    OptionalInt acquire() {
        if (freeCount == 0 && pageCount < pageLimit) {
            grow();
        }
        if (freeCount == 0) {
            if (idle.isEmpty()) {
                return OptionalInt.empty();
            }
            int oldest = idle.removeFirst();
            forget(oldest);
            references[oldest] = 1;
            return OptionalInt.of(oldest);
        }
        int page = free[--freeCount];
        references[page] = 1;
        return OptionalInt.of(page);
    }

    void retain(int page) {
        if (references[page]++ == 0) {
            idle.remove(page);
        }
    }

    void release(int page) {
        if (references[page] <= 0) {
            throw new IllegalStateException("page " + page + " was released twice");
        }
        if (--references[page] == 0) {
            if (keys[page] == null) {
                free[freeCount++] = page;
            } else {
                idle.add(page);
            }
        }
    }

    boolean shared(int page) {
        return references[page] > 1;
    }

    /** The page with these contents, if there is one; no reference is taken. */
    OptionalInt find(Key key) {
        Integer page = published.get(key);
        return page == null ? OptionalInt.empty() : OptionalInt.of(page);
    }

    /** The chain that a published page ends. */
    long chainOf(int page) {
        return chains[page];
    }

    /**
     * Makes a full page known. Where another page has the same contents already, that one stays known.
     *
     * @return the chain that ends with these contents
     */
    long publish(int page, Key key) {
        Integer known = published.putIfAbsent(key, page);
        if (known != null) {
            return chains[known];
        }
        keys[page] = key;
        chains[page] = newChain();
        return chains[page];
    }

    private void forget(int page) {
        Key key = keys[page];
        if (key != null) {
            published.remove(key);
            keys[page] = null;
        }
    }

    void copy(int from, int to) {
        MemorySegment.copy(memory, from * pageBytes, memory, to * pageBytes, pageBytes);
    }

    KvView view(int layer, int[] pages) {
        return new KvView(
                memory.asSlice(layer * layerBytes),
                dtype,
                config.kvHeadCount(),
                config.headSize(),
                pageLength,
                pages,
                pageBytes);
    }

    private void grow() {
        int grown = Math.min(pageLimit, Math.max(FIRST_PAGES, 2 * pageCount));
        Slab larger = new Slab(pageBytes * grown);
        MemorySegment largerMemory =
                larger.allocate(DType.I8, pageBytes * grown).data();
        MemorySegment.copy(memory, 0, largerMemory, 0, memory.byteSize());
        slab.close();
        slab = larger;
        memory = largerMemory;
        references = Arrays.copyOf(references, grown);
        keys = Arrays.copyOf(keys, grown);
        chains = Arrays.copyOf(chains, grown);
        free = Arrays.copyOf(free, grown);
        for (int page = grown - 1; page >= pageCount; page--) {
            free[freeCount++] = page;
        }
        pageCount = grown;
        growths++;
    }

    @Override
    public void close() {
        slab.close();
    }
}
