package dev.puna.data;

import dev.puna.tensor.ConfigurationException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Sorts records of two or three numbers in bounded memory: they are collected in one array that grows to the given size
 * (growing takes half as much again) and becomes a sorted run on disk when it is full; {@link #sorted} merges the runs. Records are ordered by their first
 * number, then the second, then the third, as signed numbers. Adding is safe for several threads, and the order does not
 * depend on theirs.
 */
public final class LongRecordSort implements Closeable {
    private static final int RUN_BUFFER_BYTES = 1 << 16;
    private static final int SMALL = 12; // records that are sorted by insertion

    private final int width;
    private final Path folder;
    private final String name;
    private final int most; // numbers that the array may hold
    private long[] records;
    private final List<Path> runs = new ArrayList<>();
    private int used; // numbers in the array

    /**
     * @param width numbers in a record, 2 or 3
     * @param folder for runs; created when it is not there
     * @param name of the runs, different from those of other sorts in the folder
     * @param memoryBytes of the array
     */
    public LongRecordSort(int width, Path folder, String name, long memoryBytes) throws IOException {
        if (width < 2 || width > 3) {
            throw new ConfigurationException("width", width, "use 2 or 3");
        }
        if (memoryBytes < 4096) {
            throw new ConfigurationException("memory", memoryBytes, "use at least 4096 bytes");
        }
        this.width = width;
        this.folder = folder;
        this.name = name;
        this.most = (int) Math.min(memoryBytes / 8 / width, (Integer.MAX_VALUE - 64) / width) * width;
        this.records = new long[Math.min(most, 1024 * width)];
        Files.createDirectories(folder);
    }

    /** Adds a record of two numbers. */
    public synchronized void add(long a, long b) throws IOException {
        if (used == records.length) {
            makeRoom();
        }
        records[used] = a;
        records[used + 1] = b;
        used += 2;
    }

    /** Adds a record of three numbers. */
    public synchronized void add(long a, long b, long c) throws IOException {
        if (used == records.length) {
            makeRoom();
        }
        records[used] = a;
        records[used + 1] = b;
        records[used + 2] = c;
        used += 3;
    }

    /** Runs on disk so far. */
    public synchronized int runs() {
        return runs.size();
    }

    private void makeRoom() throws IOException {
        if (used == most) {
            spill();
        } else {
            records = Arrays.copyOf(records, (int) Math.min(most, 2L * used));
        }
    }

    private void spill() throws IOException {
        sort(0, used / width - 1);
        Path run = folder.resolve(name + "-" + runs.size() + ".run");
        runs.add(run);
        ByteBuffer bytes = ByteBuffer.allocateDirect(1 << 20);
        try (FileChannel channel = FileChannel.open(
                run, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            for (int at = 0; at < used; ) {
                int count = Math.min(used - at, bytes.capacity() / 8);
                bytes.clear();
                bytes.asLongBuffer().put(records, at, count);
                bytes.limit(count * 8);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                at += count;
            }
        }
        used = 0;
    }

    private int compare(int record, long first, long second, long third) {
        int at = record * width;
        int order = Long.compare(records[at], first);
        if (order == 0) {
            order = Long.compare(records[at + 1], second);
        }
        return order == 0 && width == 3 ? Long.compare(records[at + 2], third) : order;
    }

    private void swap(int a, int b) {
        for (int i = 0; i < width; i++) {
            long kept = records[a * width + i];
            records[a * width + i] = records[b * width + i];
            records[b * width + i] = kept;
        }
    }

    /** Quicksort around the middle record; the smaller part by recursion, so that the stack stays small. */
    private void sort(int low, int high) {
        while (high - low > SMALL) {
            int middle = (low + high) >>> 1;
            medianToMiddle(low, middle, high);
            long first = records[middle * width];
            long second = records[middle * width + 1];
            long third = width == 3 ? records[middle * width + 2] : 0;
            int i = low;
            int k = high;
            while (i <= k) {
                while (compare(i, first, second, third) < 0) {
                    i++;
                }
                while (compare(k, first, second, third) > 0) {
                    k--;
                }
                if (i <= k) {
                    swap(i++, k--);
                }
            }
            if (k - low < high - i) {
                sort(low, k);
                low = i;
            } else {
                sort(i, high);
                high = k;
            }
        }
        for (int i = low + 1; i <= high; i++) {
            for (int k = i; k > low && greater(k - 1, k); k--) {
                swap(k - 1, k);
            }
        }
    }

    private boolean greater(int a, int b) {
        int at = b * width;
        return compare(a, records[at], records[at + 1], width == 3 ? records[at + 2] : 0) > 0;
    }

    private void medianToMiddle(int low, int middle, int high) {
        if (greater(low, middle)) {
            swap(low, middle);
        }
        if (greater(middle, high)) {
            swap(middle, high);
            if (greater(low, middle)) {
                swap(low, middle);
            }
        }
    }

    /** The records in order; nothing may be added any more. */
    public synchronized Cursor sorted() throws IOException {
        if (runs.isEmpty()) {
            sort(0, used / width - 1);
            return new Cursor(List.of());
        }
        if (used > 0) {
            spill();
        }
        List<Run> open = new ArrayList<>();
        try {
            for (Path run : runs) {
                open.add(new Run(run));
            }
            return new Cursor(open);
        } catch (IOException e) {
            for (Run run : open) {
                run.channel.close();
            }
            throw e;
        }
    }

    @Override
    public synchronized void close() throws IOException {
        for (Path run : runs) {
            Files.deleteIfExists(run);
        }
        runs.clear();
        used = 0;
    }

    /** Goes over the records in order. */
    public final class Cursor implements Closeable {
        private final List<Run> open;
        private final PriorityQueue<Run> queue = new PriorityQueue<>((a, b) -> {
            int order = Long.compare(a.record[0], b.record[0]);
            order = order == 0 ? Long.compare(a.record[1], b.record[1]) : order;
            return order == 0 ? Long.compare(a.record[2], b.record[2]) : order;
        });
        private final long[] record = new long[3];
        private int at;

        private Cursor(List<Run> open) throws IOException {
            this.open = open;
            for (Run run : open) {
                if (run.next()) {
                    queue.add(run);
                }
            }
        }

        /** Moves to the next record; false at the end. */
        public boolean next() throws IOException {
            if (open.isEmpty()) {
                if (at == used) {
                    return false;
                }
                System.arraycopy(records, at, record, 0, width);
                at += width;
                return true;
            }
            Run least = queue.poll();
            if (least == null) {
                return false;
            }
            System.arraycopy(least.record, 0, record, 0, width);
            if (least.next()) {
                queue.add(least);
            }
            return true;
        }

        public long first() {
            return record[0];
        }

        public long second() {
            return record[1];
        }

        /** 0 in a record of two numbers. */
        public long third() {
            return record[2];
        }

        @Override
        public void close() throws IOException {
            for (Run run : open) {
                run.channel.close();
            }
        }
    }

    private final class Run {
        private final FileChannel channel;
        private final ByteBuffer bytes = ByteBuffer.allocate(RUN_BUFFER_BYTES / 24 * 24);
        private LongBuffer numbers = LongBuffer.allocate(0);
        private final long[] record = new long[3];

        Run(Path path) throws IOException {
            channel = FileChannel.open(path, StandardOpenOption.READ);
        }

        boolean next() throws IOException {
            if (!numbers.hasRemaining()) {
                bytes.clear();
                while (bytes.hasRemaining() && channel.read(bytes) >= 0) {}
                bytes.flip();
                numbers = bytes.asLongBuffer();
                if (numbers.remaining() < width) {
                    return false;
                }
            }
            numbers.get(record, 0, width);
            return true;
        }
    }
}
