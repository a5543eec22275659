package dev.puna.data.dedup;

import dev.puna.data.LongRecordSort;
import java.io.BufferedOutputStream;
import java.io.Closeable;
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
import java.util.Iterator;
import java.util.OptionalLong;

/**
 * Which documents of a corpus go, each with the one that stays for it: a sorted file of pairs of 16 bytes, mapped and
 * searched, so that it takes no memory of the program's. Safe for all threads.
 */
final class Duplicates implements Closeable {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Arena arena = Arena.ofShared();
    private final MemorySegment pairs;
    private final long size;

    /** Writes the pairs (document, the one that stays) of {@code sort} to {@code file} and opens it. */
    static Duplicates write(LongRecordSort sort, Path file) throws IOException {
        try (LongRecordSort.Cursor cursor = sort.sorted();
                DataOutputStream out =
                        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file), 1 << 16))) {
            while (cursor.next()) {
                out.writeLong(cursor.first());
                out.writeLong(cursor.second());
            }
        }
        return new Duplicates(file);
    }

    /** Writes pairs, which come in the order of the documents, to a file of this kind. */
    static void write(Iterator<long[]> pairs, Path file) throws IOException {
        try (DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file), 1 << 16))) {
            while (pairs.hasNext()) {
                long[] pair = pairs.next();
                out.writeLong(pair[0]);
                out.writeLong(pair[1]);
            }
        }
    }

    /** Opens such a file. */
    Duplicates(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            size = channel.size() / 16;
            pairs = size == 0 ? MemorySegment.NULL : channel.map(FileChannel.MapMode.READ_ONLY, 0, size * 16, arena);
        }
    }

    /** The document that stays for this one; empty when this one stays. */
    OptionalLong keptFor(long ordinal) {
        long low = 0;
        long high = size - 1;
        while (low <= high) {
            long middle = (low + high) >>> 1;
            long value = pairs.get(LONG, middle * 16);
            if (value < ordinal) {
                low = middle + 1;
            } else if (value > ordinal) {
                high = middle - 1;
            } else {
                return OptionalLong.of(pairs.get(LONG, middle * 16 + 8));
            }
        }
        return OptionalLong.empty();
    }

    /** How many go. */
    long size() {
        return size;
    }

    @Override
    public void close() {
        arena.close();
    }
}
