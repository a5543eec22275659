package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.LineReader;
import dev.puna.data.ReadReport;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Documents as JSON lines, or any other file as plain text of any size, compressed or not: pieces of about a megabyte,
 * cut at line ends, are its documents. Of a folder, its text files. For what looks at words and not at documents, such
 * as the training of a vocabulary; {@link PiecesSource} makes smaller pieces of these.
 */
public record TextSource() implements DocumentSource {
    private static final int PIECE_BYTES = 1 << 20;
    private static final int MAX_LINE_BYTES = 16 << 20;
    private static final Pattern TEXT_NAME = Pattern.compile("(?i).*\\.(txt|text)(\\.(gz|zst|bz2|xz))?");

    @Override
    public String name() {
        return "text";
    }

    private static boolean isJson(Path path) {
        return path.getFileName().toString().toLowerCase(Locale.ROOT).matches(".*\\.jsonl?(\\.\\w+)?");
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        if (Files.isDirectory(split.path())) {
            List<Path> files;
            try (Stream<Path> walk = Files.walk(split.path())) {
                files = walk.filter(Files::isRegularFile)
                        .filter(p -> TEXT_NAME.matcher(p.toString()).matches())
                        .sorted()
                        .toList();
            }
            for (Path file : files) {
                lines(file, split.path().relativize(file).toString(), sink, report);
            }
        } else if (isJson(split.path())) {
            new JsonlSource(name()).read(split, sink, report);
        } else {
            lines(split.path(), String.valueOf(split.path().getFileName()), sink, report);
        }
    }

    private void lines(Path path, String id, DocumentSink sink, ReadReport report) throws IOException {
        StringBuilder piece = new StringBuilder();
        long pieceOffset = 0;
        try (LineReader lines = new LineReader(Compression.open(path, report), MAX_LINE_BYTES)) {
            while (lines.next()) {
                if (lines.tooLong()) {
                    report.broken(path, lines.offset(), "a line of more than " + (MAX_LINE_BYTES >> 20) + " MiB");
                    continue;
                }
                piece.append(new String(lines.bytes(), lines.start(), lines.length(), StandardCharsets.UTF_8))
                        .append('\n');
                if (piece.length() > PIECE_BYTES) {
                    give(id, pieceOffset, piece, sink, report);
                    pieceOffset = lines.offset() + lines.length() + 1;
                }
            }
        }
        if (!piece.isEmpty()) {
            give(id, pieceOffset, piece, sink, report);
        }
    }

    private void give(String id, long offset, StringBuilder piece, DocumentSink sink, ReadReport report)
            throws IOException {
        Document document = new Document(id + ":" + offset, piece.toString(), name(), Map.of());
        report.addDocument(document);
        sink.accept(document);
        piece.setLength(0);
    }
}
