package dev.puna.data.source;

import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.ParquetReader;
import dev.puna.data.ReadReport;
import dev.puna.data.RecordReader;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Documents as JSON lines or Parquet: of this project, Dolma, RedPajama, or C4's own distribution
 * ({@code c4-train.NNNNN-of-01024.json.gz}).
 *
 * @param name the source that documents without one get; others keep theirs unless {@code rename}
 * @param rename true to give every document this name
 */
public record JsonlSource(String name, boolean rename) implements DocumentSource {
    public JsonlSource(String name) {
        this(name, false);
    }

    /** Of Parquet, the row groups. */
    @Override
    public List<Split> splits(Path path) throws IOException {
        return recordSplits(path);
    }

    static List<Split> recordSplits(Path path) throws IOException {
        if (!Files.isRegularFile(path) || !ParquetReader.isParquet(path)) {
            return List.of(Split.whole(path));
        }
        List<Long> offsets;
        try {
            offsets = ParquetReader.groupOffsets(path);
        } catch (CorruptFileException e) {
            return List.of(Split.whole(path)); // reading it says what is wrong
        }
        List<Split> splits = new ArrayList<>();
        for (int i = 0; i < offsets.size(); i++) {
            splits.add(new Split(
                    path, i == 0 ? 0 : offsets.get(i), i + 1 < offsets.size() ? offsets.get(i + 1) : Long.MAX_VALUE));
        }
        return splits.isEmpty() ? List.of(Split.whole(path)) : splits;
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        try (RecordReader reader = RecordReader.open(split.path(), split.from(), split.to(), report)) {
            for (Document document = reader.next(); document != null; document = reader.next()) {
                boolean other = rename || document.source().equals("unknown");
                sink.accept(other ? new Document(document.id(), document.text(), name, document.meta()) : document);
            }
        }
    }
}
