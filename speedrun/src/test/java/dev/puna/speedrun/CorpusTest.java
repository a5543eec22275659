package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CorpusTest {
    @TempDir
    Path folder;

    private Path file(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    private static Path zip(Path file, String member, String text) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
            out.putNextEntry(new ZipEntry(member));
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return file;
    }

    @Test
    void kindsAreToldByWhatIsInThem() throws IOException {
        assertThat(Corpus.of(zip(folder.resolve("a.zip"), "x/A.java", "class A {}"))
                        .source())
                .startsWith("github");
        assertThat(Corpus.of(file("enwiki.xml", "<mediawiki xmlns=\"x\"><page>"))
                        .source())
                .isEqualTo("wikipedia");
        assertThat(Corpus.of(file("Posts.xml", "<?xml version=\"1.0\"?>\n<posts>\n<row Id=\"1\"/>"))
                        .source())
                .isEqualTo("stackexchange");
        assertThat(Corpus.of(file("d.jsonl", "{\"text\":\"words\"}\n")).source())
                .startsWith("jsonl");
        assertThat(Corpus.of(file("paper.tex", "\\documentclass{article}")).source())
                .startsWith("arxiv");
        assertThat(Corpus.of(file("book.txt", "It was a dark night.")).source()).startsWith("books");
    }

    @Test
    void compressionDoesNotHideWhatIsInAFile() throws IOException {
        Path file = folder.resolve("dump.xml.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write("<mediawiki><page>".getBytes(StandardCharsets.UTF_8));
        }
        assertThat(Corpus.of(file).source()).isEqualTo("wikipedia");
    }

    @Test
    void aFolderIsWhatMostOfItIs() throws IOException {
        file("tree/src/A.java", "class A {} ".repeat(100));
        file("tree/notes.txt", "a few words");
        Corpus code = Corpus.of(folder.resolve("tree"));
        assertThat(code.source()).startsWith("github");
        assertThat(code.textBytes()).isEqualTo(1100);
        file("books/one.txt", "words ".repeat(1000));
        file("books/convert.py", "print()");
        assertThat(Corpus.of(folder.resolve("books")).source()).startsWith("books");
        file("dumps/part-1.jsonl", "{\"text\":\"" + "a".repeat(1000) + "\"}\n");
        file("dumps/part-2.jsonl", "{\"text\":\"b\"}\n");
        assertThat(Corpus.of(folder.resolve("dumps")).inputs()).hasSize(2);
    }

    @Test
    void whatNoSourceReadsIsRefusedWithWhatWouldDo() throws IOException {
        Files.write(folder.resolve("x.bin"), new byte[] {1, 0, 2, 0});
        file("empty.txt", "");
        file("x.7z", "words");
        zip(folder.resolve("pictures.zip"), "a.png", "PNG");
        for (String name : new String[] {"x.bin", "empty.txt", "x.7z", "pictures.zip"}) {
            assertThatExceptionOfType(ConfigurationException.class)
                    .isThrownBy(() -> Corpus.of(folder.resolve(name)))
                    .withMessageContaining(name)
                    .withMessageContaining("Wikipedia");
        }
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> Corpus.of(folder.resolve("none")))
                .withMessageContaining("no such file");
    }

    @Test
    void aJdkWithoutSourcesSaysWhatBringsThem() throws IOException {
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> Corpus.ofJdk(folder))
                .withMessageContaining("openjdk-25-source")
                .withMessageContaining("--corpus");
        Files.createDirectories(folder.resolve("lib"));
        zip(folder.resolve("lib/src.zip"), "java.base/A.java", "class A {}");
        assertThat(Corpus.ofJdk(folder).textBytes()).isEqualTo(10);
    }

    @Test
    void aFewLongTextsGoInPieces() throws IOException {
        for (String name : new String[] {"book.txt", "paper.tex", "d.jsonl"}) {
            assertThat(Corpus.of(file(name, "{\"text\": \"words\"}")).source()).contains("pieces: ");
        }
        Path large = folder.resolve("large.txt");
        try (RandomAccessFile sparse = new RandomAccessFile(large.toFile(), "rw")) {
            sparse.write("words ".repeat(1000).getBytes(StandardCharsets.UTF_8));
            sparse.setLength(100 << 20);
        }
        assertThat(Corpus.of(large).source()).startsWith("text, pieces: "); // too large for a book
    }

    @Test
    void ofLittleTextALargerShareIsHeldOut() {
        assertThat(Corpus.heldOutOneIn(213_000_000)).isEqualTo(50);
        assertThat(Corpus.heldOutOneIn(3_400_000)).isEqualTo(10);
        assertThat(Corpus.heldOutOneIn(300_000)).isEqualTo(4);
    }

    @Test
    void tooLittleTextIsRefusedWithHowMuchIsNeeded() throws IOException {
        Corpus corpus = Corpus.of(file("short.txt", "words ".repeat(1000)));
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> new SpeedrunRequest(corpus, 1, folder, "auto", 1, 0))
                .withMessageContaining("short.txt")
                .withMessageContaining("6,000 bytes")
                .withMessageContaining("250,000");
    }

    @Test
    void aTarIsLatexOnlyWhenItHoldsSome() throws IOException {
        assertThatThrownBy(() -> Corpus.of(tar("src/Main.java")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("a tar without LaTeX");
        assertThat(Corpus.of(tar("paper/main.tex")).source()).startsWith("arxiv");
        assertThat(Corpus.of(tar("2302/2302.13971.gz")).source()).startsWith("arxiv");
    }

    /** A tar of one empty member. */
    private Path tar(String member) throws IOException {
        byte[] header = new byte[512];
        put(header, 0, member);
        put(header, 100, "0000644");
        put(header, 124, "00000000000");
        put(header, 156, "0");
        put(header, 257, "ustar");
        Arrays.fill(header, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : header) {
            sum += b;
        }
        put(header, 148, String.format("%06o", sum));
        return Files.write(folder.resolve("of-" + member.hashCode() + ".tar"), Arrays.copyOf(header, 10240));
    }

    private static void put(byte[] header, int at, String text) {
        System.arraycopy(text.getBytes(StandardCharsets.US_ASCII), 0, header, at, text.length());
    }
}
