package dev.puna.data.ngram;

import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * A model in KenLM's binary format with probing tables (Heafield, KenLM: faster and smaller language model queries, 2011;
 * {@code build_binary probing}), mapped: CCNet's models come so. Words and n-grams are known by 64-bit hashes only, in
 * open addressing: a word by MurmurHash64A of its bytes, an n-gram by its words' ids combined from the last to the first.
 *
 * <p>The file: magic and test values (88 bytes), order, multiplier, kind (20 bytes), the numbers of n-grams, then the
 * table of words, the unigrams, the tables of the middle orders (hash, probability, back-off) and of the highest order
 * (hash, probability). Immutable; safe for all threads; the mapping ends with the program.
 */
public final class KenLmModel implements NgramScorer {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final byte[] MAGIC =
            "mmap lm http://kheafield.com/code format version 5\n".getBytes(StandardCharsets.US_ASCII);
    private static final int PARAMETERS_AT = 88; // behind the magic, 56 bytes with padding, and the test values
    private static final int COUNTS_AT = PARAMETERS_AT + 20;
    private static final int WORD_BYTES = 16;
    private static final int UNIGRAM_BYTES = 8;
    private static final int MIDDLE_BYTES = 16;
    private static final int LONGEST_BYTES = 12;
    private static final int MAX_ORDER = 10;

    /** A table of open addressing: where it begins, how many slots, how many bytes each. */
    private record Table(long at, long buckets, int slotBytes) {
        long end() {
            return at + buckets * slotBytes;
        }
    }

    private final MemorySegment file;
    private final int order;
    private final Table words;
    private final long unigrams;
    private final Table[] grams; // by order, from 2
    private final int bos;
    private final int eos;

    private KenLmModel(MemorySegment file, int order, Table words, long unigrams, Table[] grams) {
        this.file = file;
        this.order = order;
        this.words = words;
        this.unigrams = unigrams;
        this.grams = grams;
        this.bos = id("<s>");
        this.eos = id("</s>");
    }

    static boolean isBinary(byte[] head) {
        for (int i = 0; i < Math.min(8, MAGIC.length); i++) {
            if (i >= head.length || head[i] != MAGIC[i]) {
                return false;
            }
        }
        return true;
    }

    /**
     * Maps a file.
     *
     * @throws CorruptFileException when it is another format, another kind of table, or shorter than it says
     */
    public static KenLmModel open(Path path) throws IOException {
        MemorySegment file;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
        }
        long size = file.byteSize();
        for (int i = 0; i < MAGIC.length; i++) {
            if (i >= size || file.get(ValueLayout.JAVA_BYTE, i) != MAGIC[i]) {
                throw new CorruptFileException(path, i, "KenLM's binary format, version 5", "other bytes");
            }
        }
        if (size < COUNTS_AT + 8) {
            throw new CorruptFileException(path, size, "a header of " + COUNTS_AT + " bytes", "the end");
        }
        int order = file.get(ValueLayout.JAVA_BYTE, PARAMETERS_AT) & 0xff;
        float multiplier = file.get(FLOAT, PARAMETERS_AT + 4);
        int kind = file.get(INT, PARAMETERS_AT + 8);
        if (kind != 0) {
            throw new CorruptFileException(
                    path, PARAMETERS_AT + 8, "probing tables (build_binary probing)", "model type " + kind);
        }
        if (order < 2 || order > MAX_ORDER || !(multiplier >= 1 && multiplier < 100)) {
            throw new CorruptFileException(
                    path,
                    PARAMETERS_AT,
                    "an order of 2 to " + MAX_ORDER + " and a multiplier from 1 on",
                    order + " and " + multiplier);
        }
        long at = (COUNTS_AT + 8L * order + 7) / 8 * 8;
        long[] counts = new long[order];
        for (int n = 0; n < order; n++) {
            counts[n] = at <= size ? file.get(LONG, COUNTS_AT + 8L * n) : -1;
            if (counts[n] < 0 || counts[n] > size / 8) {
                throw new CorruptFileException(
                        path, COUNTS_AT + 8L * n, "a number of n-grams that fits the file", counts[n] + "");
            }
        }
        Table words = new Table(at + 8, buckets(counts[0], multiplier), WORD_BYTES);
        long unigrams = words.end();
        at = unigrams + (counts[0] + 1) * UNIGRAM_BYTES;
        Table[] grams = new Table[order + 1];
        for (int n = 2; n <= order; n++) {
            grams[n] = new Table(at, buckets(counts[n - 1], multiplier), n < order ? MIDDLE_BYTES : LONGEST_BYTES);
            at = grams[n].end();
        }
        if (at > size) {
            throw new CorruptFileException(path, size, at + " bytes of tables", size + " bytes");
        }
        return new KenLmModel(file, order, words, unigrams, grams);
    }

    private static long buckets(long entries, float multiplier) {
        return Math.max(entries + 1, (long) (multiplier * (float) entries));
    }

    /** Longest n-gram. */
    public int order() {
        return order;
    }

    /** Place of the slot with this hash, or -1. */
    private long find(Table table, long hash) {
        long slot = Long.remainderUnsigned(hash, table.buckets());
        while (true) {
            long place = table.at() + slot * table.slotBytes();
            long key = file.get(LONG, place);
            if (key == hash) {
                return place;
            }
            if (key == 0) {
                return -1;
            }
            if (++slot == table.buckets()) {
                slot = 0;
            }
        }
    }

    private int id(String word) {
        long place = find(words, murmur64A(word.getBytes(StandardCharsets.UTF_8)));
        return place < 0 ? 0 : file.get(INT, place + 8);
    }

    private static long combine(long hash, int word) {
        return (hash * 8978948897894561157L) ^ ((1 + Integer.toUnsignedLong(word)) * -551886589553063673L);
    }

    @Override
    public double logProbability(List<String> sentence) {
        int[] text = new int[sentence.size() + 2];
        text[0] = bos;
        for (int i = 1; i < text.length - 1; i++) {
            text[i] = id(sentence.get(i - 1));
        }
        text[text.length - 1] = eos;
        double sum = 0;
        for (int i = 1; i < text.length; i++) {
            sum += score(text, i);
        }
        return sum;
    }

    private double score(int[] text, int at) {
        int longest = Math.min(order, at + 1);
        // The sign of a probability says something else; all are at most 1.
        float probability = -Math.abs(file.get(FLOAT, unigrams + (long) text[at] * UNIGRAM_BYTES));
        int matched = 1;
        long hash = text[at];
        while (matched < longest) {
            hash = combine(hash, text[at - matched]);
            long place = find(grams[matched + 1], hash);
            if (place < 0) {
                break;
            }
            probability = -Math.abs(file.get(FLOAT, place + 8));
            matched++;
        }
        double sum = probability;
        long context = text[at - 1];
        for (int n = 1; n < longest; n++) {
            if (n > 1) {
                context = combine(context, text[at - n]);
            }
            if (n >= matched) {
                long backOff = n == 1 ? unigrams + context * UNIGRAM_BYTES + 4 : find(grams[n], context) + 12;
                if (backOff < 12) {
                    break; // no longer context is there either
                }
                sum += file.get(FLOAT, backOff);
            }
        }
        return sum;
    }

    /** MurmurHash64A (Appleby) with seed 0. */
    static long murmur64A(byte[] bytes) {
        long m = 0xc6a4a7935bd1e995L;
        long h = bytes.length * m;
        int at = 0;
        for (; at + 8 <= bytes.length; at += 8) {
            long k = 0;
            for (int i = 7; i >= 0; i--) {
                k = (k << 8) | (bytes[at + i] & 0xff);
            }
            k *= m;
            k ^= k >>> 47;
            k *= m;
            h = (h ^ k) * m;
        }
        if (at < bytes.length) {
            long k = 0;
            for (int i = bytes.length - 1; i >= at; i--) {
                k = (k << 8) | (bytes[i] & 0xff);
            }
            h = (h ^ k) * m;
        }
        h ^= h >>> 47;
        h *= m;
        return h ^ (h >>> 47);
    }
}
