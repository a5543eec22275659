package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.LongRecordSort;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997), with FineWeb's numbers: 5-grams of words, 14
 * bands of 8 hashes, so that documents with a Jaccard similarity of 0.72 meet in a band as often as not, of 0.8 with
 * probability 0.924. Documents that meet, directly or through others, are one cluster, of which the first stays.
 *
 * <p>Hash {@code i} of a shingle {@code x} is {@code (aᵢ x + bᵢ mod 2⁶⁴) mod (2⁶¹ − 1)}. The bands of all documents are
 * sorted, in memory as far as the given bytes reach and else on the disk (16 bytes for each band of each document).
 */
public final class MinHashDeduplication implements KeyedDeduplication {
    private static final long PRIME = (1L << 61) - 1;

    private final int shingle;
    private final int bands;
    private final int rows;
    private final long[] a;
    private final long[] b;
    private final Path folder;
    private final long memoryBytes;
    private final LongRecordSort sorted; // hash of a band, ordinal
    private @Nullable Duplicates duplicates;

    /** FineWeb's numbers. */
    public MinHashDeduplication(Path folder, long memoryBytes) throws IOException {
        this(5, 14, 8, folder, memoryBytes);
    }

    /**
     * @param shingle words in a shingle
     * @param bands how many bands
     * @param rows hashes in a band
     * @param folder for temporary files
     * @param memoryBytes for what is sorted
     */
    public MinHashDeduplication(int shingle, int bands, int rows, Path folder, long memoryBytes) throws IOException {
        this.shingle = shingle;
        this.bands = bands;
        this.rows = rows;
        SplittableRandom random = new SplittableRandom(1);
        a = random.longs((long) bands * rows, 1, PRIME).toArray();
        b = random.longs((long) bands * rows, 0, PRIME).toArray();
        this.folder = folder;
        this.memoryBytes = memoryBytes;
        this.sorted = new LongRecordSort(2, folder, "bands", Math.max(4096, memoryBytes / 2));
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
    public Rule rule() {
        return new Rule.FirstOfCluster();
    }

    /** One key for each band; none for a text without words. */
    private long[] bandKeys(String text) {
        long[] signature = signature(text);
        if (signature[0] == PRIME) {
            return new long[0];
        }
        long[] keys = new long[bands];
        for (int band = 0; band < bands; band++) {
            long key = band;
            for (int r = band * rows; r < (band + 1) * rows; r++) {
                key = (key ^ signature[r]) * 0xFF51AFD7ED558CCDL;
                key ^= key >>> 32;
            }
            keys[band] = key;
        }
        return keys;
    }

    @Override
    public void keys(Document document, KeySink sink) {
        for (long key : bandKeys(document.text())) {
            sink.key(0, key);
        }
    }

    @Override
    public void look(Document document, long ordinal) throws IOException {
        for (long key : bandKeys(document.text())) {
            sorted.add(key, ordinal);
        }
    }

    @Override
    public void decide(Path state) throws IOException {
        try (Components components = new Components(folder, memoryBytes / 2)) {
            try (LongRecordSort.Cursor cursor = sorted.sorted()) {
                long key = 0;
                long first = -1;
                while (cursor.next()) {
                    if (first >= 0 && cursor.first() == key) {
                        components.edge(cursor.second(), first);
                    } else {
                        key = cursor.first();
                        first = cursor.second();
                    }
                }
            }
            sorted.close();
            try (LongRecordSort stars = components.stars()) {
                duplicates = Duplicates.write(stars, state);
            }
        }
    }

    /** Runs that had to be written to disk. */
    public int runs() {
        return sorted.runs();
    }

    /** The first document of the cluster that the document belongs to. */
    public long first(long ordinal) {
        return decided().keptFor(ordinal).orElse(ordinal);
    }

    private Duplicates decided() {
        return Objects.requireNonNull(duplicates, "decide() comes before filter()");
    }

    @Override
    public void write(Iterator<long[]> facts, Path state) throws IOException {
        Duplicates.write(facts, state);
    }

    @Override
    public void decided(Path state) throws IOException {
        duplicates = new Duplicates(state);
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
                OptionalLong first = decided().keptFor(ordinal);
                return first.isEmpty()
                        ? new Verdict.Keep(document)
                        : new Verdict.Drop("near-duplicate", "of document " + first.getAsLong());
            }
        };
    }

    @Override
    public void close() throws IOException {
        sorted.close();
        if (duplicates != null) {
            duplicates.close();
        }
    }
}
