package dev.puna.inference;

import dev.puna.kernels.KvView;
import dev.puna.model.KvSequence;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * Which pages hold the keys and values of one sequence. Pages may be shared with other sequences; before a position is
 * written, {@link #reserve} makes its page this sequence's own. For the engine's thread.
 */
final class PageTable implements KvSequence {
    private final PagePool pool;
    private final long root;
    private int[] pages = {};
    /** How many pages are known to others, and the chain they form. */
    private int published;

    private long chain;
    private KvView[] views;
    private int viewsOfGrowth;

    /**
     * @param root the start of the chain: sequences of another root (another adapter) share no pages with it
     * @param layerCount L
     */
    PageTable(PagePool pool, long root, int layerCount) {
        this.pool = pool;
        this.root = root;
        this.chain = root;
        this.views = new KvView[layerCount];
    }

    @Override
    public int capacity() {
        return pages.length * pool.pageLength();
    }

    int pageCount() {
        return pages.length;
    }

    @Override
    public KvView layer(int layer) {
        if (viewsOfGrowth != pool.growths()) {
            Arrays.fill(views, null);
            viewsOfGrowth = pool.growths();
        }
        if (views[layer] == null) {
            views[layer] = pool.view(layer, pages);
        }
        return views[layer];
    }

    private void changed(int[] value) {
        pages = value;
        Arrays.fill(views, null);
    }

    /**
     * Makes positions {@code [from, to)} writable.
     *
     * @return false if pages ran out; what was taken stays
     */
    boolean reserve(int from, int to) {
        int first = from / pool.pageLength();
        int end = Math.ceilDiv(to, pool.pageLength());
        for (int i = first; i < Math.min(end, pages.length); i++) {
            if (pool.shared(pages[i])) {
                OptionalInt own = pool.acquire();
                if (own.isEmpty()) {
                    return false;
                }
                pool.copy(pages[i], own.getAsInt());
                pool.release(pages[i]);
                int[] changed = pages.clone();
                changed[i] = own.getAsInt();
                changed(changed);
            }
        }
        while (pages.length < end) {
            OptionalInt page = pool.acquire();
            if (page.isEmpty()) {
                return false;
            }
            append(page.getAsInt());
        }
        return true;
    }

    private void append(int page) {
        int[] longer = Arrays.copyOf(pages, pages.length + 1);
        longer[pages.length] = page;
        changed(longer);
    }

    /** The key of the page that would hold the next unpublished positions; there must be that many ids. */
    PagePool.Key nextKey(int[] ids) {
        int from = published * pool.pageLength();
        return new PagePool.Key(chain, Arrays.copyOfRange(ids, from, from + pool.pageLength()));
    }

    /**
     * Takes known pages that hold the next positions, as long as they end at or before position {@code limit}. Only
     * while everything computed so far is published and fills its pages.
     *
     * @return the position after the last page
     */
    int adopt(int[] ids, int limit) {
        while ((published + 1) * pool.pageLength() <= limit) {
            OptionalInt known = pool.find(nextKey(ids));
            if (known.isEmpty()) {
                break;
            }
            int page = known.getAsInt();
            pool.retain(page);
            if (published < pages.length) { // reserved ahead, not yet written
                pool.release(pages[published]);
                int[] changed = pages.clone();
                changed[published] = page;
                changed(changed);
            } else {
                append(page);
            }
            chain = pool.chainOf(page);
            published++;
        }
        return published * pool.pageLength();
    }

    /** Makes the pages known that positions {@code 0 … done − 1} fill. */
    void publish(int[] ids, int done) {
        while ((published + 1) * pool.pageLength() <= done) {
            chain = pool.publish(pages[published], nextKey(ids));
            published++;
        }
    }

    /** Positions in published pages. */
    int publishedPositions() {
        return published * pool.pageLength();
    }

    /** Another sequence with the same first {@code positions}: it shares their pages until one of them writes. */
    PageTable fork(int positions) {
        PageTable fork = new PageTable(pool, root, views.length);
        int[] common = Arrays.copyOf(pages, Math.ceilDiv(positions, pool.pageLength()));
        for (int page : common) {
            pool.retain(page);
        }
        fork.changed(common);
        fork.published = published;
        fork.chain = chain;
        return fork;
    }

    /** Gives all pages back, the last first: so beginnings are remembered longest. */
    void free() {
        for (int i = pages.length - 1; i >= 0; i--) {
            pool.release(pages[i]);
        }
        changed(new int[0]);
        published = 0;
        chain = root;
    }
}
