package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997), with FineWeb's numbers: 5-grams of words, 14
 * bands of 8 hashes, so that documents with a Jaccard similarity of 0.72 meet in a band as often as not, of 0.8 with
 * probability 0.924. Documents that meet, directly or through others, are one cluster, of which the first stays.
 *
 * <p>Hash {@code i} of a shingle {@code x} is {@code (aᵢ x + bᵢ mod 2⁶⁴) mod (2⁶¹ − 1)}. Memory: 14 table entries for
 * each document.
 */
public final class MinHashDeduplication implements CorpusDeduplication {
    private static final long PRIME = (1L << 61) - 1;

    private final int shingle;
    private final int bands;
    private final int rows;
    private final long[] a;
    private final long[] b;
    private final ConcurrentHashMap<Long, Long>[] tables;
    private final Map<Long, Long> parent = new HashMap<>(); // of documents that met another

    /** FineWeb's numbers. */
    public MinHashDeduplication() {
        this(5, 14, 8);
    }

    /**
     * @param shingle words in a shingle
     * @param bands how many bands
     * @param rows hashes in a band
     */
    @SuppressWarnings({"unchecked", "rawtypes"})
    public MinHashDeduplication(int shingle, int bands, int rows) {
        this.shingle = shingle;
        this.bands = bands;
        this.rows = rows;
        SplittableRandom random = new SplittableRandom(1);
        a = random.longs((long) bands * rows, 1, PRIME).toArray();
        b = random.longs((long) bands * rows, 0, PRIME).toArray();
        tables = new ConcurrentHashMap[bands];
        Arrays.setAll(tables, i -> new ConcurrentHashMap<Long, Long>());
    }

    @Override
    public String name() {
        return "minhash";
    }

    /** The smallest value of every hash over the shingles of a text; all are 2⁶¹ − 1 for a text without words. */
    public long[] signature(String text) {
        long[] words = words(text);
        int n = bands * rows;
        long[] least = new long[n];
        Arrays.fill(least, PRIME);
        int count = words.length == 0 ? 0 : Math.max(1, words.length - shingle + 1);
        for (int i = 0; i < count; i++) {
            long x = 0;
            for (int k = i; k < Math.min(words.length, i + shingle); k++) {
                x = (x ^ words[k]) * 0x9E3779B97F4A7C15L;
                x ^= x >>> 29;
            }
            update(x, a, b, least);
        }
        return least;
    }

    private static void update(long x, long[] a, long[] b, long[] least) {
        for (int i = 0; i < least.length; i++) {
            long h = x * a[i] + b[i];
            long v = (h & PRIME) + (h >>> 61);
            v = v >= PRIME ? v - PRIME : v;
            least[i] = Math.min(least[i], v);
        }
    }

    /** Hashes of the words in lower case; what is no letter or digit separates them. */
    private static long[] words(String text) {
        long[] words = new long[text.length() / 5 + 8];
        int size = 0;
        long h = 0;
        boolean inside = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean part = c < 128
                    ? (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                    : Character.isLetterOrDigit(c) || Character.isSurrogate(c);
            if (part) {
                char lower = c < 128 ? (c >= 'A' && c <= 'Z' ? (char) (c + 32) : c) : Character.toLowerCase(c);
                h = ((inside ? h : 0xCBF29CE484222325L) ^ lower) * 0x100000001B3L;
                inside = true;
            } else if (inside) {
                if (size == words.length) {
                    words = Arrays.copyOf(words, 2 * size);
                }
                words[size++] = h ^ (h >>> 31);
                inside = false;
            }
        }
        if (inside) {
            if (size == words.length) {
                words = Arrays.copyOf(words, size + 1);
            }
            words[size++] = h ^ (h >>> 31);
        }
        return Arrays.copyOf(words, size);
    }

    @Override
    public void look(Document document, long ordinal) {
        long[] signature = signature(document.text());
        if (signature[0] == PRIME) {
            return;
        }
        for (int band = 0; band < bands; band++) {
            long key = band;
            for (int r = band * rows; r < (band + 1) * rows; r++) {
                key = (key ^ signature[r]) * 0xFF51AFD7ED558CCDL;
                key ^= key >>> 32;
            }
            Long other = tables[band].putIfAbsent(key, ordinal);
            if (other != null && other != ordinal) {
                synchronized (parent) {
                    join(other, ordinal);
                }
            }
        }
    }

    private long root(long x) {
        long root = x;
        for (Long up = parent.get(root); up != null && up != root; up = parent.get(root)) {
            root = up;
        }
        long at = x;
        while (at != root) {
            Long up = parent.put(at, root);
            at = up == null ? root : up;
        }
        return root;
    }

    private void join(long x, long y) {
        long p = root(x);
        long q = root(y);
        if (p != q) {
            parent.put(Math.max(p, q), Math.min(p, q));
        }
    }

    @Override
    public void decide(Path state) {
        for (ConcurrentHashMap<Long, Long> table : tables) {
            table.clear();
        }
    }

    /** The first document of the cluster that the document belongs to. */
    public long first(long ordinal) {
        synchronized (parent) {
            return root(ordinal);
        }
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        return new DocumentFilter() {
            @Override
            public String name() {
                return MinHashDeduplication.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                long first = first(ordinal);
                return first == ordinal
                        ? new Verdict.Keep(document)
                        : new Verdict.Drop("near-duplicate", "of document " + first);
            }
        };
    }

    @Override
    public void close() throws IOException {
        parent.clear();
    }
}
