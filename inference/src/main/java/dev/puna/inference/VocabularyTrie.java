package dev.puna.inference;

import dev.puna.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.WeakHashMap;

/** The tokens of a vocabulary by their bytes: tokens that begin alike share a path. Node 0 is the root. */
final class VocabularyTrie {
    private static final int[] NONE = {};

    /** By vocabulary, as long as somebody uses it. */
    private static final Map<Tokenizer, Map<Integer, VocabularyTrie>> KNOWN = new WeakHashMap<>();

    private int[] firstChild = new int[1024];
    private int[] sibling = new int[1024];
    private byte[] bytes = new byte[1024];
    private int[][] ids = new int[1024][];
    private int size = 1;

    /** The trie of a vocabulary, made once for all grammars over it. */
    static VocabularyTrie of(Tokenizer tokenizer, int vocabularySize) {
        synchronized (KNOWN) {
            return KNOWN.computeIfAbsent(tokenizer, _ -> new HashMap<>())
                    .computeIfAbsent(vocabularySize, size -> new VocabularyTrie(tokenizer, size));
        }
    }

    /** Tokens without bytes, control tokens, are left out. */
    private VocabularyTrie(Tokenizer tokenizer, int vocabularySize) {
        Arrays.fill(ids, NONE);
        for (int id = 0; id < Math.min(vocabularySize, tokenizer.vocabularySize()); id++) {
            byte[] token = tokenizer.bytes(id);
            if (token.length > 0 && !tokenizer.specialTokens().endsGeneration(id)) {
                int node = 0;
                for (byte b : token) {
                    node = child(node, b);
                }
                ids[node] = Arrays.copyOf(ids[node], ids[node].length + 1);
                ids[node][ids[node].length - 1] = id;
            }
        }
    }

    private int child(int node, byte b) {
        for (int child = firstChild[node]; child != 0; child = sibling[child]) {
            if (bytes[child] == b) {
                return child;
            }
        }
        if (size == bytes.length) {
            firstChild = Arrays.copyOf(firstChild, 2 * size);
            sibling = Arrays.copyOf(sibling, 2 * size);
            bytes = Arrays.copyOf(bytes, 2 * size);
            ids = Arrays.copyOf(ids, 2 * size);
            Arrays.fill(ids, size, 2 * size, NONE);
        }
        bytes[size] = b;
        sibling[size] = firstChild[node];
        firstChild[node] = size;
        return size++;
    }

    /** 0 for none. */
    int firstChild(int node) {
        return firstChild[node];
    }

    /** 0 for none. */
    int sibling(int node) {
        return sibling[node];
    }

    int byteOf(int node) {
        return bytes[node] & 0xFF;
    }

    /** Ids whose bytes end here. Not to be changed. */
    int[] ids(int node) {
        return ids[node];
    }
}
