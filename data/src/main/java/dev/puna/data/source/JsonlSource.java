package dev.puna.data.source;

import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.JsonlReader;
import dev.puna.data.ReadReport;
import java.io.IOException;

/**
 * Documents as JSON lines: of this project, Dolma, RedPajama, or C4's own distribution
 * ({@code c4-train.NNNNN-of-01024.json.gz}).
 *
 * @param name the source that documents without one get; others keep theirs unless {@code rename}
 * @param rename true to give every document this name
 */
public record JsonlSource(String name, boolean rename) implements DocumentSource {
    public JsonlSource(String name) {
        this(name, false);
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        try (JsonlReader reader = new JsonlReader(split.path(), report)) {
            for (Document document = reader.next(); document != null; document = reader.next()) {
                boolean other = rename || document.source().equals("unknown");
                sink.accept(other ? new Document(document.id(), document.text(), name, document.meta()) : document);
            }
        }
    }
}
