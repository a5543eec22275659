package dev.puna.tokenizer.train;

import java.util.Arrays;

/**
 * Merges the most frequent pair of neighbouring symbols, again and again.
 *
 * <p>Every pair knows its count; a heap holds candidates, each a pair with the words in which it appeared at one moment.
 * Counts change while other pairs merge, and a candidate that comes to the top with a count that is no longer true goes
 * back with the true one: counts only fall, so the top is never too small. A merge visits only the words of its
 * candidate. Cost: the symbols of all different words once, then what changes.
 *
 * <p>Pairs that share a symbol all count, as in the Hugging Face library and in sentencepiece since 0.2.1: {@code aaa}
 * holds {@code aa} twice, though only one of them can merge.
 */
final class PairMerger {
    /** What differs between the kinds of training. */
    interface Rule {
        /** Whether a pair may ever merge; pairs that may not are never counted. */
        boolean allows(int left, int right);

        /** Which of two pairs with the same count comes first: negative when the first does. */
        int compareTie(int left1, int right1, int left2, int right2);

        /** The symbol that a merge makes, new or old; negative to leave this pair unmerged for good. */
        int merge(int left, int right, long count);

        /** Whether training is complete. */
        boolean complete();
    }

    private final Rule rule;
    private final int[] symbols;
    private final int[] starts;
    private final int[] lengths;
    private final long[] counts;

    // Pairs: an open-addressing table from (left, right) to an index of the arrays.
    private int[] slots = new int[1 << 16];
    private long[] pairs = new long[1 << 15];
    private long[] pairCounts = new long[1 << 15];
    private int[] openCandidate = new int[1 << 15]; // candidate that collects words in this round
    private int pairCount;

    // Candidates, and a binary heap of them.
    private int[] candidatePair = new int[1 << 15];
    private long[] candidateCount = new long[1 << 15];
    private int[][] candidateWords = new int[1 << 15][];
    private int[] candidateSize = new int[1 << 15];
    private int candidateNumber;
    private int[] heap = new int[1 << 15];
    private int heapSize;
    private int roundStart; // first candidate of this round

    // Candidates below the threshold wait outside the heap: most of them never get to its top.
    private long threshold = Long.MAX_VALUE;
    private int[] waiting = new int[1 << 12];
    private int waitingSize;

    /**
     * @param symbols the symbols of all words; overwritten
     * @param starts where each word begins, and the end
     * @param counts how often each word occurs
     */
    PairMerger(int[] symbols, int[] starts, long[] counts, Rule rule) {
        this.symbols = symbols;
        this.starts = starts;
        this.counts = counts;
        this.rule = rule;
        this.lengths = new int[counts.length];
    }

    void run() {
        for (int w = 0; w < counts.length; w++) {
            int start = starts[w];
            int length = starts[w + 1] - start;
            lengths[w] = length;
            long count = counts[w];
            for (int i = start + 1; i < start + length; i++) {
                change(symbols[i - 1], symbols[i], count, w);
            }
        }
        closeRound();
        while (!rule.complete()) {
            if (heapSize == 0) {
                if (waitingSize == 0) {
                    break;
                }
                lowerThreshold();
                continue;
            }
            int candidate = pop();
            int pair = candidatePair[candidate];
            int left = (int) (pairs[pair] >>> 32);
            int right = (int) pairs[pair];
            long now = pairCounts[pair];
            if (now != candidateCount[candidate]) {
                if (now > 0) {
                    candidateCount[candidate] = now;
                    offer(candidate);
                }
                continue;
            }
            if (now < 1) {
                break;
            }
            int merged = rule.merge(left, right, now);
            if (merged >= 0) {
                roundStart = candidateNumber;
                int[] words = candidateWords[candidate];
                for (int i = 0; i < candidateSize[candidate]; i++) {
                    mergeIn(words[i], left, right, merged);
                }
                closeRound();
            }
            candidateWords[candidate] = null;
        }
    }

    private void mergeIn(int word, int left, int right, int merged) {
        int[] s = symbols;
        int start = starts[word];
        int end = start + lengths[word];
        long count = counts[word];
        int to = start;
        int from = start;
        while (from < end) {
            int symbol = s[from];
            if (symbol == left && from + 1 < end && s[from + 1] == right) {
                if (to > start) {
                    change(s[to - 1], left, -count, word);
                    change(s[to - 1], merged, count, word);
                }
                from += 2;
                s[to++] = merged;
                if (from < end) {
                    change(right, s[from], -count, word);
                    change(merged, s[from], count, word);
                }
            } else {
                s[to++] = symbol;
                from++;
            }
        }
        lengths[word] = to - start;
    }

    /** Adds to the count of a pair; when it rises, the word becomes one of its new candidate's. */
    private void change(int left, int right, long by, int word) {
        int pair = pair(left, right, by > 0);
        if (pair < 0) {
            return;
        }
        pairCounts[pair] += by;
        if (by <= 0) {
            return;
        }
        int candidate = openCandidate[pair];
        if (candidate < roundStart) {
            candidate = newCandidate(pair);
        }
        int[] words = candidateWords[candidate];
        int size = candidateSize[candidate];
        if (size > 0 && words[size - 1] == word) {
            return;
        }
        if (size == words.length) {
            words = Arrays.copyOf(words, size * 2);
            candidateWords[candidate] = words;
        }
        words[size] = word;
        candidateSize[candidate] = size + 1;
    }

    private int newCandidate(int pair) {
        if (candidateNumber == candidatePair.length) {
            int capacity = candidateNumber * 2;
            candidatePair = Arrays.copyOf(candidatePair, capacity);
            candidateCount = Arrays.copyOf(candidateCount, capacity);
            candidateWords = Arrays.copyOf(candidateWords, capacity);
            candidateSize = Arrays.copyOf(candidateSize, capacity);
        }
        candidatePair[candidateNumber] = pair;
        candidateWords[candidateNumber] = new int[2];
        openCandidate[pair] = candidateNumber;
        return candidateNumber++;
    }

    private int pair(int left, int right, boolean create) {
        long key = ((long) left << 32) | right;
        int mask = slots.length - 1;
        long h = key * 0x9E3779B97F4A7C15L;
        int at = (int) (h >>> 32) & mask;
        while (true) {
            int index = slots[at] - 1;
            if (index < 0) {
                break;
            }
            if (pairs[index] == key) {
                return index;
            }
            at = (at + 1) & mask;
        }
        if (!create || !rule.allows(left, right)) {
            return -1;
        }
        if (pairCount == pairs.length) {
            int capacity = pairCount * 2;
            pairs = Arrays.copyOf(pairs, capacity);
            pairCounts = Arrays.copyOf(pairCounts, capacity);
            openCandidate = Arrays.copyOf(openCandidate, capacity);
        }
        pairs[pairCount] = key;
        openCandidate[pairCount] = -1;
        slots[at] = ++pairCount;
        if (pairCount * 2 > slots.length) {
            rehash();
        }
        return pairCount - 1;
    }

    private void rehash() {
        int capacity = slots.length * 2;
        slots = new int[capacity];
        int mask = capacity - 1;
        for (int i = 0; i < pairCount; i++) {
            int at = (int) ((pairs[i] * 0x9E3779B97F4A7C15L) >>> 32) & mask;
            while (slots[at] != 0) {
                at = (at + 1) & mask;
            }
            slots[at] = i + 1;
        }
    }

    /** Puts the candidates of this round into the heap. */
    private void closeRound() {
        for (int c = roundStart; c < candidateNumber; c++) {
            long count = pairCounts[candidatePair[c]];
            if (count > 0) {
                candidateCount[c] = count;
                offer(c);
            }
        }
        roundStart = candidateNumber;
    }

    private void offer(int candidate) {
        if (candidateCount[candidate] >= threshold) {
            push(candidate);
            return;
        }
        if (waitingSize == waiting.length) {
            waiting = Arrays.copyOf(waiting, waitingSize * 2);
        }
        waiting[waitingSize++] = candidate;
    }

    /** The heap is empty: takes in the waiting candidates of at least half the largest count among them. */
    private void lowerThreshold() {
        long largest = 0;
        int kept = 0;
        for (int i = 0; i < waitingSize; i++) {
            int candidate = waiting[i];
            long now = pairCounts[candidatePair[candidate]];
            if (now > 0) {
                candidateCount[candidate] = now;
                largest = Math.max(largest, now);
                waiting[kept++] = candidate;
            }
        }
        waitingSize = kept;
        threshold = Math.max(1, largest / 2);
        kept = 0;
        for (int i = 0; i < waitingSize; i++) {
            int candidate = waiting[i];
            if (candidateCount[candidate] >= threshold) {
                push(candidate);
            } else {
                waiting[kept++] = candidate;
            }
        }
        waitingSize = kept;
    }

    private boolean before(int a, int b) {
        long countA = candidateCount[a];
        long countB = candidateCount[b];
        if (countA != countB) {
            return countA > countB;
        }
        long pairA = pairs[candidatePair[a]];
        long pairB = pairs[candidatePair[b]];
        int tie = rule.compareTie((int) (pairA >>> 32), (int) pairA, (int) (pairB >>> 32), (int) pairB);
        return tie < 0 || (tie == 0 && a < b);
    }

    private void push(int candidate) {
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, heapSize * 2);
        }
        int at = heapSize++;
        while (at > 0) {
            int parent = (at - 1) >> 1;
            if (!before(candidate, heap[parent])) {
                break;
            }
            heap[at] = heap[parent];
            at = parent;
        }
        heap[at] = candidate;
    }

    private int pop() {
        int top = heap[0];
        int last = heap[--heapSize];
        int at = 0;
        while (true) {
            int child = 2 * at + 1;
            if (child >= heapSize) {
                break;
            }
            if (child + 1 < heapSize && before(heap[child + 1], heap[child])) {
                child++;
            }
            if (!before(heap[child], last)) {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = last;
        return top;
    }
}
