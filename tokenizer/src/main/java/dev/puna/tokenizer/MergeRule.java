package dev.puna.tokenizer;

import org.jspecify.annotations.Nullable;

/** Which neighbours merge, into what, and how early. The lower rank goes first; of equal ranks the leftmost. */
sealed interface MergeRule {
    /** The two do not merge. Larger than every answer that means something. */
    long NONE = Long.MAX_VALUE;

    /**
     * What {@code text[from, middle)} and {@code text[middle, to)} merge into: rank in the high half, id in the low
     * one, or {@link #NONE}. An id of -1 is a character without a token.
     */
    long merge(byte[] text, int from, int to, int leftId, int rightId);

    /** Takes a rank and the token that a merge at this rank makes. */
    interface Visitor {
        void visit(int rank, int token);
    }

    /** Every merge that there is, in any order. */
    void forEach(Visitor visitor);

    /** SentencePiece and tiktoken: any two neighbours whose bytes together are a token; the rank is the token's. */
    record ByToken(Vocabulary vocabulary, int[] ranks) implements MergeRule {
        @Override
        public long merge(byte[] text, int from, int to, int leftId, int rightId) {
            int id = vocabulary.find(text, from, to);
            return id < 0 ? NONE : (long) ranks[id] << 32 | id;
        }

        @Override
        public void forEach(Visitor visitor) {
            forEachToken(vocabulary, ranks, visitor);
        }
    }

    private static void forEachToken(Vocabulary vocabulary, int @Nullable [] ranks, Visitor visitor) {
        byte[] bytes = vocabulary.storage();
        for (int id = 0; id < vocabulary.size(); id++) {
            int length = vocabulary.length(id);
            if (vocabulary.merges(id)
                    && length > 1
                    && Utf8.characterLength(bytes, vocabulary.offset(id), vocabulary.offset(id) + length) != length) {
                visitor.visit(ranks == null ? id : ranks[id], id);
            }
        }
    }

    /** tiktoken, whose ranks are the ids. */
    record ById(Vocabulary vocabulary) implements MergeRule {
        @Override
        public long merge(byte[] text, int from, int to, int leftId, int rightId) {
            int id = vocabulary.find(text, from, to);
            return id < 0 ? NONE : (long) id << 32 | id;
        }

        @Override
        public void forEach(Visitor visitor) {
            forEachToken(vocabulary, null, visitor);
        }
    }

    /** Hugging Face and GGUF: a list of pairs, the earlier first. */
    final class ByPair implements MergeRule {
        private long[] keys = new long[1 << 10];
        private long[] merges = new long[1 << 10];
        private int size;

        /** Adds the next pair of the list; a pair that is there already keeps its place. */
        void add(int left, int right, int merged) {
            if (2 * size >= keys.length) {
                long[] oldKeys = keys;
                long[] oldMerges = merges;
                keys = new long[2 * oldKeys.length];
                merges = new long[keys.length];
                for (int slot = 0; slot < oldKeys.length; slot++) {
                    if (oldKeys[slot] != 0) {
                        put(oldKeys[slot], oldMerges[slot]);
                    }
                }
            }
            put(key(left, right), (long) size << 32 | merged);
            size++;
        }

        int size() {
            return size;
        }

        private static long key(int left, int right) {
            return (long) left << 32 | (right + 1);
        }

        private void put(long key, long merge) {
            int mask = keys.length - 1;
            int slot = (int) (Words.mix(key) >>> 32) & mask;
            while (keys[slot] != 0) {
                if (keys[slot] == key) {
                    return;
                }
                slot = (slot + 1) & mask;
            }
            keys[slot] = key;
            merges[slot] = merge;
        }

        @Override
        public long merge(byte[] text, int from, int to, int leftId, int rightId) {
            if (leftId < 0 || rightId < 0) {
                return NONE;
            }
            long key = key(leftId, rightId);
            int mask = keys.length - 1;
            int slot = (int) (Words.mix(key) >>> 32) & mask;
            while (keys[slot] != 0) {
                if (keys[slot] == key) {
                    return merges[slot];
                }
                slot = (slot + 1) & mask;
            }
            return NONE;
        }

        @Override
        public void forEach(Visitor visitor) {
            for (int slot = 0; slot < keys.length; slot++) {
                if (keys[slot] != 0) {
                    visitor.visit((int) (merges[slot] >>> 32), (int) merges[slot]);
                }
            }
        }

        /** The pairs as ids, in their order: left in the high half, right in the low one. */
        long[] pairs() {
            long[] pairs = new long[size];
            for (int slot = 0; slot < keys.length; slot++) {
                if (keys[slot] != 0) {
                    pairs[(int) (merges[slot] >>> 32)] =
                            (keys[slot] & ~0xFFFF_FFFFL) | ((keys[slot] & 0xFFFF_FFFFL) - 1);
                }
            }
            return pairs;
        }
    }

    /** Another rule, remembering for each token of kind UNUSED the last pair that was seen to make it. */
    final class Remembering implements MergeRule {
        private final Vocabulary vocabulary;
        private final MergeRule rule;
        private final java.util.Map<Integer, Integer> leftLengths = new java.util.HashMap<>();

        Remembering(Vocabulary vocabulary, MergeRule rule) {
            this.vocabulary = vocabulary;
            this.rule = rule;
        }

        @Override
        public long merge(byte[] text, int from, int to, int leftId, int rightId) {
            long merge = rule.merge(text, from, to, leftId, rightId);
            if (merge != NONE && vocabulary.kind((int) merge) == TokenKind.UNUSED) {
                int left = leftId >= 0 ? vocabulary.length(leftId) : Utf8.characterLength(text, from, to);
                leftLengths.put((int) merge, left);
            }
            return merge;
        }

        @Override
        public void forEach(Visitor visitor) {
            rule.forEach(visitor);
        }

        /** Length in bytes of the left part of the token, 0 when it was never made. */
        int leftLength(int id) {
            return leftLengths.getOrDefault(id, 0);
        }
    }
}
