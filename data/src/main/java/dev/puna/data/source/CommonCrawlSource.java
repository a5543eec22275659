package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.ReadReport;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.InflaterInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Web pages of CommonCrawl: WET files (text already extracted) and WARC files (HTML, made into text here). As in cc_net a
 * document's first line is its title, and one with fewer than {@code minChars} characters is dropped; cc_net reads header
 * fields by position, which fails for dumps since 2020, here they are read by name.
 *
 * @param minChars shorter pages are skipped; cc_net's number is 300
 */
public record CommonCrawlSource(int minChars) implements DocumentSource {
    private static final int MAX_RECORD_BYTES = 16 << 20;

    /** With cc_net's 300 characters. */
    public CommonCrawlSource() {
        this(300);
    }

    @Override
    public String name() {
        return "commoncrawl";
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        try (InputStream in = Compression.open(split.path(), report)) {
            WarcRecords records = new WarcRecords(in, MAX_RECORD_BYTES);
            try {
                for (WarcRecords.WarcRecord record = records.next(); record != null; record = records.next()) {
                    String type = record.field("warc-type");
                    if (record.block() == null) {
                        report.broken(
                                split.path(),
                                record.offset(),
                                "a record of more than " + (MAX_RECORD_BYTES >> 20) + " MiB");
                    } else if ("conversion".equals(type)) {
                        page(record, new String(record.block(), StandardCharsets.UTF_8), sink, report);
                    } else if ("response".equals(type)) {
                        String text = response(record, record.block(), report);
                        if (text != null) {
                            page(record, text, sink, report);
                        }
                    } else {
                        report.skip("record of another type");
                    }
                }
            } catch (EOFException e) {
                throw new CorruptFileException(
                        split.path(), report.bytes(), "whole WARC records", String.valueOf(e.getMessage()));
            }
            if (records.resynchronized() > 0) {
                report.broken(
                        split.path(),
                        0,
                        records.resynchronized() + " places that should begin a record and do not (skipped)");
            }
        }
    }

    private void page(WarcRecords.WarcRecord record, String block, DocumentSink sink, ReadReport report)
            throws IOException {
        StringBuilder text = new StringBuilder(block.length());
        String title = null;
        for (int at = 0; at < block.length(); ) {
            int end = block.indexOf('\n', at);
            if (end < 0) {
                end = block.length();
            }
            String line = block.substring(at, end).strip();
            if (title == null) {
                title = line;
            }
            if (!line.isEmpty()) {
                if (!text.isEmpty()) {
                    text.append('\n');
                }
                text.append(line);
            }
            at = end + 1;
        }
        if (text.length() < minChars) {
            report.skip("too short");
            return;
        }
        Map<String, Object> meta = new LinkedHashMap<>();
        put(meta, "url", record.field("warc-target-uri"));
        put(meta, "timestamp", record.field("warc-date"));
        put(meta, "digest", record.field("warc-block-digest"));
        put(meta, "languages", record.field("warc-identified-content-language"));
        put(meta, "title", title);
        String id = record.field("warc-record-id");
        Document document = new Document(id == null ? "offset:" + record.offset() : id, text.toString(), name(), meta);
        report.addDocument(document);
        sink.accept(document);
    }

    private static void put(Map<String, Object> meta, String key, @Nullable String value) {
        if (value != null && !value.isEmpty()) {
            meta.put(key, value);
        }
    }

    /** The text of an HTTP response that holds HTML, or null. */
    private static @Nullable String response(WarcRecords.WarcRecord record, byte[] block, ReadReport report) {
        int body = -1;
        for (int i = 0; i + 3 < block.length && i < (1 << 16); i++) {
            if (block[i] == '\r' && block[i + 1] == '\n' && block[i + 2] == '\r' && block[i + 3] == '\n') {
                body = i + 4;
                break;
            }
            if (block[i] == '\n' && block[i + 1] == '\n') {
                body = i + 2;
                break;
            }
        }
        if (body < 0) {
            report.skip("response without a body");
            return null;
        }
        String contentType = "";
        String encoding = "";
        String transfer = "";
        boolean first = true;
        for (String line : new String(block, 0, body, StandardCharsets.ISO_8859_1).split("\r?\n")) {
            if (first) {
                first = false;
                if (!line.contains(" 200")) {
                    report.skip("status other than 200");
                    return null;
                }
                continue;
            }
            int colon = line.indexOf(':');
            if (colon > 0) {
                String value = line.substring(colon + 1).strip();
                switch (line.substring(0, colon).strip().toLowerCase(Locale.ROOT)) {
                    case "content-type" -> contentType = value;
                    case "content-encoding" -> encoding = value.toLowerCase(Locale.ROOT);
                    case "transfer-encoding" -> transfer = value.toLowerCase(Locale.ROOT);
                    default -> {}
                }
            }
        }
        if (!contentType.isEmpty() && !contentType.contains("html")) {
            report.skip("not HTML");
            return null;
        }
        byte[] content = java.util.Arrays.copyOfRange(block, body, block.length);
        try {
            if (transfer.contains("chunked")) {
                content = unchunked(content);
            }
            if (encoding.contains("gzip")) {
                content = new GZIPInputStream(new ByteArrayInputStream(content)).readNBytes(MAX_RECORD_BYTES);
            } else if (encoding.contains("deflate")) {
                content = new InflaterInputStream(new ByteArrayInputStream(content)).readNBytes(MAX_RECORD_BYTES);
            } else if (!encoding.isEmpty() && !encoding.equals("identity")) {
                report.skip("unknown content encoding");
                return null;
            }
            return HtmlText.of(content, charset(contentType), String.valueOf(record.field("warc-target-uri")));
        } catch (IOException e) {
            report.skip("body that cannot be decoded");
            return null;
        }
    }

    private static @Nullable String charset(String contentType) {
        int at = contentType.toLowerCase(Locale.ROOT).indexOf("charset=");
        if (at < 0) {
            return null;
        }
        String name = contentType.substring(at + 8).strip();
        int end = 0;
        while (end < name.length() && "; ,".indexOf(name.charAt(end)) < 0) {
            end++;
        }
        name = name.substring(0, end).replace("\"", "").replace("'", "");
        try {
            return java.nio.charset.Charset.isSupported(name) ? name : null;
        } catch (java.nio.charset.IllegalCharsetNameException e) {
            return null;
        }
    }

    /** Joins the chunks; what is not chunked although it says so stays as it is. */
    private static byte[] unchunked(byte[] body) {
        java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream(body.length);
        int at = 0;
        while (at < body.length) {
            int length = 0;
            int digits = 0;
            while (at < body.length && Character.digit(body[at], 16) >= 0 && digits < 8) {
                length = length * 16 + Character.digit(body[at], 16);
                at++;
                digits++;
            }
            while (at < body.length && body[at] != '\n') {
                at++;
            }
            at++;
            if (digits == 0 || digits == 8) {
                return out.size() == 0 ? body : out.toByteArray();
            }
            if (length == 0) {
                break;
            }
            int n = Math.min(length, body.length - at);
            if (n <= 0) {
                break;
            }
            out.write(body, at, n);
            at += n + 2;
        }
        return out.toByteArray();
    }
}
