package dev.puna.tokenizer;

import java.util.Arrays;

/**
 * All tokens as bytes in one array, with a hash table from bytes to id. Immutable. SentencePiece's {@code ▁} is kept as
 * a plain space, so that text need not be rewritten to be looked up.
 */
final class Vocabulary {
    /** No such token. */
    static final int NONE = -1;

    private final byte[] bytes;
    private final int[] offsets;
    private final byte[] kinds;
    private final int[] table;
    private final int shift;
    private final int longest;

    private Vocabulary(byte[] bytes, int[] offsets, byte[] kinds, int[] table, int longest) {
        this.bytes = bytes;
        this.offsets = offsets;
        this.kinds = kinds;
        this.table = table;
        this.shift = 64 - Integer.numberOfTrailingZeros(table.length);
        this.longest = longest;
    }

    int size() {
        return kinds.length;
    }

    TokenKind kind(int id) {
        return TokenKind.of(kinds[check(id)]);
    }

    /** Whether text can become this token by merging. */
    boolean merges(int id) {
        return merges(kinds[id]);
    }

    private static boolean merges(byte kind) {
        return kind == 1 || kind == 4 || kind == 5;
    }

    int length(int id) {
        return offsets[id + 1] - offsets[id];
    }

    int offset(int id) {
        return offsets[id];
    }

    /** The array that {@link #offset} points into; not to be written. */
    byte[] storage() {
        return bytes;
    }

    /** Length of the longest token that merges, in bytes. */
    int longest() {
        return longest;
    }

    byte[] bytes(int id) {
        check(id);
        return Arrays.copyOfRange(bytes, offsets[id], offsets[id + 1]);
    }

    int check(int id) {
        if (id < 0 || id >= kinds.length) {
            throw new IllegalArgumentException(
                    "token id " + id + " is outside the vocabulary of " + kinds.length + " tokens");
        }
        return id;
    }

    /** The merging token with exactly these bytes, or {@link #NONE}. The array must be padded. */
    int find(byte[] text, int from, int to) {
        int length = to - from;
        if (length > longest) {
            return NONE;
        }
        int[] slots = table;
        int mask = slots.length - 1;
        int slot = (int) (Words.hash(text, from, to) >>> shift);
        while (true) {
            int id = slots[slot] - 1;
            if (id < 0) {
                return NONE;
            }
            int offset = offsets[id];
            if (offsets[id + 1] - offset == length && Words.equal(text, from, bytes, offset, length)) {
                return id;
            }
            slot = (slot + 1) & mask;
        }
    }

    /** {@link #find} for an array without padding. */
    int find(byte[] text) {
        return text.length == 0 ? NONE : find(Arrays.copyOf(text, text.length + Words.PADDING), 0, text.length);
    }

    /** Collects tokens in the order of their ids. */
    static final class Builder {
        private byte[] bytes;
        private int[] offsets;
        private byte[] kinds;
        private int size;

        Builder(int expectedTokens, int expectedBytes) {
            bytes = new byte[expectedBytes + 64];
            offsets = new int[expectedTokens + 1];
            kinds = new byte[expectedTokens];
        }

        int size() {
            return size;
        }

        void add(byte[] source, int from, int to, TokenKind kind) {
            room(to - from);
            System.arraycopy(source, from, bytes, offsets[size], to - from);
            close(to - from, kind);
        }

        /** Room for one more token of at most {@code length} bytes, to be written at {@link #position} on. */
        byte[] room(int length) {
            if (size == kinds.length) {
                kinds = Arrays.copyOf(kinds, size + (size >> 1) + 64);
                offsets = Arrays.copyOf(offsets, kinds.length + 1);
            }
            long needed = (long) offsets[size] + length + Words.PADDING;
            if (needed > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.toIntExact(Math.min(Integer.MAX_VALUE - 64, needed + (needed >> 1))));
            }
            return bytes;
        }

        int position() {
            return offsets[size];
        }

        /** Ends the token that was written into {@link #room}. */
        void close(int length, TokenKind kind) {
            kinds[size] = (byte) kind.number();
            offsets[size + 1] = offsets[size] + length;
            size++;
        }

        /** Builds; of two merging tokens with the same bytes the first id is found. */
        Vocabulary build() {
            int capacity = Integer.highestOneBit(Math.max(16, size * 2 - 1)) * 2;
            int[] table = new int[capacity];
            int shift = 64 - Integer.numberOfTrailingZeros(capacity);
            int mask = capacity - 1;
            byte[] exact = Arrays.copyOf(bytes, offsets[size] + Words.PADDING);
            int longest = 0;
            for (int id = 0; id < size; id++) {
                int from = offsets[id];
                int to = offsets[id + 1];
                if (from == to || !merges(kinds[id])) {
                    continue;
                }
                longest = Math.max(longest, to - from);
                int slot = (int) (Words.hash(exact, from, to) >>> shift);
                boolean twice = false;
                while (table[slot] != 0) {
                    int other = table[slot] - 1;
                    if (offsets[other + 1] - offsets[other] == to - from
                            && Words.equal(exact, from, exact, offsets[other], to - from)) {
                        twice = true;
                        break;
                    }
                    slot = (slot + 1) & mask;
                }
                if (!twice) {
                    table[slot] = id + 1;
                }
            }
            return new Vocabulary(exact, Arrays.copyOf(offsets, size + 1), Arrays.copyOf(kinds, size), table, longest);
        }
    }
}
