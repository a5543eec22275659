package dev.puna.data;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads records of named fields, one after the other, from JSON lines or from Parquet. */
public interface RecordReader extends Closeable {
    /** The next record, or null at the end. */
    @Nullable
    Map<String, Object> nextRecord() throws IOException;

    /** Where that record stands: its first byte in the decompressed file, or the number of its row. */
    long offset();

    /** Where broken records are reported. */
    ReadReport report();

    /** The file, for messages. */
    Path path();

    /** Opens a file of either kind; of Parquet, the row groups that begin in bytes {@code [from, to)}. */
    static RecordReader open(Path path, long from, long to, ReadReport report) throws IOException {
        return ParquetReader.isParquet(path)
                ? new ParquetReader(path, from, to, report)
                : new JsonlReader(path, report);
    }

    /**
     * The next document, or null at the end. A record without {@code text} (or {@code content}) is broken. An id that
     * is missing becomes the name of the file and the offset; a source that is missing becomes {@code unknown}.
     */
    default @Nullable Document next() throws IOException {
        while (true) {
            Map<String, Object> fields = nextRecord();
            if (fields == null) {
                return null;
            }
            Object text = fields.remove("text");
            if (text == null) {
                text = fields.remove("content");
            }
            if (!(text instanceof String s)) {
                report().broken(path(), offset(), "no field \"text\"");
                continue;
            }
            Object id = fields.remove("id");
            Object source = fields.remove("source");
            Map<String, Object> meta = new LinkedHashMap<>();
            for (String key : List.of("meta", "metadata")) {
                if (fields.get(key) instanceof Map<?, ?> map) {
                    map.forEach((k, v) -> meta.put(String.valueOf(k), v));
                    fields.remove(key);
                }
            }
            if (source == null && meta.get("source") instanceof String inside) {
                source = inside;
            }
            fields.forEach(meta::putIfAbsent);
            Document document = new Document(
                    id == null ? path().getFileName() + ":" + offset() : id.toString(),
                    s,
                    source == null ? "unknown" : source.toString(),
                    meta);
            report().addDocument(document);
            return document;
        }
    }
}
