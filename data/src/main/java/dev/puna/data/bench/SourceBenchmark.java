package dev.puna.data.bench;

import dev.puna.data.JsonlWriter;
import dev.puna.data.ReadReport;
import dev.puna.data.source.ArxivSource;
import dev.puna.data.source.BooksSource;
import dev.puna.data.source.CommonCrawlSource;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Fidelity;
import dev.puna.data.source.GitHubSource;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Licences;
import dev.puna.data.source.Split;
import dev.puna.data.source.StackExchangeSource;
import dev.puna.data.source.WikipediaSource;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.commons.compress.archivers.sevenz.SevenZFile;

/** A dump read with one thread, to documents alone and to documents written as {@code .jsonl.zst}. */
public final class SourceBenchmark {
    private SourceBenchmark() {}

    /**
     * Reads a dump several times; its size is that of the decompressed dump.
     *
     * @param name of the source: {@code github}, {@code wikipedia}, {@code stackexchange}, {@code arxiv}, {@code books},
     *     {@code commoncrawl} or {@code jsonl}
     */
    public static void run(String name, Path file, int rounds, Consumer<Figure> figures) throws IOException {
        DocumentSource source = source(name);
        long bytes = decompressedBytes(file);
        for (int round = 0; round < rounds; round++) {
            for (boolean write : new boolean[] {false, true}) {
                ReadReport report = new ReadReport();
                long start = CpuTime.nanos();
                if (write) {
                    Path out = Files.createTempFile("puna-bench", ".jsonl.zst");
                    try (JsonlWriter writer = new JsonlWriter(out)) {
                        for (Split split : source.splits(file)) {
                            source.read(split, writer, report);
                        }
                    } finally {
                        Files.deleteIfExists(out);
                    }
                } else {
                    for (Split split : source.splits(file)) {
                        source.read(split, document -> {}, report);
                    }
                }
                double seconds = (CpuTime.nanos() - start) / 1e9;
                if (report.documents() == 0) {
                    throw new ConfigurationException("FILE", file, "there is no document of " + name + " in it");
                }
                figures.accept(new Figure(
                        source.name() + (write ? " to .jsonl.zst" : " to documents"),
                        bytes / 1e6 / seconds,
                        Figure.MB_PER_CORE,
                        String.format(
                                Locale.ROOT,
                                "%.1f MB, %d documents, %.1f M characters, %d broken",
                                bytes / 1e6,
                                report.documents(),
                                report.textBytes() / 1e6,
                                report.brokenCount())));
            }
        }
    }

    private static DocumentSource source(String name) {
        return switch (name) {
            case "github" -> new GitHubSource(GitHubSource.Rules.standard(Licences.any()), Fidelity.PAPER);
            case "wikipedia" -> new WikipediaSource();
            case "stackexchange" -> new StackExchangeSource(Fidelity.PAPER);
            case "arxiv" -> new ArxivSource(Fidelity.PAPER);
            case "books" -> new BooksSource();
            case "commoncrawl" -> new CommonCrawlSource();
            case "jsonl" -> new JsonlSource("jsonl");
            default ->
                throw new ConfigurationException(
                        "source", name, "use github, wikipedia, stackexchange, arxiv, books, commoncrawl or jsonl");
        };
    }

    private static long decompressedBytes(Path file) throws IOException {
        String name = file.getFileName().toString();
        if (name.endsWith(".zip") || name.endsWith(".jar")) {
            long total = 0;
            try (ZipFile zip = new ZipFile(file.toFile())) {
                Enumeration<? extends ZipEntry> entries = zip.entries();
                while (entries.hasMoreElements()) {
                    total += Math.max(0, entries.nextElement().getSize());
                }
            }
            return total;
        }
        if (Files.isDirectory(file)) {
            try (var walk = Files.walk(file)) {
                return walk.filter(Files::isRegularFile)
                        .mapToLong(p -> p.toFile().length())
                        .sum();
            }
        }
        if (name.endsWith(".7z")) {
            try (SevenZFile archive =
                    SevenZFile.builder().setFile(file.toFile()).get()) {
                for (var entry : archive.getEntries()) {
                    if (entry.getName().equals("Posts.xml")) {
                        return entry.getSize();
                    }
                }
            }
        }
        try (var in = dev.puna.data.Compression.open(file, new ReadReport())) {
            return in.transferTo(java.io.OutputStream.nullOutputStream());
        }
    }
}
