package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.ReadReport;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Books: text files of Project Gutenberg (one book a file, its licence frame removed), a folder of such files, or JSON
 * lines as PG19 and Books3 are distributed. Duplicates among books are found by
 * {@link dev.puna.data.dedup.BookDeduplication}.
 */
public record BooksSource() implements DocumentSource {
    private static final int MAX_BOOK_BYTES = 64 << 20;

    @Override
    public String name() {
        return "books";
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        Path path = split.path();
        if (Files.isDirectory(path)) {
            List<Path> files;
            try (Stream<Path> walk = Files.walk(path)) {
                files = walk.filter(Files::isRegularFile)
                        .filter(p -> p.toString().toLowerCase(Locale.ROOT).endsWith(".txt"))
                        .sorted()
                        .toList();
            }
            for (Path file : files) {
                book(file, sink, report);
            }
        } else if (path.toString().contains(".json")) {
            new JsonlSource(name(), true).read(split, d -> sink.accept(d.withText(withoutFrame(d.text()))), report);
        } else {
            book(path, sink, report);
        }
    }

    private void book(Path file, DocumentSink sink, ReadReport report) throws IOException {
        byte[] bytes;
        try (InputStream in = Compression.open(file, report)) {
            bytes = in.readNBytes(MAX_BOOK_BYTES + 1);
        }
        if (bytes.length > MAX_BOOK_BYTES) {
            report.broken(file, 0, "a book of more than " + (MAX_BOOK_BYTES >> 20) + " MiB");
            return;
        }
        String raw = new String(bytes, StandardCharsets.UTF_8);
        if (raw.indexOf('\uFFFD') >= 0) {
            raw = new String(bytes, StandardCharsets.ISO_8859_1);
        }
        String text = withoutFrame(raw);
        if (text.isBlank()) {
            report.skip("empty");
            return;
        }
        Map<String, Object> meta = new LinkedHashMap<>();
        field(raw, "Title:", meta, "title");
        field(raw, "Author:", meta, "author");
        field(raw, "Language:", meta, "language");
        Document document = new Document(String.valueOf(file.getFileName()), text, name(), meta);
        report.addDocument(document);
        sink.accept(document);
    }

    private static void field(String raw, String label, Map<String, Object> meta, String key) {
        int at = raw.substring(0, Math.min(raw.length(), 4000)).indexOf("\n" + label);
        if (at >= 0) {
            int from = at + 1 + label.length();
            int end = raw.indexOf('\n', from);
            String value = raw.substring(from, end < 0 ? raw.length() : end).strip();
            if (!value.isEmpty()) {
                meta.put(key, value);
            }
        }
    }

    /** The text between Gutenberg's frames, old and new; other text as it is, with {@code \n} line ends. */
    static String withoutFrame(String raw) {
        String text = (raw.startsWith("\uFEFF") ? raw.substring(1) : raw).replace("\r\n", "\n");
        int from = 0;
        int to = text.length();
        int headLimit = Math.min(text.length(), 60_000);
        int at = 0;
        while (at < headLimit) {
            int end = text.indexOf('\n', at);
            int next = end < 0 ? text.length() : end + 1;
            if (isStart(text.substring(at, Math.min(next, at + 200)))) {
                from = next;
            }
            at = next;
        }
        int tailStart = Math.max(from, text.length() - 60_000);
        at = text.indexOf('\n', tailStart);
        while (at >= 0 && at + 1 < text.length()) {
            int lineStart = at + 1;
            at = text.indexOf('\n', lineStart);
            String line = text.substring(lineStart, Math.min(at < 0 ? text.length() : at, lineStart + 200));
            if (isEnd(line)) {
                to = lineStart;
                break;
            }
        }
        return text.substring(from, Math.max(from, to)).strip();
    }

    private static boolean isStart(String line) {
        String upper = line.strip().toUpperCase(Locale.ROOT);
        return (upper.startsWith("***") && upper.contains("START OF") && upper.contains("PROJECT GUTENBERG"))
                || (upper.startsWith("*END") && upper.contains("SMALL PRINT"))
                || (upper.startsWith("*** START") && upper.contains("GUTENBERG"));
    }

    private static boolean isEnd(String line) {
        String upper = line.strip().toUpperCase(Locale.ROOT);
        return (upper.startsWith("***") && upper.contains("END OF") && upper.contains("PROJECT GUTENBERG"))
                || upper.startsWith("END OF THE PROJECT GUTENBERG")
                || upper.startsWith("END OF PROJECT GUTENBERG")
                || upper.startsWith("END OF THIS PROJECT GUTENBERG");
    }
}
