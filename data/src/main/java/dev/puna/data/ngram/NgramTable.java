package dev.puna.data.ngram;

import java.util.Arrays;

/** n-grams of one order as rows of word ids, found by open addressing. Not thread-safe while growing. */
final class NgramTable {
    final int order;
    int size;
    int[] words; // order ids a row
    private long[] slots = new long[1 << 10]; // leading half of the hash, row + 1; 0 is empty

    NgramTable(int order) {
        this.order = order;
        this.words = new int[order << 9];
    }

    /** The hash of an n-gram, from that of its last n-1 words and its first one; 0 is the hash of no words. */
    static long hash(long ofTheRest, int word) {
        long h = (ofTheRest ^ (word + 1)) * 0x9E3779B97F4A7C15L;
        return h ^ (h >>> 32);
    }

    static long hash(int[] words, int at, int order) {
        long h = 0;
        for (int i = at + order - 1; i >= at; i--) {
            h = hash(h, words[i]);
        }
        return h;
    }

    /** The row of the n-gram at {@code from[at, at + order)}, or -1. */
    int find(int[] from, int at) {
        long hash = hash(from, at, order);
        long[] table = slots;
        int mask = table.length - 1;
        int slot = (int) hash & mask;
        for (long entry = table[slot]; entry != 0; entry = table[slot]) {
            if (((entry ^ hash) >>> 32) == 0) {
                int row = (int) entry - 1;
                if (Arrays.equals(words, row * order, row * order + order, from, at, at + order)) {
                    return row;
                }
            }
            slot = (slot + 1) & mask;
        }
        return -1;
    }

    /** The row of an n-gram, added when it is new. */
    int add(int[] from, int at) {
        int row = find(from, at);
        if (row >= 0) {
            return row;
        }
        if ((size + 1) * order > words.length) {
            words = Arrays.copyOf(words, (int) Math.min(Integer.MAX_VALUE - 64, 2L * words.length));
        }
        System.arraycopy(from, at, words, size * order, order);
        size++;
        if (size * 2 > slots.length) {
            slots = new long[slots.length * 2];
            for (int r = 0; r < size; r++) {
                insert(r);
            }
        } else {
            insert(size - 1);
        }
        return size - 1;
    }

    private void insert(int row) {
        int mask = slots.length - 1;
        long hash = hash(words, row * order, order);
        int slot = (int) hash & mask;
        while (slots[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        slots[slot] = (hash & 0xFFFF_FFFF_0000_0000L) | (row + 1);
    }
}
