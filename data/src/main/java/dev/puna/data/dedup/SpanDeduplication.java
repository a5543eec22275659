package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.LongRecordSort;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Sentences;
import dev.puna.data.filter.Verdict;
import dev.puna.tensor.ConfigurationException;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Removes spans of text that stood in the corpus before; the first occurrence stays. With {@link Unit#WORDS} and 50 this
 * is the removal of exact substrings of 50 tokens (Lee et al., Deduplicating training data makes language models better,
 * 2021), with {@link Unit#SENTENCES} and 3 the three-sentence spans of C4 (Raffel et al., 2019, section 2.2).
 *
 * <p>In place of a suffix array there is a 64-bit hash of every window of so many units, sorted, in memory as far as the
 * given bytes reach and else on the disk (24 bytes for each window): two windows are the same when their hashes are, and
 * every repeated substring of at least the window's length is a run of repeated windows.
 */
public final class SpanDeduplication implements CorpusDeduplication {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int REPEAT_BYTES = 24;

    /** What a span is counted in. */
    public enum Unit {
        /** What lies between white space. */
        WORDS,
        /** Compared without regard to case. */
        SENTENCES
    }

    private final Unit unit;
    private final int window;
    private final int minLeft;
    private final Path folder;
    private final long memoryBytes;
    private final LongRecordSort windows; // hash, ordinal, place
    private final Arena arena = Arena.ofShared();
    private @Nullable MemorySegment repeats; // ordinal, place, first unit to remove: sorted

    /**
     * @param unit what a span is counted in
     * @param window units of a span
     * @param minLeft a document of which fewer units are left goes
     * @param folder for temporary files
     * @param memoryBytes for what is sorted
     */
    public SpanDeduplication(Unit unit, int window, int minLeft, Path folder, long memoryBytes) throws IOException {
        if (window < 1) {
            throw new ConfigurationException("window", window, "use at least 1");
        }
        this.unit = unit;
        this.window = window;
        this.minLeft = minLeft;
        this.folder = folder;
        this.memoryBytes = memoryBytes;
        this.windows = new LongRecordSort(3, folder, "windows", Math.max(4096, memoryBytes / 2));
    }

    @Override
    public String name() {
        return switch (unit) {
            case WORDS -> "substring-dedup";
            case SENTENCES -> "span-dedup";
        };
    }

    /** Runs that had to be written to disk. */
    public int runs() {
        return windows.runs();
    }

    /** Where each unit of a text begins. */
    private int[] starts(String text) {
        int[] starts = new int[text.length() / 5 + 16];
        int count = 0;
        switch (unit) {
            case WORDS -> {
                boolean inside = false;
                for (int i = 0; i < text.length(); i++) {
                    boolean part = !Character.isWhitespace(text.charAt(i));
                    if (part && !inside) {
                        if (count == starts.length) {
                            starts = Arrays.copyOf(starts, 2 * count);
                        }
                        starts[count++] = i;
                    }
                    inside = part;
                }
            }
            case SENTENCES -> {
                for (int line = 0; line < text.length(); ) {
                    int end = text.indexOf('\n', line);
                    end = end < 0 ? text.length() : end;
                    for (int start : Sentences.starts(text.substring(line, end))) {
                        if (count == starts.length) {
                            starts = Arrays.copyOf(starts, 2 * count);
                        }
                        starts[count++] = line + start;
                    }
                    line = end + 1;
                }
            }
        }
        return Arrays.copyOf(starts, count);
    }

    private long[] hashes(String text, int[] starts) {
        long[] hashes = new long[starts.length];
        for (int u = 0; u < starts.length; u++) {
            int to = u + 1 < starts.length ? starts[u + 1] : text.length();
            while (to > starts[u] && Character.isWhitespace(text.charAt(to - 1))) {
                to--;
            }
            String own = unit == Unit.SENTENCES
                    ? text.substring(starts[u], to).toLowerCase(Locale.ROOT)
                    : text.substring(starts[u], to);
            long h = 0xCBF29CE484222325L;
            for (int i = 0; i < own.length(); i++) {
                h = (h ^ own.charAt(i)) * 0x9E3779B97F4A7C15L;
                h ^= h >>> 32;
            }
            hashes[u] = h;
        }
        return hashes;
    }

    @Override
    public void look(Document document, long ordinal) throws IOException {
        String text = document.text();
        long[] hashes = hashes(text, starts(text));
        synchronized (windows) {
            for (int at = 0; at + window <= hashes.length; at++) {
                long h = window;
                for (int i = at; i < at + window; i++) {
                    h = (h ^ hashes[i]) * 0xFF51AFD7ED558CCDL;
                    h ^= h >>> 31;
                }
                windows.add(h, ordinal, at);
            }
        }
    }

    @Override
    public void decide(Path state) throws IOException {
        try (LongRecordSort sort = new LongRecordSort(3, folder, "repeats", Math.max(4096, memoryBytes / 4))) {
            try (LongRecordSort.Cursor cursor = windows.sorted()) {
                long hash = 0;
                long ordinal = -1;
                long place = 0;
                while (cursor.next()) {
                    if (ordinal >= 0 && cursor.first() == hash) {
                        // What overlaps with the first occurrence itself stays.
                        long from =
                                cursor.second() == ordinal ? Math.max(cursor.third(), place + window) : cursor.third();
                        if (from < cursor.third() + window) {
                            sort.add(cursor.second(), cursor.third(), from);
                        }
                    } else {
                        hash = cursor.first();
                        ordinal = cursor.second();
                        place = cursor.third();
                    }
                }
            }
            windows.close();
            try (LongRecordSort.Cursor cursor = sort.sorted();
                    DataOutputStream out =
                            new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(state), 1 << 16))) {
                while (cursor.next()) {
                    out.writeLong(cursor.first());
                    out.writeLong(cursor.second());
                    out.writeLong(cursor.third());
                }
            }
        }
        try (FileChannel channel = FileChannel.open(state, StandardOpenOption.READ)) {
            repeats = channel.size() == 0
                    ? MemorySegment.NULL
                    : channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        }
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        MemorySegment known = Objects.requireNonNull(repeats, "decide() comes before filter()");
        return new DocumentFilter() {
            @Override
            public String name() {
                return SpanDeduplication.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                return remove(document, ordinal, known);
            }
        };
    }

    private Verdict remove(Document document, long ordinal, MemorySegment known) {
        long size = known.byteSize() / REPEAT_BYTES;
        long low = 0;
        long high = size;
        while (low < high) {
            long middle = (low + high) >>> 1;
            if (known.get(LONG, middle * REPEAT_BYTES) < ordinal) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low == size || known.get(LONG, low * REPEAT_BYTES) != ordinal) {
            return new Verdict.Keep(document);
        }
        BitSet gone = new BitSet();
        for (long i = low; i < size && known.get(LONG, i * REPEAT_BYTES) == ordinal; i++) {
            int place = (int) known.get(LONG, i * REPEAT_BYTES + 8);
            gone.set((int) known.get(LONG, i * REPEAT_BYTES + 16), place + window);
        }
        String text = document.text();
        int[] starts = starts(text);
        int left = starts.length - gone.cardinality();
        if (left < minLeft) {
            return new Verdict.Drop("too little of its own", left + " of " + starts.length + " units");
        }
        StringBuilder out = new StringBuilder(text.length());
        for (int u = 0; u < starts.length; ) {
            int next = gone.nextSetBit(u);
            int end = next < 0 ? starts.length : next;
            out.append(text, starts[u], end == starts.length ? text.length() : starts[end]);
            u = end == starts.length ? end : gone.nextClearBit(end);
        }
        return new Verdict.Keep(document.withText(out.toString().strip()));
    }

    @Override
    public void close() throws IOException {
        windows.close();
        arena.close();
    }
}
