package dev.puna.data.ngram;

import java.util.Arrays;

/** n-grams of one order as rows of word ids, found by open addressing. Not thread-safe while growing. */
final class NgramTable {
    final int order;
    int size;
    int[] words; // order ids a row
    private int[] slots = new int[1 << 10];

    NgramTable(int order) {
        this.order = order;
        this.words = new int[order << 9];
    }

    private static int hash(int[] words, int at, int order) {
        long h = order;
        for (int i = at; i < at + order; i++) {
            h = (h ^ words[i]) * 0x9E3779B97F4A7C15L;
            h ^= h >>> 32;
        }
        return (int) (h ^ (h >>> 29));
    }

    /** The row of the n-gram at {@code from[at, at + order)}, or -1. */
    int find(int[] from, int at) {
        int mask = slots.length - 1;
        int slot = hash(from, at, order) & mask;
        while (slots[slot] != 0) {
            int row = slots[slot] - 1;
            if (Arrays.equals(words, row * order, row * order + order, from, at, at + order)) {
                return row;
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
            slots = new int[slots.length * 2];
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
        int slot = hash(words, row * order, order) & mask;
        while (slots[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        slots[slot] = row + 1;
    }
}
