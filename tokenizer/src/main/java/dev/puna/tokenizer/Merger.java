package dev.puna.tokenizer;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Merges one stretch of text from its smallest symbols (bytes, or characters) by a {@link MergeRule}: the definition of
 * byte-pair encoding, in three ways that give the same ids. A short stretch looks for the best pair again and again; a
 * long one keeps the pairs in a heap; when much long text has come, {@link LinearMerges} takes over where its
 * conditions hold. Scratch memory of one thread.
 */
final class Merger {
    /** Up to so many symbols the quadratic way is the fastest. */
    private static final int SHORT = 48;

    /** Longer stretches, in bytes, may go the linear way. */
    private static final int LONG = 64;

    /** So many bytes of long stretches come before the tables of the linear way are worth building. */
    private static final int LINEAR_PAYS_AFTER = 1 << 14;

    private final Vocabulary vocabulary;
    private final MergeRule rule;
    private final int @Nullable [] byteIds;
    private final LinearMerges.Source linear;
    private long longBytes;

    private int[] starts = new int[64];
    private int[] ids = new int[64];
    private long[] merges = new long[64];
    private int[] previous = new int[0];
    private int[] next = new int[0];
    private long[] heap = new long[0];
    private int heapSize;
    private long lastSplit;

    /**
     * A merger.
     *
     * @param byteIds the token of every single byte when bytes are the smallest symbols; null for characters
     */
    Merger(Vocabulary vocabulary, MergeRule rule, int @Nullable [] byteIds, LinearMerges.Source linear) {
        this.vocabulary = vocabulary;
        this.rule = rule;
        this.byteIds = byteIds;
        this.linear = linear;
    }

    /**
     * Merges {@code text[from, to)}, well-formed when characters are the symbols. Afterwards {@link #id} and
     * {@link #start} describe the result.
     *
     * @return how many symbols are left
     */
    int merge(byte[] text, int from, int to) {
        if (to - from > LONG) {
            longBytes += to - from;
            if (longBytes > LINEAR_PAYS_AFTER) {
                LinearMerges tables = linear.get();
                if (tables != null && tables.isExactFor(text, from, to)) {
                    return mergeLinear(tables, text, from, to);
                }
            }
        }
        int count = symbols(text, from, to);
        return count <= SHORT ? mergeShort(text, to, count) : mergeHeap(text, to, count);
    }

    /** Id of a symbol of the last result, -1 for a character without a token. */
    int id(int symbol) {
        return ids[symbol];
    }

    /** Where a symbol of the last result starts in the text. */
    int start(int symbol) {
        return starts[symbol];
    }

    private int symbols(byte[] text, int from, int to) {
        if (starts.length < to - from + 1) {
            grow(to - from + 1);
        }
        int count = 0;
        if (byteIds != null) {
            for (int at = from; at < to; at++) {
                starts[count] = at;
                ids[count++] = byteIds[text[at] & 0xFF];
            }
            return count;
        }
        int at = from;
        while (at < to) {
            int length = Utf8.characterLength(text, at, to);
            starts[count] = at;
            ids[count++] = vocabulary.find(text, at, at + length);
            at += length;
        }
        return count;
    }

    private void grow(int size) {
        int capacity = Math.max(size, 2 * starts.length);
        starts = Arrays.copyOf(starts, capacity);
        ids = Arrays.copyOf(ids, capacity);
        merges = Arrays.copyOf(merges, capacity);
    }

    /** The definition itself. */
    private int mergeShort(byte[] text, int to, int symbols) {
        int[] start = starts;
        int[] id = ids;
        long[] merge = merges;
        int count = symbols;
        start[count] = to;
        for (int i = 0; i + 1 < count; i++) {
            merge[i] = rule.merge(text, start[i], start[i + 2], id[i], id[i + 1]);
        }
        while (count > 1) {
            int best = 0;
            long bestMerge = merge[0];
            for (int i = 1; i < count - 1; i++) {
                if (merge[i] >>> 32 < bestMerge >>> 32) {
                    best = i;
                    bestMerge = merge[i];
                }
            }
            if (bestMerge == MergeRule.NONE) {
                break;
            }
            lastSplit = (long) id[best] << 32 | (id[best + 1] & 0xFFFF_FFFFL);
            id[best] = (int) bestMerge;
            int tail = count - best - 2;
            System.arraycopy(id, best + 2, id, best + 1, tail);
            System.arraycopy(start, best + 2, start, best + 1, tail + 1);
            System.arraycopy(merge, best + 2, merge, best + 1, tail);
            count--;
            if (best > 0) {
                merge[best - 1] = rule.merge(text, start[best - 1], start[best + 1], id[best - 1], id[best]);
            }
            if (best + 1 < count) {
                merge[best] = rule.merge(text, start[best], start[best + 2], id[best], id[best + 1]);
            }
        }
        return count;
    }

    /**
     * How a token comes about when its text stands alone: the two tokens of its last merge, left in the high half; -1
     * when its text does not become this token. Not for tokens of one symbol.
     */
    long split(byte[] text, int from, int to, int token) {
        int count = mergeShort(text, to, symbols(text, from, to));
        return count == 1 && ids[0] == token ? lastSplit : -1;
    }

    /** How many smallest symbols a text has. */
    int symbolCount(byte[] text, int from, int to) {
        return symbols(text, from, to);
    }

    /** Merges as {@link #merge} does, always with the heap. */
    int mergeByHeap(byte[] text, int from, int to) {
        return mergeHeap(text, to, symbols(text, from, to));
    }

    /** Merges as {@link #merge} does, always by the definition. */
    int mergeByDefinition(byte[] text, int from, int to) {
        return mergeShort(text, to, symbols(text, from, to));
    }

    /** The same with the candidates in a heap: O(n log n). A candidate is stale when its place has another rank now. */
    private int mergeHeap(byte[] text, int to, int count) {
        if (next.length < count + 1) {
            int capacity = Math.max(count + 1, 2 * next.length);
            next = new int[capacity];
            previous = new int[capacity];
            heap = new long[2 * capacity];
        }
        heapSize = 0;
        starts[count] = to;
        for (int i = 0; i < count; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        for (int i = 0; i < count; i++) {
            candidate(text, i, count);
        }
        while (heapSize > 0) {
            long top = pop();
            int left = (int) top;
            if (merges[left] == MergeRule.NONE || merges[left] >>> 32 != top >>> 32) {
                continue;
            }
            int right = next[left];
            int behind = next[right];
            ids[left] = (int) merges[left];
            merges[right] = MergeRule.NONE;
            next[left] = behind;
            previous[behind] = left;
            if (left > 0) {
                candidate(text, previous[left], count);
            }
            candidate(text, left, count);
        }
        int kept = 0;
        for (int i = 0; i < count; i = next[i]) {
            starts[kept] = starts[i];
            ids[kept++] = ids[i];
        }
        starts[kept] = to;
        return kept;
    }

    private void candidate(byte[] text, int left, int count) {
        int right = next[left];
        if (right == count) {
            merges[left] = MergeRule.NONE;
            return;
        }
        long merge = rule.merge(text, starts[left], starts[next[right]], ids[left], ids[right]);
        merges[left] = merge;
        if (merge != MergeRule.NONE) {
            push((merge & ~0xFFFF_FFFFL) | left);
        }
    }

    private void push(long entry) {
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, 2 * heapSize);
        }
        long[] entries = heap;
        int at = heapSize++;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (entries[parent] <= entry) {
                break;
            }
            entries[at] = entries[parent];
            at = parent;
        }
        entries[at] = entry;
    }

    private long pop() {
        long[] entries = heap;
        long top = entries[0];
        long last = entries[--heapSize];
        int at = 0;
        while (true) {
            int child = 2 * at + 1;
            if (child >= heapSize) {
                break;
            }
            if (child + 1 < heapSize && entries[child + 1] < entries[child]) {
                child++;
            }
            if (entries[child] >= last) {
                break;
            }
            entries[at] = entries[child];
            at = child;
        }
        entries[at] = last;
        return top;
    }

    /** The linear way; characters that have no token stay by themselves, for nothing merges with them. */
    int mergeLinear(LinearMerges tables, byte[] text, int from, int to) {
        if (starts.length < to - from + 1) {
            grow(to - from + 1);
        }
        int count = 0;
        int at = from;
        while (at < to) {
            int end = byteIds != null ? to : knownUntil(text, at, to);
            if (end > at) {
                count = tables.encode(text, at, end, starts, ids, count, rule);
                at = end;
            }
            if (at < to) {
                starts[count] = at;
                ids[count++] = Vocabulary.NONE;
                at += Utf8.characterLength(text, at, to);
            }
        }
        starts[count] = to;
        return count;
    }

    private int knownUntil(byte[] text, int from, int to) {
        int at = from;
        while (at < to) {
            int length = Utf8.characterLength(text, at, to);
            if (vocabulary.find(text, at, at + length) < 0) {
                return at;
            }
            at += length;
        }
        return at;
    }
}
