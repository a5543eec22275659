package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.Samples;
import dev.puna.data.dedup.BookDeduplication;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommonCrawlAndBooksTest {
    @TempDir
    Path folder;

    private static List<Document> read(DocumentSource source, Path path, ReadReport report) throws IOException {
        List<Document> all = new ArrayList<>();
        source.read(Split.whole(path), all::add, report);
        return all;
    }

    private static byte[] record(String type, String extra, byte[] block) {
        byte[] head = ("WARC/1.0\r\nContent-Length: " + block.length + "\r\nWARC-Type: " + type
                        + "\r\nWARC-Target-URI: http://x.org/\r\n" + extra + "\r\n")
                .getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(head);
        out.writeBytes(block);
        out.writeBytes("\r\n\r\n".getBytes(StandardCharsets.UTF_8));
        return out.toByteArray();
    }

    private static byte[] gzip(byte[] bytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        }
        return out.toByteArray();
    }

    private Path write(String name, byte[]... records) throws IOException {
        Path file = folder.resolve(name);
        try (OutputStream out = Files.newOutputStream(file)) {
            for (byte[] r : records) {
                out.write(gzip(r));
            }
        }
        return file;
    }

    @Test
    void wetRecordsByTheNamesOfTheirFields() throws IOException {
        String text = "Title\n\n  a line of text  \nanother\n".repeat(20);
        Path file = write(
                "a.warc.wet.gz",
                record("warcinfo", "", new byte[5]),
                record(
                        "conversion",
                        "WARC-Identified-Content-Language: eng\r\nwarc-date: 2020\r\n",
                        text.getBytes(StandardCharsets.UTF_8)),
                record("conversion", "", "short".getBytes(StandardCharsets.UTF_8)),
                "garbage without any header\n\n".getBytes(StandardCharsets.UTF_8),
                record("conversion", "", ("after " + text).getBytes(StandardCharsets.UTF_8)));
        ReadReport report = new ReadReport();
        List<Document> all = read(new CommonCrawlSource(), file, report);
        assertThat(all).hasSize(2);
        assertThat(all.getFirst().text()).startsWith("Title\na line of text\nanother\nTitle\n");
        assertThat(all.getFirst().meta()).containsEntry("languages", "eng").containsEntry("timestamp", "2020");
        assertThat(report.skipped()).containsEntry("too short", 1L);
        assertThat(report.brokenCount()).isEqualTo(1);
    }

    @Test
    void htmlBecomesLines() throws IOException {
        String html = "<html><head><title>T&eacute;</title><style>x{}</style></head><body><nav>menu</nav><h1>Head</h1>"
                + "<p>One <b>bold</b>\n text.</p><ul><li>a<li>b</ul><script>evil()</script><img alt='A cat'>tail"
                + "<div>" + "<div>".repeat(50_000) + "deep</body></html>";
        String http =
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=iso-8859-1\r\nTransfer-Encoding: chunked\r\n\r\n";
        byte[] body = (Integer.toHexString(html.length()) + "\r\n" + html + "\r\n0\r\n\r\n")
                .getBytes(StandardCharsets.ISO_8859_1);
        ByteArrayOutputStream block = new ByteArrayOutputStream();
        block.writeBytes(http.getBytes(StandardCharsets.UTF_8));
        block.writeBytes(body);
        Path file = write(
                "a.warc.gz",
                record("response", "", block.toByteArray()),
                record("response", "", "HTTP/1.1 404 No\r\n\r\n<p>x".getBytes(StandardCharsets.UTF_8)),
                record(
                        "response",
                        "",
                        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nx".getBytes(StandardCharsets.UTF_8)),
                record("request", "", new byte[0]));
        ReadReport report = new ReadReport();
        List<Document> all = read(new CommonCrawlSource(1), file, report);
        assertThat(all).hasSize(1);
        assertThat(all.getFirst().text()).isEqualTo("Té\nHead\nOne bold text.\na\nb\nA cat tail\ndeep");
        assertThat(report.skipped())
                .containsEntry("status other than 200", 1L)
                .containsEntry("not HTML", 1L)
                .containsEntry("record of another type", 1L);
    }

    @Test
    void truncatedFilesAreCorrupt() throws IOException {
        byte[] good = gzip(record("conversion", "", "x y z ".repeat(100_000).getBytes(StandardCharsets.UTF_8)));
        Path file = folder.resolve("t.warc.wet.gz");
        Files.write(file, java.util.Arrays.copyOf(good, good.length - 30));
        assertThatThrownBy(() -> read(new CommonCrawlSource(), file, new ReadReport()))
                .isInstanceOf(CorruptFileException.class);
    }

    @Test
    void realCrawl() throws IOException {
        ReadReport report = new ReadReport();
        List<Document> warc = read(new CommonCrawlSource(), Samples.of("commoncrawl/sample-0000.warc.gz"), report);
        assertThat(warc).hasSize(22);
        assertThat(report.brokenCount()).isZero();
        List<Document> wet = read(new CommonCrawlSource(), Samples.of("commoncrawl/whirlwind.warc.wet.gz"), report);
        assertThat(wet).hasSize(1);
        assertThat(wet.getFirst().meta())
                .containsEntry("languages", "spa")
                .containsEntry("url", "https://an.wikipedia.org/wiki/Escopete");
        List<Document> same = read(new CommonCrawlSource(), Samples.of("commoncrawl/whirlwind.warc.gz"), report);
        assertThat(same.getFirst().text()).contains("Iste articlo ye en proceso de cambio");
    }

    @Test
    void gutenbergsFrameGoes() throws IOException {
        List<Document> books = read(new BooksSource(), Samples.of("books"), new ReadReport());
        assertThat(books).hasSize(3);
        for (Document book : books) {
            assertThat(book.text().toLowerCase(java.util.Locale.ROOT))
                    .doesNotContain("small print")
                    .doesNotContain("start of th");
            assertThat(book.text()).doesNotContain("END OF");
        }
        assertThat(books.get(1).meta())
                .containsEntry("title", "The Devil's Dictionary")
                .containsEntry("author", "Ambrose Bierce");
    }

    @Test
    void twoEditionsAreOneBook() throws IOException {
        List<Document> books = read(new BooksSource(), Samples.of("books"), new ReadReport());
        BookDeduplication duplicates = BookDeduplication.paper();
        assertThat(duplicates.offer("botchan", books.get(0).text())).isEmpty();
        assertThat(duplicates.offer("new", books.get(1).text())).isEmpty();
        assertThat(duplicates.offer("old", books.get(2).text())).contains("new");
        assertThat(BookDeduplication.overlap(books.get(0).text(), books.get(1).text()))
                .isLessThan(0.5);
        String half = books.get(0).text();
        assertThat(duplicates.offer("half", half.substring(0, half.length() * 2 / 3)))
                .contains("botchan");
    }
}
