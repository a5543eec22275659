package dev.puna.tokenizer.train;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * How often each word occurs; a word is a string of bytes. Open addressing, all words in one array, about 30 bytes a
 * different word beside its own. Not thread-safe: each thread counts by itself, then {@link #addAll} joins.
 *
 * <p>Beyond {@code maxWords} different words those that have been seen once are forgotten, as often as needed, so that
 * memory stays bounded; {@link #forgotten} says how many occurrences that cost.
 */
public final class WordCounts {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final int maxWords;
    private int[] slots = new int[1 << 12]; // word + 1, or 0
    private int[] hashes = new int[1 << 11];
    private int[] starts = new int[(1 << 11) + 1];
    private long[] counts = new long[1 << 11];
    private byte[] bytes = new byte[1 << 15];
    private int size;
    private long forgotten;

    /** No words yet, and at most {@code maxWords} different ones at a time. */
    public WordCounts(int maxWords) {
        if (maxWords < 1) {
            throw new dev.puna.tensor.ConfigurationException("maxWords", maxWords, "use at least 1");
        }
        this.maxWords = maxWords;
    }

    /** No words yet, and at most 16 million different ones. */
    public WordCounts() {
        this(16 << 20);
    }

    /** Different words. */
    public int size() {
        return size;
    }

    /** Occurrences of words that were forgotten to keep memory bounded. */
    public long forgotten() {
        return forgotten;
    }

    /** How often word {@code index} occurred. */
    public long count(int index) {
        return counts[java.util.Objects.checkIndex(index, size)];
    }

    /** A copy of the bytes of word {@code index}. */
    public byte[] word(int index) {
        java.util.Objects.checkIndex(index, size);
        return Arrays.copyOfRange(bytes, starts[index], starts[index + 1]);
    }

    /** Counts {@code text[from, to)} once. */
    public void add(byte[] text, int from, int to) {
        add(text, from, to, 1);
    }

    /** Counts {@code text[from, to)} {@code times} times. */
    public void add(byte[] text, int from, int to, long times) {
        int length = to - from;
        int hash = hash(text, from, to);
        int[] table = slots;
        int mask = table.length - 1;
        int at = hash & mask;
        while (true) {
            int word = table[at] - 1;
            if (word < 0) {
                break;
            }
            if (hashes[word] == hash) {
                int start = starts[word];
                if (starts[word + 1] - start == length && Arrays.equals(bytes, start, start + length, text, from, to)) {
                    counts[word] += times;
                    return;
                }
            }
            at = (at + 1) & mask;
        }
        append(text, from, length, hash, times, at);
    }

    private void append(byte[] text, int from, int length, int hash, long times, int at) {
        if (size == maxWords) {
            forget();
            add(text, from, from + length, times);
            return;
        }
        if (size == counts.length) {
            int capacity = (int) Math.min(maxWords, counts.length * 2L);
            counts = Arrays.copyOf(counts, capacity);
            hashes = Arrays.copyOf(hashes, capacity);
            starts = Arrays.copyOf(starts, capacity + 1);
        }
        int start = starts[size];
        if (start > Integer.MAX_VALUE - 64 - length) {
            forget();
            add(text, from, from + length, times);
            return;
        }
        if (start + length > bytes.length) {
            bytes = Arrays.copyOf(
                    bytes, (int) Math.min(Integer.MAX_VALUE - 64, Math.max(start + length, bytes.length * 2L)));
        }
        System.arraycopy(text, from, bytes, start, length);
        starts[size + 1] = start + length;
        hashes[size] = hash;
        counts[size] = times;
        slots[at] = ++size;
        if (size * 2 > slots.length) {
            rehash(slots.length * 2);
        }
    }

    private void rehash(int capacity) {
        slots = new int[capacity];
        int mask = capacity - 1;
        for (int word = 0; word < size; word++) {
            int at = hashes[word] & mask;
            while (slots[at] != 0) {
                at = (at + 1) & mask;
            }
            slots[at] = word + 1;
        }
    }

    /** Forgets the rarest words until at most half of them are left. */
    private void forget() {
        long atMost = 1;
        while (true) {
            int kept = 0;
            for (int word = 0; word < size; word++) {
                kept += counts[word] > atMost ? 1 : 0;
            }
            if (kept <= maxWords / 2) {
                break;
            }
            atMost *= 2;
        }
        int to = 0;
        int end = 0;
        for (int word = 0; word < size; word++) {
            int start = starts[word];
            int length = starts[word + 1] - start;
            if (counts[word] <= atMost) {
                forgotten += counts[word];
                continue;
            }
            System.arraycopy(bytes, start, bytes, end, length);
            counts[to] = counts[word];
            hashes[to] = hashes[word];
            starts[to] = end;
            end += length;
            to++;
        }
        size = to;
        starts[size] = end;
        rehash(slots.length);
    }

    /** Adds all that another has counted. */
    public void addAll(WordCounts other) {
        forgotten += other.forgotten;
        for (int word = 0; word < other.size; word++) {
            add(other.bytes, other.starts[word], other.starts[word + 1], other.counts[word]);
        }
    }

    private static int hash(byte[] text, int from, int to) {
        long h = (to - from) * 0x9E3779B97F4A7C15L;
        int at = from;
        for (; at + 8 <= to; at += 8) {
            h = (h ^ (long) LONG.get(text, at)) * 0xFF51AFD7ED558CCDL;
            h ^= h >>> 32;
        }
        long tail = 0;
        for (; at < to; at++) {
            tail = (tail << 8) | (text[at] & 0xff);
        }
        h = (h ^ tail) * 0xC4CEB9FE1A85EC53L;
        return (int) (h ^ (h >>> 29) ^ (h >>> 47));
    }
}
