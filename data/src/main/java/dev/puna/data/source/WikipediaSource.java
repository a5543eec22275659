package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.LineReader;
import dev.puna.data.ReadReport;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/**
 * Articles of a Wikipedia dump ({@code pages-articles.xml.bz2}, multistream or not): the main namespace without
 * redirects, markup to text. Multistream files are read in parallel.
 *
 * @param minChars shorter articles are skipped
 */
public record WikipediaSource(int minChars) implements DocumentSource {
    private static final int MAX_PAGE_BYTES = 32 << 20;
    private static final long SPLIT_BYTES = 32L << 20;

    /** All articles that have text. */
    public WikipediaSource() {
        this(1);
    }

    @Override
    public String name() {
        return "wikipedia";
    }

    @Override
    public List<Split> splits(Path path) throws IOException {
        long size = Files.size(path);
        String name = path.getFileName().toString();
        if (!name.endsWith(".bz2") || size <= SPLIT_BYTES) {
            return List.of(Split.whole(path));
        }
        List<Split> splits = new ArrayList<>();
        for (long from = 0; from < size; from += SPLIT_BYTES) {
            splits.add(new Split(path, from, Math.min(size, from + SPLIT_BYTES)));
        }
        return splits;
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        boolean slice = split.from() > 0 || split.to() != Long.MAX_VALUE;
        try (InputStream in = slice
                ? Bzip2Slice.open(split.path(), split.from(), split.to(), report)
                : Compression.open(split.path(), report)) {
            if (in != null) {
                pages(split.path(), in, sink, report);
            }
        } catch (EOFException | ZipException e) {
            throw new CorruptFileException(
                    split.path(), split.from(), "complete bzip2 streams", String.valueOf(e.getMessage()));
        }
    }

    private void pages(Path path, InputStream in, DocumentSink sink, ReadReport report) throws IOException {
        String file = path.getFileName().toString();
        int wiki = file.indexOf("wiki");
        String language = wiki > 0 && wiki <= 12 ? file.substring(0, wiki).replace('_', '-') : "";
        LineReader lines = new LineReader(in, MAX_PAGE_BYTES);
        ByteArrayOutputStream page = new ByteArrayOutputStream(1 << 16);
        boolean inside = false;
        boolean broken = false;
        long offset = 0;
        while (lines.next()) {
            if (lines.tooLong()) {
                broken = true;
                continue;
            }
            if (is(lines, "<page>")) {
                if (inside) {
                    report.broken(path, offset, "a page that does not end");
                }
                page.reset();
                inside = true;
                broken = false;
                offset = lines.offset();
                continue;
            }
            if (!inside) {
                continue;
            }
            if (is(lines, "</page>")) {
                inside = false;
                if (broken) {
                    report.broken(path, offset, "a page of more than " + (MAX_PAGE_BYTES >> 20) + " MiB");
                } else {
                    page(page.toString(StandardCharsets.UTF_8), language, path, offset, sink, report);
                }
                continue;
            }
            if (page.size() + lines.length() > MAX_PAGE_BYTES) {
                broken = true;
            } else {
                page.write(lines.bytes(), lines.start(), lines.length());
                page.write('\n');
            }
        }
        if (inside) {
            report.broken(path, offset, "a page that does not end");
        }
    }

    private static boolean is(LineReader lines, String tag) {
        byte[] b = lines.bytes();
        int from = lines.start();
        int to = from + lines.length();
        while (from < to && b[from] <= ' ' && b[from] >= 0) {
            from++;
        }
        while (to > from && b[to - 1] <= ' ' && b[to - 1] >= 0) {
            to--;
        }
        if (to - from != tag.length()) {
            return false;
        }
        for (int i = 0; i < tag.length(); i++) {
            if (b[from + i] != tag.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private void page(String xml, String language, Path path, long offset, DocumentSink sink, ReadReport report)
            throws IOException {
        int textTag = xml.indexOf("<text");
        int textStart = textTag < 0 ? -1 : xml.indexOf('>', textTag) + 1;
        String head = textTag < 0 ? xml : xml.substring(0, textTag);
        String title = element(head, "title");
        String id = element(head, "id");
        if (title == null || id == null || textStart <= 0) {
            report.broken(path, offset, "a page without title, id or text");
            return;
        }
        if (!"0".equals(element(head, "ns"))) {
            report.skip("namespace");
            return;
        }
        if (head.contains("<redirect")) {
            report.skip("redirect");
            return;
        }
        int textEnd = xml.charAt(textStart - 2) == '/' ? textStart : xml.indexOf("</text>", textStart);
        if (textEnd < 0) {
            report.broken(path, offset, "a page whose text does not end");
            return;
        }
        String text = Wikitext.toText(unescape(xml, textStart, textEnd));
        if (text.length() < minChars) {
            report.skip("too short");
            return;
        }
        String name = unescape(title, 0, title.length());
        Map<String, Object> meta = new LinkedHashMap<>();
        meta.put("title", name);
        if (!language.isEmpty()) {
            meta.put("language", language);
            meta.put(
                    "url",
                    "https://" + language + ".wikipedia.org/wiki/"
                            + URLEncoder.encode(name.replace(' ', '_'), StandardCharsets.UTF_8));
        }
        String timestamp = element(head, "timestamp");
        if (timestamp != null) {
            meta.put("timestamp", timestamp);
        }
        Document document = new Document(id, text, name(), meta);
        report.addDocument(document);
        sink.accept(document);
    }

    private static @Nullable String element(String xml, String name) {
        int from = xml.indexOf("<" + name + ">");
        int to = from < 0 ? -1 : xml.indexOf("</" + name + ">", from);
        return to < 0 ? null : xml.substring(from + name.length() + 2, to);
    }

    /** XML's five entities and numbers. */
    static String unescape(String s, int from, int to) {
        int amp = s.indexOf('&', from);
        if (amp < 0 || amp >= to) {
            return s.substring(from, to);
        }
        StringBuilder out = new StringBuilder(to - from);
        int at = from;
        while (amp >= 0 && amp < to) {
            out.append(s, at, amp);
            at = amp + 1;
            int end = amp + 1;
            int limit = Math.min(to, amp + 12);
            while (end < limit && s.charAt(end) != ';') {
                end++;
            }
            if (end == limit) {
                out.append('&');
            } else {
                String name = s.substring(amp + 1, end);
                switch (name) {
                    case "lt" -> out.append('<');
                    case "gt" -> out.append('>');
                    case "amp" -> out.append('&');
                    case "quot" -> out.append('"');
                    case "apos" -> out.append('\'');
                    default -> {
                        int code = number(name);
                        if (code < 0) {
                            out.append('&').append(name).append(';');
                        } else {
                            out.appendCodePoint(code);
                        }
                    }
                }
                at = end + 1;
            }
            amp = s.indexOf('&', at);
        }
        return out.append(s, at, to).toString();
    }

    private static int number(String name) {
        if (name.length() < 2 || name.charAt(0) != '#') {
            return -1;
        }
        boolean hex = name.charAt(1) == 'x' || name.charAt(1) == 'X';
        try {
            int code = Integer.parseInt(name.substring(hex ? 2 : 1), hex ? 16 : 10);
            return Character.isValidCodePoint(code) ? code : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
