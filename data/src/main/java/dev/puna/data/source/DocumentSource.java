package dev.puna.data.source;

import dev.puna.data.DocumentSink;
import dev.puna.data.ReadReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Turns what a publisher ships into documents. Safe for use by several threads on different splits. */
public interface DocumentSource {
    /** The name that the documents carry as their source. */
    String name();

    /**
     * Reads one split from its beginning to its end and hands over each document.
     *
     * @throws dev.puna.tensor.CorruptFileException when the rest of the file cannot be read; what came before it has
     *     been handed over
     */
    void read(Split split, DocumentSink sink, ReadReport report) throws IOException;

    /** The same source, with its temporary files in {@code folder} and within {@code memoryBytes} for each split. */
    default DocumentSource within(Path folder, long memoryBytes) {
        return this;
    }

    /** Parts of {@code path} that can be read in parallel, in the order of the file; most formats have one. */
    default List<Split> splits(Path path) throws IOException {
        return List.of(Split.whole(path));
    }
}
