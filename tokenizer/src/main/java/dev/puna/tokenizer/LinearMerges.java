package dev.puna.tokenizer;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Byte-pair encoding in time linear in the text, whatever the text is [1].
 *
 * <p>A sequence of tokens is the encoding of a text exactly when each token is what its own text merges into, and no
 * two neighbours would have merged across their border before they were complete. So one goes from left to right, takes
 * the longest token that fits the last one, and where none fits takes the last one back; a border from which no way led
 * on is marked and never tried again, so every border is left at most once for each token that ends there.
 *
 * <p>Two neighbours fit when, undoing their merges from the latest to the earliest, no pair of pieces that ever touched
 * at the border could merge at a rank before the merge that consumed one of them. The latest is the one with the higher
 * rank, and of equal ranks the one on the right, because the leftmost of equals merges first. This needs merges to
 * happen in the order of their ranks, that is: no token has a lower rank than the tokens it is made of. Where a token
 * that has stands in a text (Llama-3's vocabulary, grown from two, has some), {@link Merger} stays with its heap.
 *
 * <p>[1] H. van Antwerpen and A. Neubeck, "So many tokens, so little time", GitHub 2024: the backtracking encoder of
 * the rust-gems; here extended to ranks that are shared by several tokens, as SentencePiece has them.
 */
final class LinearMerges {
    /** Tokens longer than this are no vocabulary but an attack on the quadratic merge that builds the tables. */
    private static final int LONGEST_TOKEN = 1024;

    private static final int BASE = -1;

    private final Vocabulary vocabulary;
    private final int[] ranks; // when the token comes about; BASE for a smallest symbol
    private final int[] lefts;
    private final int[] rights;
    private final Trie tokens;
    private final @Nullable Trie early;

    private LinearMerges(
            Vocabulary vocabulary, int[] ranks, int[] lefts, int[] rights, Trie tokens, @Nullable Trie early) {
        this.vocabulary = vocabulary;
        this.ranks = ranks;
        this.lefts = lefts;
        this.rights = rights;
        this.tokens = tokens;
        this.early = early;
    }

    /** The tables of one vocabulary, built when first asked for and shared by all its encoders. */
    static final class Source {
        private final Vocabulary vocabulary;
        private final MergeRule rule;
        private final int @Nullable [] byteIds;
        private volatile boolean built;
        private volatile @Nullable LinearMerges tables;

        Source(Vocabulary vocabulary, MergeRule rule, int @Nullable [] byteIds) {
            this.vocabulary = vocabulary;
            this.rule = rule;
            this.byteIds = byteIds;
        }

        /** The tables, or null where the linear way would not be exact. */
        @Nullable
        LinearMerges get() {
            if (!built) {
                synchronized (this) {
                    if (!built) {
                        tables = build(vocabulary, rule, byteIds, this);
                        built = true;
                    }
                }
            }
            return tables;
        }
    }

    private static @Nullable LinearMerges build(
            Vocabulary vocabulary, MergeRule rule, int @Nullable [] byteIds, Source source) {
        if (vocabulary.longest() > LONGEST_TOKEN) {
            return null;
        }
        Merger merger = new Merger(vocabulary, rule, byteIds, source);
        byte[] bytes = vocabulary.storage();
        int size = vocabulary.size();
        int[] ranks = new int[size];
        int[] lefts = new int[size];
        int[] rights = new int[size];
        boolean[] reached = new boolean[size];
        for (int id = 0; id < size; id++) {
            int from = vocabulary.offset(id);
            int to = from + vocabulary.length(id);
            if (from == to || !vocabulary.merges(id) || vocabulary.find(bytes, from, to) != id) {
                continue;
            }
            int symbols = merger.symbolCount(bytes, from, to);
            for (int i = 0; i < symbols; i++) {
                if (merger.id(i) < 0) {
                    return null; // a token holds a character that is none: the text cannot be cut at such characters
                }
            }
            if (symbols == 1) {
                ranks[id] = BASE;
                reached[id] = true;
                continue;
            }
            long split = merger.split(bytes, from, to, id);
            if (split < 0) {
                continue;
            }
            int left = (int) (split >>> 32);
            int right = (int) split;
            lefts[id] = left;
            rights[id] = right;
            int middle = from + vocabulary.length(left);
            ranks[id] = (int) (rule.merge(bytes, from, to, left, right) >>> 32);
            if (middle + vocabulary.length(right) != to) {
                return null;
            }
            reached[id] = true;
        }
        boolean[] early = new boolean[size];
        int earlyCount = 0;
        for (int id = 0; id < size; id++) {
            if (reached[id] && ranks[id] != BASE && (later(ranks, lefts[id], id) || later(ranks, rights[id], id))) {
                early[id] = true;
                earlyCount++;
            }
        }
        for (int id = 0; id < size; id++) {
            reached[id] &= !early[id];
        }
        Trie exceptions = earlyCount == 0 ? null : new Trie(vocabulary, early);
        return new LinearMerges(vocabulary, ranks, lefts, rights, new Trie(vocabulary, reached), exceptions);
    }

    private static boolean later(int[] ranks, int part, int whole) {
        return ranks[part] != BASE && ranks[part] > ranks[whole];
    }

    /** Every token that is reached by merging, by its bytes. */
    private static final class Trie {
        private int[] keys = new int[1 << 12];
        private int[] nodes = new int[1 << 12];
        private int[] tokens = new int[1 << 12];
        private final int[] shorter;
        private final int[] rootNodes = new int[256];
        private int nodeCount = 1;

        Trie(Vocabulary vocabulary, boolean[] reached) {
            shorter = new int[vocabulary.size()];
            Arrays.fill(tokens, Vocabulary.NONE);
            byte[] bytes = vocabulary.storage();
            for (int id = 0; id < reached.length; id++) {
                if (!reached[id]) {
                    continue;
                }
                int node = 0;
                int from = vocabulary.offset(id);
                for (int at = from; at < from + vocabulary.length(id); at++) {
                    node = childOrNew(node, bytes[at] & 0xFF);
                }
                tokens[node] = id;
            }
            for (int id = 0; id < reached.length; id++) {
                if (!reached[id]) {
                    continue;
                }
                int best = Vocabulary.NONE;
                int node = 0;
                int from = vocabulary.offset(id);
                for (int at = from; at < from + vocabulary.length(id) - 1; at++) {
                    node = childOrNew(node, bytes[at] & 0xFF);
                    if (tokens[node] >= 0) {
                        best = tokens[node];
                    }
                }
                shorter[id] = best;
            }
            for (int lead = 0; lead < 256; lead++) {
                rootNodes[lead] = child(0, lead);
            }
        }

        private int childOrNew(int node, int value) {
            int key = (node << 8 | value) + 1;
            int mask = keys.length - 1;
            int slot = slot(key, mask);
            while (keys[slot] != 0) {
                if (keys[slot] == key) {
                    return nodes[slot];
                }
                slot = (slot + 1) & mask;
            }
            if (nodeCount == 1 << 23) {
                throw new IllegalStateException("the tokens of this vocabulary have more than 2^23 prefixes");
            }
            keys[slot] = key;
            nodes[slot] = nodeCount;
            if (nodeCount == tokens.length) {
                tokens = Arrays.copyOf(tokens, 2 * nodeCount);
                Arrays.fill(tokens, nodeCount, tokens.length, Vocabulary.NONE);
            }
            if (2 * nodeCount > keys.length) {
                rehash();
            }
            return nodeCount++;
        }

        private void rehash() {
            int[] oldKeys = keys;
            int[] oldNodes = nodes;
            keys = new int[2 * oldKeys.length];
            nodes = new int[keys.length];
            int mask = keys.length - 1;
            for (int i = 0; i < oldKeys.length; i++) {
                if (oldKeys[i] != 0) {
                    int slot = slot(oldKeys[i], mask);
                    while (keys[slot] != 0) {
                        slot = (slot + 1) & mask;
                    }
                    keys[slot] = oldKeys[i];
                    nodes[slot] = oldNodes[i];
                }
            }
        }

        private int child(int node, int value) {
            int key = (node << 8 | value) + 1;
            int mask = keys.length - 1;
            int slot = slot(key, mask);
            while (true) {
                int found = keys[slot];
                if (found == key) {
                    return nodes[slot];
                }
                if (found == 0) {
                    return 0;
                }
                slot = (slot + 1) & mask;
            }
        }

        /** The longest token that {@code text[from, to)} starts with, or NONE. */
        int longest(byte[] text, int from, int to) {
            int node = rootNodes[text[from] & 0xFF];
            int best = Vocabulary.NONE;
            int at = from + 1;
            while (node != 0) {
                if (tokens[node] >= 0) {
                    best = tokens[node];
                }
                if (at == to) {
                    break;
                }
                node = child(node, text[at++] & 0xFF);
            }
            return best;
        }

        static int slot(int key, int mask) {
            int mixed = key * 0x9E3779B1;
            return (mixed ^ mixed >>> 15) & mask;
        }
    }

    /**
     * Whether the linear way is exact on this text: no token stands in it that comes about earlier than its parts. Where
     * none stands, none is ever made.
     */
    boolean isExactFor(byte[] text, int from, int to) {
        if (early != null) {
            for (int at = from; at < to; at++) {
                if (early.longest(text, at, to) >= 0) {
                    return false;
                }
            }
        }
        return true;
    }

    /**
     * Encodes a text all of whose smallest symbols are tokens; appends starts and ids from {@code count} on.
     *
     * @return the count behind them
     */
    int encode(byte[] text, int from, int to, int[] starts, int[] ids, int count, MergeRule rule) {
        long[] deadEnds = new long[((to - from) >>> 6) + 1];
        long[] fits = new long[256];
        int first = count;
        int last = count;
        int at = from;
        int token = tokens.longest(text, at, to);
        while (at < to) {
            int end = at + vocabulary.length(token) - from;
            boolean taken = (deadEnds[end >>> 6] >>> end & 1) == 0
                    && (last == first || fits(text, at, ids[last - 1], token, rule, fits));
            if (taken) {
                starts[last] = at;
                ids[last++] = token;
                at = from + end;
                token = at < to ? tokens.longest(text, at, to) : Vocabulary.NONE;
            } else if (tokens.shorter[token] >= 0) {
                token = tokens.shorter[token];
            } else {
                deadEnds[(at - from) >>> 6] |= 1L << (at - from);
                if (last == first) {
                    throw new IllegalStateException("no encoding exists: the vocabulary is not a merge vocabulary");
                }
                token = ids[--last];
                at = starts[last];
            }
        }
        return last;
    }

    private boolean fits(byte[] text, int border, int left, int right, MergeRule rule, long[] known) {
        long pair = ((long) left << 32 | right) << 1;
        int slot = (int) (Words.mix(pair) >>> 56);
        long entry = known[slot];
        if ((entry & ~1L) == pair && entry != 0) {
            return (entry & 1) != 0;
        }
        boolean fits = fits(text, border, left, right, rule);
        known[slot] = pair | (fits ? 1 : 0);
        return fits;
    }

    private boolean fits(byte[] text, int border, int leftToken, int rightToken, MergeRule rule) {
        int left = leftToken;
        int right = rightToken;
        long limit = Long.MAX_VALUE;
        while (true) {
            long merge =
                    rule.merge(text, border - vocabulary.length(left), border + vocabulary.length(right), left, right);
            if (merge != MergeRule.NONE && merge >>> 32 < limit) {
                return false;
            }
            int leftRank = ranks[left];
            int rightRank = ranks[right];
            if (leftRank == BASE && rightRank == BASE) {
                return true;
            }
            if (leftRank > rightRank) {
                limit = leftRank;
                left = rights[left];
            } else {
                limit = rightRank + 1L;
                right = lefts[right];
            }
        }
    }
}
