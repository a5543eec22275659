package dev.puna.tokenizer;

import java.util.Arrays;

/** A growing list of token ids without boxes. Not safe for several threads. */
public final class TokenBuffer {
    private int[] ids;
    private int size;

    /** An empty buffer. */
    public TokenBuffer() {
        this(256);
    }

    /** An empty buffer with room for {@code capacity} ids. */
    public TokenBuffer(int capacity) {
        ids = new int[Math.max(16, capacity)];
    }

    /** How many ids it holds. */
    public int size() {
        return size;
    }

    /** The id at {@code index}, from 0. */
    public int get(int index) {
        return ids[java.util.Objects.checkIndex(index, size)];
    }

    /** Appends one id. */
    public void add(int id) {
        if (size == ids.length) {
            reserve(1);
        }
        ids[size++] = id;
    }

    /** Appends all ids of an array. */
    public void addAll(int[] more) {
        reserve(more.length);
        System.arraycopy(more, 0, ids, size, more.length);
        size += more.length;
    }

    /** Forgets everything; keeps the memory. */
    public void clear() {
        size = 0;
    }

    /** The array behind it, valid up to {@link #size()} and until the next call that adds. */
    public int[] array() {
        return ids;
    }

    /** A copy of the ids. */
    public int[] toArray() {
        return Arrays.copyOf(ids, size);
    }

    /** Makes room for {@code more} further ids and returns the array behind. */
    int[] reserve(int more) {
        long needed = (long) size + more;
        if (needed > ids.length) {
            if (needed > Integer.MAX_VALUE - 64) {
                throw new IllegalStateException("more than 2^31 tokens in one buffer: encode in smaller parts");
            }
            ids = Arrays.copyOf(ids, (int)
                    Math.min(Integer.MAX_VALUE - 64, Math.max(needed, size + (size >> 1) + 256L)));
        }
        return ids;
    }

    /** Takes an array that was reserved here, or a grown copy of it, with so many ids. */
    void adopt(int[] grown, int newSize) {
        ids = grown;
        size = newSize;
    }

    @Override
    public String toString() {
        return Arrays.toString(toArray());
    }
}
