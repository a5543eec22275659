package dev.puna.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.pipeline.Pipeline;
import dev.puna.data.pipeline.PipelineReport;
import dev.puna.data.pipeline.Progress;
import dev.puna.data.pipeline.Recipe;
import dev.puna.data.source.ArxivSource;
import dev.puna.data.source.BooksSource;
import dev.puna.data.source.CommonCrawlSource;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.GitHubSource;
import dev.puna.data.source.Split;
import dev.puna.data.source.WikipediaSource;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What nobody should ship, through every source that may meet it. A line of a gigabyte, deep templates and macros without
 * end stand in the tests of JsonlReader, WikipediaSource and ArxivSource.
 */
class HostileInputTest {
    @TempDir
    Path folder;

    private static List<Document> read(DocumentSource source, Path path, ReadReport report) throws IOException {
        List<Document> all = new ArrayList<>();
        source.read(Split.whole(path), all::add, report);
        return all;
    }

    private static byte[] gzip(byte[] content) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(content);
        }
        return out.toByteArray();
    }

    private static byte[] tar(String[] names, byte[][] contents) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(out)) {
            for (int i = 0; i < names.length; i++) {
                TarArchiveEntry entry = new TarArchiveEntry(names[i], true);
                entry.setSize(contents[i].length);
                tar.putArchiveEntry(entry);
                tar.write(contents[i]);
                tar.closeArchiveEntry();
            }
        }
        return out.toByteArray();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** What is in the folder, and what stands beside it under a name that these tests use. */
    private List<Path> everything() throws IOException {
        try (Stream<Path> inside = Files.walk(folder);
                Stream<Path> beside = Files.list(folder.getParent())) {
            return Stream.concat(
                            inside,
                            beside.filter(p -> p.getFileName().toString().contains("escaped")))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void namesThatClimbOutOfATarWriteNothing() throws IOException {
        byte[] tex =
                utf8("\\begin{document}\\section{One}Words of the section.\\input{../../escaped-too}\\end{document}");
        byte[] paper = gzip(tar(new String[] {"../../../escaped.tex", "/etc/escaped.tex"}, new byte[][] {tex, tex}));
        Path archive = folder.resolve("arXiv_src_0001_001.tar");
        Files.write(
                archive,
                tar(new String[] {"../../escaped/0001.0001.gz", "0001/0001.0002.gz"}, new byte[][] {paper, gzip(tex)}));
        List<Path> before = everything();
        ReadReport report = new ReadReport();
        List<Document> papers = read(new ArxivSource(dev.puna.data.source.Fidelity.PAPER), archive, report);
        assertThat(papers).hasSize(2).allMatch(d -> d.text().contains("Words of the section."));
        assertThat(papers).allMatch(d -> !d.id().contains("..") && !d.id().contains("/"));
        assertThat(everything()).isEqualTo(before);
    }

    @Test
    void namesThatClimbOutOfAZipWriteNothing() throws IOException {
        Path archive = folder.resolve("code.zip");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(archive))) {
            zip.putNextEntry(new ZipEntry("../../escaped.java"));
            zip.write(utf8("class Escaped {\n    int value;\n}\n"));
        }
        Path recipe = Files.writeString(
                folder.resolve("r.yaml"), "source: {kind: github, licences: any}\ninputs: [code.zip]\nstages: []\n");
        PipelineReport report = new Pipeline(Recipe.read(recipe), folder.resolve("out"), 1, Progress.NONE).run();
        assertThat(report.documents()).isEqualTo(1);
        assertThat(everything().stream().filter(p -> p.getFileName().toString().contains("escaped")))
                .isEmpty();
    }

    /** Half a gigabyte of spaces is half a megabyte of gzip. */
    @ParameterizedTest
    @ValueSource(strings = {"wet", "book", "jsonl", "paper"})
    void aBombIsRefusedByEverySource(String kind) throws IOException {
        Path file = folder.resolve("bomb." + (kind.equals("book") ? "txt.gz" : kind.equals("paper") ? "tar" : "gz"));
        ByteArrayOutputStream compressed = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(compressed)) {
            if (kind.equals("wet")) {
                out.write(utf8("WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 536870912\r\n\r\n"));
            }
            byte[] spaces = new byte[1 << 20];
            java.util.Arrays.fill(spaces, (byte) ' ');
            for (int i = 0; i < 512; i++) {
                out.write(spaces);
            }
        }
        Files.write(
                file,
                kind.equals("paper")
                        ? tar(new String[] {"1/1.gz"}, new byte[][] {compressed.toByteArray()})
                        : compressed.toByteArray());
        ReadReport report = new ReadReport();
        DocumentSource source = switch (kind) {
            case "wet" -> new CommonCrawlSource();
            case "book" -> new BooksSource();
            case "paper" -> new ArxivSource(dev.puna.data.source.Fidelity.PAPER);
            default -> new dev.puna.data.source.JsonlSource("s");
        };
        try {
            assertThat(read(source, file, report)).isEmpty();
            assertThat(report.brokenCount() + report.skipped().size()).isPositive();
        } catch (CorruptFileException e) {
            assertThat(e).hasMessageContaining("bomb");
        }
    }

    @Test
    void bytesThatAreNoUtf8BecomeReplacementCharactersOrAreRefused() throws IOException {
        byte[] line = utf8("{\"text\":\"a?b\"}\n");
        line[10] = (byte) 0xff;
        Path jsonl = Files.write(folder.resolve("bad.jsonl"), line);
        ReadReport report = new ReadReport();
        List<Document> documents = read(new dev.puna.data.source.JsonlSource("s"), jsonl, report);
        assertThat(documents.size() + report.brokenCount()).isEqualTo(1);
        byte[] program = utf8("class A {\n    int value = 1; // ?\n}\n");
        program[program.length - 4] = (byte) 0xc3;
        Path tree = Files.createDirectories(folder.resolve("tree"));
        Files.write(tree.resolve("A.java"), program);
        ReadReport code = new ReadReport();
        assertThat(read(
                        new GitHubSource(
                                GitHubSource.Rules.standard(dev.puna.data.source.Licences.any()),
                                dev.puna.data.source.Fidelity.PAPER),
                        tree,
                        code))
                .isEmpty();
        assertThat(code.skipped()).containsEntry("not UTF-8", 1L);
        byte[] text = utf8("long enough ".repeat(60));
        text[5] = (byte) 0x80;
        byte[] head = utf8("WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: " + text.length + "\r\n\r\n");
        ByteArrayOutputStream wet = new ByteArrayOutputStream();
        wet.write(head);
        wet.write(text);
        wet.write(utf8("\r\n\r\n"));
        Path crawl = Files.write(folder.resolve("bad.warc.wet"), wet.toByteArray());
        assertThat(read(new CommonCrawlSource(), crawl, new ReadReport())
                        .getFirst()
                        .text())
                .startsWith("long \uFFFDnough");
    }

    /** The other files are done, and the status says that one is not whole. */
    @Test
    void aTruncatedGzipDoesNotStopTheOthers() throws IOException {
        byte[] whole = gzip(utf8("{\"text\":\"one\"}\n{\"text\":\"two\"}\n".repeat(500)));
        Files.write(folder.resolve("a.jsonl.gz"), java.util.Arrays.copyOf(whole, whole.length - 12));
        Files.write(folder.resolve("b.jsonl.gz"), whole);
        Path recipe = Files.writeString(
                folder.resolve("r.yaml"), "source: {kind: jsonl}\ninputs: [\"*.jsonl.gz\"]\nstages: []\n");
        PipelineReport report = new Pipeline(Recipe.read(recipe), folder.resolve("out"), 2, Progress.NONE).run();
        assertThat(report.documents()).isBetween(1001L, 2000L);
        assertThat(report.brokenFiles()).singleElement().asString().contains("a.jsonl.gz");
        assertThat(report.exitStatus()).isEqualTo(1);
        Path dump = Files.write(folder.resolve("t.xml.bz2"), new byte[] {'B', 'Z', 'h', '9', 0x31, 0x41, 0x59});
        assertThatThrownBy(() -> read(new WikipediaSource(), dump, new ReadReport()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("t.xml.bz2");
    }
}
