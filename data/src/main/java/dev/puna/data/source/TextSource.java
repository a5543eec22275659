package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.LineReader;
import dev.puna.data.ReadReport;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * Documents as JSON lines, or any other file as plain text, compressed or not: pieces of about a megabyte, cut at line
 * ends, are its documents. For what looks at words and not at documents, such as the training of a vocabulary.
 */
public record TextSource() implements DocumentSource {
    private static final int PIECE_BYTES = 1 << 20;
    private static final int MAX_LINE_BYTES = 16 << 20;

    @Override
    public String name() {
        return "text";
    }

    private static boolean isJson(Path path) {
        return path.getFileName().toString().toLowerCase(Locale.ROOT).matches(".*\\.jsonl?(\\.\\w+)?");
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        if (isJson(split.path())) {
            new JsonlSource(name()).read(split, sink, report);
            return;
        }
        StringBuilder piece = new StringBuilder();
        long pieceOffset = 0;
        try (LineReader lines = new LineReader(Compression.open(split.path(), report), MAX_LINE_BYTES)) {
            while (lines.next()) {
                if (lines.tooLong()) {
                    report.broken(
                            split.path(), lines.offset(), "a line of more than " + (MAX_LINE_BYTES >> 20) + " MiB");
                    continue;
                }
                piece.append(new String(lines.bytes(), lines.start(), lines.length(), StandardCharsets.UTF_8))
                        .append('\n');
                if (piece.length() > PIECE_BYTES) {
                    give(split.path(), pieceOffset, piece, sink, report);
                    pieceOffset = lines.offset() + lines.length() + 1;
                }
            }
        }
        if (!piece.isEmpty()) {
            give(split.path(), pieceOffset, piece, sink, report);
        }
    }

    private void give(Path path, long offset, StringBuilder piece, DocumentSink sink, ReadReport report)
            throws IOException {
        Document document = new Document(path.getFileName() + ":" + offset, piece.toString(), name(), Map.of());
        report.addDocument(document);
        sink.accept(document);
        piece.setLength(0);
    }
}
