package dev.puna.data.dedup;

import dev.puna.data.LongRecordSort;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Connected components of a graph whose edges are on the disk: every node comes to point to the smallest of its
 * component. Alternating large-star and small-star steps (Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii, Connected
 * components in MapReduce and beyond, 2014), each one sort; a few rounds are enough for clusters of near-duplicates.
 */
final class Components implements Closeable {
    private final Path folder;
    private final long memoryBytes;
    private LongRecordSort edges; // (larger, smaller), in no order
    private int round;

    /** No edges yet. Four sorts of a quarter of {@code memoryBytes} are open at a time. */
    Components(Path folder, long memoryBytes) throws IOException {
        this.folder = folder;
        this.memoryBytes = Math.max(4096, memoryBytes / 4);
        this.edges = newSort();
    }

    private LongRecordSort newSort() throws IOException {
        return new LongRecordSort(2, folder, "edges-" + round++, memoryBytes);
    }

    void edge(long a, long b) throws IOException {
        if (a != b) {
            edges.add(Math.max(a, b), Math.min(a, b));
        }
    }

    /** The pairs (node, smallest of its component) for all nodes that are not the smallest; the caller closes it. */
    LongRecordSort stars() throws IOException {
        long before = 0;
        while (true) {
            replace(largeStar());
            Stars small = smallStar();
            replace(small.edges);
            if (small.checksum == before) {
                LongRecordSort done = edges;
                edges = newSort();
                return done;
            }
            before = small.checksum;
        }
    }

    private void replace(LongRecordSort next) throws IOException {
        edges.close();
        edges = next;
    }

    /** Every larger neighbour of a node goes to the smallest of its neighbours and itself. */
    private LongRecordSort largeStar() throws IOException {
        LongRecordSort next = newSort();
        try (LongRecordSort both = newSort()) {
            try (LongRecordSort.Cursor cursor = edges.sorted()) {
                while (cursor.next()) {
                    both.add(cursor.first(), cursor.second());
                    both.add(cursor.second(), cursor.first());
                }
            }
            edges.close();
            try (LongRecordSort.Cursor cursor = both.sorted()) {
                long node = -1;
                long smallest = -1;
                long previous = -1;
                while (cursor.next()) {
                    long neighbour = cursor.second();
                    if (cursor.first() != node) {
                        node = cursor.first();
                        smallest = Math.min(node, neighbour); // neighbours come in order
                        previous = -1;
                    }
                    if (neighbour != previous && neighbour > node) {
                        next.add(neighbour, smallest);
                    }
                    previous = neighbour;
                }
            }
        }
        return next;
    }

    private record Stars(LongRecordSort edges, long checksum) {}

    /** A node and its smaller neighbours go to the smallest of them. */
    private Stars smallStar() throws IOException {
        LongRecordSort next = newSort();
        long checksum = 1;
        try (LongRecordSort.Cursor cursor = edges.sorted()) {
            long node = -1;
            long smallest = -1;
            long previous = -1;
            while (cursor.next()) {
                long neighbour = cursor.second();
                if (cursor.first() != node) {
                    node = cursor.first();
                    smallest = neighbour;
                    next.add(node, smallest);
                    checksum += mix(node, smallest);
                } else if (neighbour != previous) {
                    next.add(neighbour, smallest);
                    checksum += mix(neighbour, smallest);
                }
                previous = neighbour;
            }
        }
        return new Stars(next, checksum);
    }

    private static long mix(long a, long b) {
        long h = (a * 0x9E3779B97F4A7C15L) ^ (b + 0x632BE59BD9B4E019L);
        h = (h ^ (h >>> 31)) * 0xBF58476D1CE4E5B9L;
        return h ^ (h >>> 29);
    }

    @Override
    public void close() throws IOException {
        edges.close();
    }
}
