package dev.puna.data;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Sorts records by a number in bounded memory: what does not fit is written as sorted runs into a temporary folder, and
 * the runs are merged when the records are read. Records with the same key come in the order in which they were added.
 */
public final class ExternalSort implements AutoCloseable {
    /** Takes the records in order. */
    @FunctionalInterface
    public interface Visitor {
        void visit(long key, byte[] value) throws IOException;
    }

    /** The runs could not be written. */
    public static final class SortException extends IOException {
        private static final long serialVersionUID = 1;

        SortException(Path folder, IOException cause) {
            super("cannot sort in " + folder + ": " + cause, cause);
        }
    }

    private record Entry(long key, byte[] value) {}

    private static final int OVERHEAD = 48; // bytes for each entry beside its value

    private final Path folder;
    private final long maxBytes;
    private final List<Entry> entries = new ArrayList<>();
    private final List<Path> runs = new ArrayList<>();
    private long bytes;

    /**
     * @param folder where runs are written; it is made when there is one
     * @param maxBytes memory for records before a run is written
     */
    public ExternalSort(Path folder, long maxBytes) {
        this.folder = folder;
        this.maxBytes = maxBytes;
    }

    /** Adds a record. */
    public void add(long key, byte[] value) throws SortException {
        entries.add(new Entry(key, value));
        bytes += value.length + OVERHEAD;
        if (bytes > maxBytes) {
            spill();
        }
    }

    /** Runs written so far. */
    public int runs() {
        return runs.size();
    }

    private void spill() throws SortException {
        try {
            Files.createDirectories(folder);
            Path run = Files.createTempFile(folder, "sort-", ".run");
            runs.add(run);
            write(run);
        } catch (IOException e) {
            throw new SortException(folder, e);
        }
    }

    private void write(Path run) throws IOException {
        entries.sort(Comparator.comparingLong(Entry::key));
        try (DataOutputStream out = new DataOutputStream(
                new BufferedOutputStream(Compression.ZSTD.compress(Files.newOutputStream(run)), 1 << 16))) {
            for (Entry entry : entries) {
                out.writeLong(entry.key());
                out.writeInt(entry.value().length);
                out.write(entry.value());
            }
        }
        entries.clear();
        bytes = 0;
    }

    /** Hands over every record in order. */
    public void forEach(Visitor visitor) throws IOException {
        entries.sort(Comparator.comparingLong(Entry::key));
        if (runs.isEmpty()) {
            for (Entry entry : entries) {
                visitor.visit(entry.key(), entry.value());
            }
            return;
        }
        List<Run> open = new ArrayList<>();
        try {
            for (Path run : runs) {
                open.add(new Run(open.size(), run));
            }
            PriorityQueue<Run> queue =
                    new PriorityQueue<>(Comparator.comparingLong(Run::key).thenComparingInt(r -> r.number));
            for (Run run : open) {
                if (run.next()) {
                    queue.add(run);
                }
            }
            int inMemory = 0;
            while (!queue.isEmpty() || inMemory < entries.size()) {
                Run first = queue.peek();
                if (first == null
                        || (inMemory < entries.size() && entries.get(inMemory).key() < first.key())) {
                    Entry entry = entries.get(inMemory++);
                    visitor.visit(entry.key(), entry.value());
                } else {
                    queue.poll();
                    visitor.visit(first.key(), first.value);
                    if (first.next()) {
                        queue.add(first);
                    }
                }
            }
        } finally {
            for (Run run : open) {
                run.in.close();
            }
        }
    }

    @Override
    public void close() throws IOException {
        entries.clear();
        for (Path run : runs) {
            Files.deleteIfExists(run);
        }
        runs.clear();
    }

    private static final class Run {
        private final int number;
        private final DataInputStream in;
        private long key;
        private byte[] value = new byte[0];

        Run(int number, Path path) throws IOException {
            this.number = number;
            this.in = new DataInputStream(new BufferedInputStream(Compression.open(path, new ReadReport()), 1 << 16));
        }

        long key() {
            return key;
        }

        boolean next() throws IOException {
            try {
                key = in.readLong();
            } catch (EOFException e) {
                return false;
            }
            value = new byte[in.readInt()];
            in.readFully(value);
            return true;
        }
    }
}
