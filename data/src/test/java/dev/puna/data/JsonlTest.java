package dev.puna.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonlTest {
    @TempDir
    Path folder;

    private static List<Document> readAll(Path file, ReadReport report) throws IOException {
        List<Document> all = new ArrayList<>();
        try (JsonlReader reader = new JsonlReader(file, report)) {
            for (Document d = reader.next(); d != null; d = reader.next()) {
                all.add(d);
            }
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.jsonl", "a.jsonl.gz", "a.jsonl.zst"})
    void documentsComeBackAsTheyWere(String name) throws IOException {
        Map<String, Object> meta = new LinkedHashMap<>();
        meta.put("url", "https://example.org/ä\"\\");
        meta.put("score", 0.5);
        meta.put("count", 3);
        meta.put("good", true);
        meta.put("tags", List.of("x", 1));
        meta.put("deep", Map.of("k", "v"));
        List<Document> written = List.of(
                new Document("1", "hello\nworld\t\u0001 \u2028 🙂 \"quoted\"", "s", meta),
                new Document("2", "", "t", Map.of()),
                new Document("3", "x".repeat(700_000), "t", Map.of()));
        Path file = folder.resolve(name);
        try (JsonlWriter writer = new JsonlWriter(file)) {
            for (Document d : written) {
                writer.accept(d);
            }
            assertThat(file).doesNotExist();
        }
        ReadReport report = new ReadReport();
        assertThat(readAll(file, report)).isEqualTo(written);
        assertThat(report.documents()).isEqualTo(3);
        assertThat(report.bytes()).isEqualTo(Files.size(file));
    }

    @Test
    void loneSurrogatesBecomeReplacementCharacters() throws IOException {
        Path file = folder.resolve("s.jsonl");
        try (JsonlWriter writer = new JsonlWriter(file)) {
            writer.accept(new Document("1", "a\ud800b🙂\udc00", "s", Map.of()));
        }
        assertThat(readAll(file, new ReadReport()).getFirst().text()).isEqualTo("a\ufffdb🙂\ufffd");
    }

    @Test
    void whatIsBrokenIsReportedWithItsPlaceAndSkipped() throws IOException {
        Path file = folder.resolve("b.jsonl");
        String good = "{\"text\":\"fine\"}\n";
        Files.writeString(file, good + "{\"text\": \"cut\n" + good + "[1]\n{\"x\":1}\n\n" + good);
        ReadReport report = new ReadReport();
        List<Document> all = readAll(file, report);
        assertThat(all).hasSize(3);
        assertThat(all.get(1).id()).isEqualTo("b.jsonl:" + (good.length() + 14));
        assertThat(report.broken()).extracting(BrokenRecord::offset).containsExactly(16L, 46L, 50L);
        assertThat(report.brokenCount()).isEqualTo(3);
    }

    @Test
    void otherProjectsShapesAreUnderstood() throws IOException {
        Path file = folder.resolve("d.jsonl");
        Files.writeString(file, """
                {"id":"a","text":"dolma","source":"cc","added":"2024","metadata":{"url":"u"}}
                {"text":"redpajama","meta":{"source":"arxiv","n":12345678901234567890}}
                {"text":"c4","timestamp":"2019","url":"http://x"}
                """);
        List<Document> all = readAll(file, new ReadReport());
        assertThat(all.get(0).meta()).containsEntry("url", "u").containsEntry("added", "2024");
        assertThat(all.get(1).source()).isEqualTo("arxiv");
        assertThat(all.get(2).meta()).containsEntry("url", "http://x");
        assertThat(all.get(2).source()).isEqualTo("unknown");
    }

    @Test
    void truncatedGzipIsACorruptFileAfterWhatCameBefore() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream gzip = new GZIPOutputStream(bytes)) {
            for (int i = 0; i < 20_000; i++) {
                gzip.write(("{\"text\":\"document number " + i + "\"}\n").getBytes(StandardCharsets.UTF_8));
            }
        }
        Path file = folder.resolve("t.jsonl.gz");
        Files.write(file, java.util.Arrays.copyOf(bytes.toByteArray(), bytes.size() / 2));
        List<Document> all = new ArrayList<>();
        assertThatThrownBy(() -> {
                    try (JsonlReader reader = new JsonlReader(file, new ReadReport())) {
                        for (Document d = reader.next(); d != null; d = reader.next()) {
                            all.add(d);
                        }
                    }
                })
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("t.jsonl.gz");
        assertThat(all).hasSizeGreaterThan(5_000);
    }

    /** A stream of one endless line, made as it is read. */
    private static InputStream endless(long bytes) {
        return new InputStream() {
            long left = bytes;

            @Override
            public int read() {
                throw new AssertionError("one at a time");
            }

            @Override
            public int read(byte[] b, int off, int len) {
                if (left <= 0) {
                    return -1;
                }
                int n = (int) Math.min(len, left);
                java.util.Arrays.fill(b, off, off + n, (byte) 'x');
                left -= n;
                if (left == 0) {
                    b[off + n - 1] = '\n';
                }
                return n;
            }
        };
    }

    @Test
    void aLineOfAGigabyteTakesNoMoreThanTheCap() throws IOException {
        InputStream in = new java.io.SequenceInputStream(
                endless(1L << 30), new ByteArrayInputStream("{\"text\":\"after\"}".getBytes(StandardCharsets.UTF_8)));
        LineReader lines = new LineReader(in, 1 << 20);
        assertThat(lines.next()).isTrue();
        assertThat(lines.tooLong()).isTrue();
        assertThat(lines.next()).isTrue();
        assertThat(lines.string()).isEqualTo("{\"text\":\"after\"}");
        assertThat(lines.offset()).isEqualTo(1L << 30);
        assertThat(lines.bytes().length).isLessThan(3 << 20);
        assertThat(lines.next()).isFalse();
    }

    @Test
    void linesAreCutTheSameWhateverTheReadsAre() throws IOException {
        byte[] text = "a\n\nbc\nlong line here\nx".getBytes(StandardCharsets.UTF_8);
        for (int step = 1; step < 8; step++) {
            int chunk = step;
            ByteArrayInputStream bytes = new ByteArrayInputStream(text) {
                @Override
                public synchronized int read(byte[] b, int off, int len) {
                    return super.read(b, off, Math.min(len, chunk));
                }
            };
            LineReader lines = new LineReader(bytes, 100);
            List<String> all = new ArrayList<>();
            while (lines.next()) {
                all.add(lines.offset() + ":" + lines.string());
            }
            assertThat(all).containsExactly("0:a", "2:", "3:bc", "6:long line here", "21:x");
        }
    }

    @Test
    void aBombIsRefused() throws IOException {
        Path file = folder.resolve("bomb.gz");
        try (OutputStream gzip = new GZIPOutputStream(Files.newOutputStream(file))) {
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 300; i++) {
                gzip.write(zeros);
            }
        }
        assertThatThrownBy(() -> readAll(file, new ReadReport()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("bomb");
    }

    @Test
    void whatIsAbandonedLeavesNothing() throws IOException {
        JsonlWriter writer = new JsonlWriter(folder.resolve("x.jsonl.zst"));
        writer.accept(new Document("1", "text", "s", Map.of()));
        writer.abandon();
        try (var list = Files.list(folder)) {
            assertThat(list).isEmpty();
        }
    }
}
