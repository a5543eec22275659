package dev.puna.inference;

import dev.puna.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * The tokens of a vocabulary by their bytes: tokens that begin alike share a path. Nodes are numbered as a walk meets
 * them, parents before children and these in the order of their bytes: so a walk reads memory from front to back, and
 * leaves out what lies below a node by going on at {@link #after}. The root has no number; its depth would be 0.
 */
final class VocabularyTrie {
    /** By vocabulary, as long as somebody uses it. */
    private static final Map<Tokenizer, Map<Integer, VocabularyTrie>> KNOWN = new WeakHashMap<>();

    private byte[] bytes = new byte[1024];
    private int[] depths = new int[1024];
    private int[] after = new int[1024];
    /** Where the ids of a node begin; those of the next follow. */
    private int[] firstId = new int[1024];

    private final int[] ids;
    private final int deepest;
    private int size;

    /** The trie of a vocabulary, made once for all grammars over it. */
    static VocabularyTrie of(Tokenizer tokenizer, int vocabularySize) {
        synchronized (KNOWN) {
            return KNOWN.computeIfAbsent(tokenizer, _ -> new HashMap<>())
                    .computeIfAbsent(vocabularySize, size -> new VocabularyTrie(tokenizer, size));
        }
    }

    /**
     * A token on its way into the trie.
     *
     * @param bytes at least one
     */
    private record Entry(byte[] bytes, int id) {}

    /** Tokens without bytes, control tokens, are left out. */
    private VocabularyTrie(Tokenizer tokenizer, int vocabularySize) {
        Entry[] entries = new Entry[Math.min(vocabularySize, tokenizer.vocabularySize())];
        int count = 0;
        int longest = 0;
        for (int id = 0; id < entries.length; id++) {
            byte[] token = tokenizer.bytes(id);
            if (token.length > 0 && !tokenizer.specialTokens().endsGeneration(id)) {
                entries[count++] = new Entry(token, id);
                longest = Math.max(longest, token.length);
            }
        }
        Arrays.sort(entries, 0, count, (a, b) -> {
            int order = Arrays.compareUnsigned(a.bytes, b.bytes);
            return order != 0 ? order : Integer.compare(a.id, b.id);
        });
        this.ids = new int[count];
        this.deepest = longest;
        int[] open = new int[longest + 1]; // the node of each depth on the path to the last token
        byte[] last = {};
        for (int i = 0; i < count; i++) {
            byte[] token = entries[i].bytes;
            int mismatch = Arrays.mismatch(last, token);
            int common = mismatch < 0 ? token.length : mismatch;
            close(open, common, last.length);
            for (int depth = common; depth < token.length; depth++) {
                open[depth] = add(token[depth], depth + 1, i);
            }
            ids[i] = entries[i].id;
            last = token;
        }
        close(open, 0, last.length);
        firstId = Arrays.copyOf(firstId, size + 1);
        firstId[size] = count;
    }

    private int add(byte b, int depth, int idsBefore) {
        if (size == bytes.length) {
            bytes = Arrays.copyOf(bytes, 2 * size);
            depths = Arrays.copyOf(depths, 2 * size);
            after = Arrays.copyOf(after, 2 * size);
            firstId = Arrays.copyOf(firstId, 2 * size);
        }
        bytes[size] = b;
        depths[size] = depth;
        firstId[size] = idsBefore;
        return size++;
    }

    /** What lies below these depths ends here. */
    private void close(int[] open, int from, int to) {
        for (int depth = from; depth < to; depth++) {
            after[open[depth]] = size;
        }
    }

    /** How many nodes there are. */
    int size() {
        return size;
    }

    int byteOf(int node) {
        return bytes[node] & 0xFF;
    }

    /** How many bytes lead here. */
    int depth(int node) {
        return depths[node];
    }

    /** The first node that does not lie below this one. */
    int after(int node) {
        return after[node];
    }

    /** Where the ids of the tokens that end here begin, for {@link #id}; they end where those of the next node begin. */
    int firstId(int node) {
        return firstId[node];
    }

    int id(int index) {
        return ids[index];
    }

    /** How many bytes the longest token has. */
    int deepest() {
        return deepest;
    }
}
