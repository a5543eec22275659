package dev.puna.speedrun;

import dev.puna.data.DocumentSink;
import dev.puna.data.ReadReport;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Split;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * One side of the split into training and held-out documents. Which side a document is on follows from a hash of its id
 * (of a program: its path) and nothing else, so a document never changes sides when others come or go.
 *
 * @param source of all documents
 * @param share of the documents that are held out, in (0, 1)
 * @param heldOut which side
 */
record HeldOut(DocumentSource source, double share, boolean heldOut) implements DocumentSource {
    @Override
    public String name() {
        return source.name();
    }

    @Override
    public List<Split> splits(Path path) throws IOException {
        return source.splits(path);
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        source.read(
                split,
                document -> {
                    if (isHeldOut(document.id(), share) == heldOut) {
                        sink.accept(document);
                    }
                },
                report);
    }

    /** Whether a document of this id is held out. */
    static boolean isHeldOut(String id, double share) {
        return place(id) < share;
    }

    /** Where an id stands in [0, 1), evenly over all ids. */
    static double place(String id) {
        CRC32C crc = new CRC32C();
        crc.update(id.getBytes(StandardCharsets.UTF_8));
        return crc.getValue() / 0x1p32;
    }
}
