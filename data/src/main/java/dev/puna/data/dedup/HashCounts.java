package dev.puna.data.dedup;

import dev.puna.tensor.ConfigurationException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Counts 64-bit hashes in bounded memory outside the Java heap: an open-addressing table of 9 bytes a slot; when it is
 * three quarters full its content becomes a sorted run on disk. {@link #frequent} merges the runs into the sorted file of
 * those that occurred often enough, which is then mapped and searched. The result does not depend on the order of adding.
 * Safe for several threads.
 */
public final class HashCounts implements AutoCloseable {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MAX_COUNT = 255;

    private final Path folder;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment keys;
    private final MemorySegment counts; // one byte a slot; 0 is an empty slot
    private final long slots;
    private final List<Path> runs = new ArrayList<>();
    private long used;

    /**
     * @param folder for runs; created when it is not there
     * @param memoryBytes for the table, at least 9 KiB; counts above 255 stay there
     */
    public HashCounts(Path folder, long memoryBytes) throws IOException {
        if (memoryBytes < 9 << 10) {
            throw new ConfigurationException("memory", memoryBytes, "use at least " + (9 << 10) + " bytes");
        }
        this.folder = folder;
        Files.createDirectories(folder);
        this.slots = Long.highestOneBit(memoryBytes / 9);
        this.keys = arena.allocate(slots * 8);
        this.counts = arena.allocate(slots);
    }

    /** Counts the first {@code length} hashes. */
    public synchronized void add(long[] hashes, int length) throws IOException {
        for (int i = 0; i < length; i++) {
            if (used * 4 >= slots * 3) {
                spill();
            }
            long hash = hashes[i];
            long at = mix(hash) & (slots - 1);
            while (true) {
                int count = counts.get(ValueLayout.JAVA_BYTE, at) & 0xff;
                if (count == 0) {
                    keys.set(LONG, at * 8, hash);
                    counts.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
                    used++;
                    break;
                }
                if (keys.get(LONG, at * 8) == hash) {
                    if (count < MAX_COUNT) {
                        counts.set(ValueLayout.JAVA_BYTE, at, (byte) (count + 1));
                    }
                    break;
                }
                at = (at + 1) & (slots - 1);
            }
        }
    }

    private static long mix(long z) {
        long x = (z ^ (z >>> 32)) * 0x9E3779B97F4A7C15L;
        return x ^ (x >>> 29);
    }

    /** Runs on disk so far. */
    public synchronized int runs() {
        return runs.size();
    }

    /** Sorts in slices of the table by the leading bits of the hash, so that little is needed beside the table. */
    private void spill() throws IOException {
        Path run = folder.resolve("run-" + runs.size() + ".tmp");
        runs.add(run);
        int slices = (int) Math.max(1, Math.min(256, slots / (1 << 16)));
        int bits = 32 - Integer.numberOfLeadingZeros(slices - 1);
        try (DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(run), 1 << 16))) {
            for (int slice = 0; slice < 1 << bits; slice++) {
                long[] found = new long[1 << 10];
                int size = 0;
                for (long at = 0; at < slots; at++) {
                    if (counts.get(ValueLayout.JAVA_BYTE, at) != 0) {
                        long key = keys.get(LONG, at * 8);
                        if (bits == 0 || (int) ((key ^ Long.MIN_VALUE) >>> (64 - bits)) == slice) {
                            if (size == found.length) {
                                found = Arrays.copyOf(found, 2 * size);
                            }
                            found[size++] = key;
                        }
                    }
                }
                Arrays.sort(found, 0, size);
                for (int i = 0; i < size; i++) {
                    out.writeLong(found[i]);
                    out.writeByte(countOf(found[i]));
                }
            }
        }
        counts.fill((byte) 0);
        used = 0;
    }

    private int countOf(long hash) {
        long at = mix(hash) & (slots - 1);
        while (keys.get(LONG, at * 8) != hash || counts.get(ValueLayout.JAVA_BYTE, at) == 0) {
            at = (at + 1) & (slots - 1);
        }
        return counts.get(ValueLayout.JAVA_BYTE, at) & 0xff;
    }

    /** Writes the hashes that occurred at least {@code atLeast} times, sorted, as 8 little-endian bytes each. */
    public synchronized void frequent(int atLeast, Path target) throws IOException {
        if (atLeast > MAX_COUNT) {
            throw new ConfigurationException("threshold", atLeast, "counts end at " + MAX_COUNT);
        }
        spill();
        Path partial = target.resolveSibling(target.getFileName() + ".partial");
        List<Run> open = new ArrayList<>();
        try (DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(partial), 1 << 16))) {
            PriorityQueue<Run> queue = new PriorityQueue<>(Comparator.comparingLong(r -> r.key));
            for (Path path : runs) {
                Run run = new Run(path);
                open.add(run);
                if (run.next()) {
                    queue.add(run);
                }
            }
            while (!queue.isEmpty()) {
                long key = queue.element().key;
                long total = 0;
                while (!queue.isEmpty() && queue.element().key == key) {
                    Run run = queue.remove();
                    total += run.count;
                    if (run.next()) {
                        queue.add(run);
                    }
                }
                if (total >= atLeast) {
                    out.writeLong(Long.reverseBytes(key));
                }
            }
        } finally {
            for (Run run : open) {
                run.in.close();
            }
        }
        Files.move(partial, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    @Override
    public synchronized void close() throws IOException {
        arena.close();
        for (Path run : runs) {
            Files.deleteIfExists(run);
        }
        runs.clear();
    }

    private static final class Run {
        private final DataInputStream in;
        private long key;
        private int count;

        Run(Path path) throws IOException {
            in = new DataInputStream(new BufferedInputStream(Files.newInputStream(path), 1 << 16));
        }

        boolean next() throws IOException {
            try {
                key = in.readLong();
            } catch (EOFException e) {
                return false;
            }
            count = in.readUnsignedByte();
            return true;
        }
    }

    /** A sorted file of hashes, mapped; safe for all threads. */
    public static final class Frequent implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final MemorySegment hashes;
        private final long size;

        /** Opens what {@link HashCounts#frequent} wrote. */
        public Frequent(Path file) throws IOException {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                size = channel.size() / 8;
                hashes =
                        size == 0 ? MemorySegment.NULL : channel.map(FileChannel.MapMode.READ_ONLY, 0, size * 8, arena);
            }
        }

        /** Writes hashes, which come in their signed order, to a file of this kind. */
        static void write(Iterator<long[]> hashes, Path file) throws IOException {
            try (DataOutputStream out =
                    new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file), 1 << 16))) {
                while (hashes.hasNext()) {
                    out.writeLong(Long.reverseBytes(hashes.next()[0]));
                }
            }
        }

        public long size() {
            return size;
        }

        public boolean contains(long hash) {
            long low = 0;
            long high = size - 1;
            while (low <= high) {
                long middle = (low + high) >>> 1;
                long value = hashes.get(LONG, middle * 8);
                if (value < hash) {
                    low = middle + 1;
                } else if (value > hash) {
                    high = middle - 1;
                } else {
                    return true;
                }
            }
            return false;
        }

        @Override
        public void close() {
            arena.close();
        }
    }
}
