package dev.puna.data.source;

import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.ReadReport;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The documents of another source, long ones in pieces: cut behind a blank line, else behind a line or a word. For a
 * corpus of a few long texts, of which no whole one could be held out. The pieces of a document are its text, nothing is
 * lost between them; their ids are its id and where they begin, {@code book.txt:16200}.
 *
 * @param source of the documents
 * @param chars that a piece has at most; the last one may have half as many more
 */
public record PiecesSource(DocumentSource source, int chars) implements DocumentSource {
    private static final int LEAST = 256;

    public PiecesSource {
        if (chars < LEAST) {
            throw new ConfigurationException("pieces", chars, "use at least " + LEAST + " characters");
        }
    }

    @Override
    public String name() {
        return source.name();
    }

    @Override
    public DocumentSource within(Path folder, long memoryBytes) {
        return new PiecesSource(source.within(folder, memoryBytes), chars);
    }

    @Override
    public List<Split> splits(Path path) throws IOException {
        return source.splits(path);
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        source.read(split, document -> cut(document, sink, report), report);
    }

    private void cut(Document document, DocumentSink sink, ReadReport report) throws IOException {
        String text = document.text();
        int from = 0;
        while (text.length() - from > chars + chars / 2) {
            int to = end(text, from);
            sink.accept(piece(document, from, to));
            report.addPiece();
            from = to;
        }
        sink.accept(from == 0 ? document : piece(document, from, text.length()));
    }

    private static Document piece(Document document, int from, int to) {
        return new Document(
                document.id() + ":" + from, document.text().substring(from, to), document.source(), document.meta());
    }

    /** Where the piece that begins at {@code from} ends, in its second half. */
    private int end(String text, int from) {
        int last = from + chars;
        for (String mark : List.of("\n\n", "\n", " ")) {
            int at = text.lastIndexOf(mark, last - mark.length());
            if (at >= from + chars / 2) {
                return at + mark.length();
            }
        }
        return Character.isHighSurrogate(text.charAt(last - 1)) ? last - 1 : last;
    }
}
