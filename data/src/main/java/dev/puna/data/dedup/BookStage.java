package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * {@link BookDeduplication} as a stage of a pipeline, exact: the different shingles of every book lie in a file (about
 * ten bytes for each character of text), in memory are 32 bytes for each book. Books are compared in the order of the
 * corpus with those before them that stay: where the SimHashes are near, the shingles are read and counted.
 */
public final class BookStage implements CorpusDeduplication {
    private final int maxDistance;
    private final double maxOverlap;
    private final Path file;
    private final FileChannel channel;
    private long[] books = new long[4 * 256]; // ordinal, SimHash, place in the file, number of shingles
    private int size;
    private long end;
    private final Map<Long, Long> duplicates = new HashMap<>();

    /**
     * @param maxDistance books whose SimHashes differ in more bits are different
     * @param maxOverlap a book of which an earlier one holds a larger share goes, 0 to 1
     * @param folder for a temporary file
     */
    public BookStage(int maxDistance, double maxOverlap, Path folder) throws IOException {
        this.maxDistance = maxDistance;
        this.maxOverlap = maxOverlap;
        Files.createDirectories(folder);
        this.file = folder.resolve("shingles.bin");
        this.channel = FileChannel.open(
                file,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
    }

    @Override
    public String name() {
        return "book-dedup";
    }

    @Override
    public void look(Document document, long ordinal) throws IOException {
        long[] all = BookDeduplication.shingleHashes(document.text());
        long simHash = BookDeduplication.simHash(all);
        Arrays.sort(all);
        int different = 0;
        for (int i = 0; i < all.length; i++) {
            if (i == 0 || all[i] != all[i - 1]) {
                all[different++] = all[i];
            }
        }
        ByteBuffer bytes = ByteBuffer.allocate(8 * different);
        bytes.asLongBuffer().put(all, 0, different);
        long place;
        synchronized (this) {
            if (4 * size == books.length) {
                books = Arrays.copyOf(books, 2 * books.length);
            }
            place = end;
            end += bytes.capacity();
            books[4 * size] = ordinal;
            books[4 * size + 1] = simHash;
            books[4 * size + 2] = place;
            books[4 * size + 3] = different;
            size++;
        }
        while (bytes.hasRemaining()) {
            channel.write(bytes, place + bytes.position());
        }
    }

    @Override
    public void decide(Path state) throws IOException {
        Integer[] order = new Integer[size];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> Long.compare(books[4 * a], books[4 * b]));
        int[] kept = new int[size];
        int keptCount = 0;
        for (int book : order) {
            long hash = books[4 * book + 1];
            long[] own = null;
            int earlier = -1;
            for (int i = 0; i < keptCount && earlier < 0; i++) {
                if (Long.bitCount(books[4 * kept[i] + 1] ^ hash) <= maxDistance) {
                    own = own == null ? shingles(book) : own;
                    if (BookDeduplication.overlap(shingles(kept[i]), own) > maxOverlap) {
                        earlier = kept[i];
                    }
                }
            }
            if (earlier >= 0) {
                duplicates.put(books[4 * book], books[4 * earlier]);
            } else {
                kept[keptCount++] = book;
            }
        }
    }

    private long[] shingles(int book) throws IOException {
        long[] hashes = new long[(int) books[4 * book + 3]];
        ByteBuffer bytes = ByteBuffer.allocate(8 * hashes.length);
        while (bytes.hasRemaining() && channel.read(bytes, books[4 * book + 2] + bytes.position()) >= 0) {}
        bytes.flip().asLongBuffer().get(hashes);
        return hashes;
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        return new DocumentFilter() {
            @Override
            public String name() {
                return "book-dedup";
            }

            @Override
            public Verdict apply(Document document) {
                Long earlier = duplicates.get(ordinal);
                return earlier == null
                        ? new Verdict.Keep(document)
                        : new Verdict.Drop("overlaps with an earlier book", "document " + earlier);
            }
        };
    }

    @Override
    public void close() throws IOException {
        channel.close();
        Files.deleteIfExists(file);
    }
}
