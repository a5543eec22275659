package dev.puna.data.bench;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.classify.LanguageFilter;
import dev.puna.data.classify.LanguageIdentifier;
import dev.puna.data.dedup.LineHash;
import dev.puna.data.dedup.MinHashDeduplication;
import dev.puna.data.filter.C4Rules;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.GopherQuality;
import dev.puna.data.filter.GopherRepetition;
import dev.puna.data.filter.Verdict;
import dev.puna.data.ngram.NgramModel;
import dev.puna.data.ngram.NgramTraining;
import dev.puna.data.ngram.PerplexityFilter;
import dev.puna.data.source.CommonCrawlSource;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Split;
import dev.puna.data.source.WikipediaSource;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import java.util.zip.GZIPOutputStream;

/** What the stages for web pages reach on one core, on a WET file that is made of a Wikipedia dump's articles. */
public final class StageBenchmark {
    private StageBenchmark() {}

    /**
     * Runs every stage several times. Bytes are those of the decompressed WET file or of the documents' UTF-8.
     *
     * @param dump {@code pages-articles.xml.bz2}, or the head of one
     */
    public static void run(Path dump, int rounds, Consumer<Figure> figures) throws IOException {
        List<Document> articles = new ArrayList<>();
        new WikipediaSource().read(Split.whole(dump), articles::add, new ReadReport());
        if (articles.isEmpty()) {
            throw new ConfigurationException("FILE", dump, "there is no article of Wikipedia in it");
        }
        Path wet = Files.createTempFile("puna-bench", ".warc.wet.gz");
        long bytes = 0;
        try (OutputStream out = Files.newOutputStream(wet)) {
            for (int copy = 0; copy < 6; copy++) {
                for (Document article : articles) {
                    byte[] text = (article.string("title") + "\n" + article.text()).getBytes(StandardCharsets.UTF_8);
                    String head = "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: " + article.string("url")
                            + "\r\nContent-Length: " + text.length + "\r\n\r\n";
                    GZIPOutputStream gzip = new GZIPOutputStream(out);
                    gzip.write(head.getBytes(StandardCharsets.UTF_8));
                    gzip.write(text);
                    gzip.write("\r\n\r\n".getBytes(StandardCharsets.UTF_8));
                    gzip.finish();
                    bytes += head.length() + text.length + 4;
                }
            }
        }
        NgramTraining training = new NgramTraining(5);
        for (Document article : articles.subList(0, articles.size() / 2)) {
            training.add(Arrays.asList(article.text().toLowerCase(Locale.ROOT).split("\\s+")));
        }
        NgramModel model = training.train();
        LineHash hash = new LineHash();
        List<DocumentFilter> plain = List.of(
                new LanguageFilter(LanguageIdentifier.builtIn(), Set.of("en"), 0.5),
                new GopherQuality(),
                new GopherRepetition());
        List<DocumentFilter> withModel = new ArrayList<>(plain);
        withModel.add(PerplexityFilter.words(model, false));
        MinHashDeduplication minHash = new MinHashDeduplication(Files.createTempDirectory("puna-bench"), 64 << 20);
        DocumentSource source = new CommonCrawlSource();
        try {
            for (int round = 0; round < rounds; round++) {
                time(figures, "WET to documents", bytes, () -> read(source, wet, List.of(), null));
                time(figures, "WET to filtered documents, line hashes", bytes, () -> read(source, wet, plain, hash));
                time(
                        figures,
                        "WET to filtered documents, with the n-gram model",
                        bytes,
                        () -> read(source, wet, withModel, hash));
                time(figures, "C4's rules", bytes, () -> read(source, wet, List.of(new C4Rules()), null));
                time(figures, "MinHash signatures", bytes, () -> {
                    long[] sum = new long[1];
                    source.read(Split.whole(wet), d -> sum[0] += minHash.signature(d.text())[0], new ReadReport());
                    return sum[0];
                });
                List<List<String>> cut = articles.stream()
                        .map(a ->
                                Arrays.asList(a.text().toLowerCase(Locale.ROOT).split("\\s+")))
                        .toList();
                long tokens = cut.stream().mapToLong(List::size).sum();
                long start = CpuTime.nanos();
                double sum = 0;
                for (List<String> sentence : cut) {
                    sum += model.logProbability(sentence);
                }
                double seconds = (CpuTime.nanos() - start) / 1e9;
                figures.accept(new Figure(
                        "n-gram model",
                        tokens / 1e6 / seconds,
                        "M tokens/s per core",
                        String.format(Locale.ROOT, "%s, sum %.0f", model, sum)));
            }
        } finally {
            Files.deleteIfExists(wet);
        }
    }

    @FunctionalInterface
    private interface Work {
        long run() throws IOException;
    }

    private static void time(Consumer<Figure> figures, String what, long bytes, Work work) throws IOException {
        long start = CpuTime.nanos();
        long result = work.run();
        double seconds = (CpuTime.nanos() - start) / 1e9;
        figures.accept(new Figure(
                what,
                bytes / 1e6 / seconds,
                Figure.MB_PER_CORE,
                String.format(Locale.ROOT, "%.1f MB, result %d", bytes / 1e6, result)));
    }

    private static long read(
            DocumentSource source,
            Path wet,
            List<DocumentFilter> filters,
            @org.jspecify.annotations.Nullable LineHash hash)
            throws IOException {
        long[] kept = new long[1];
        source.read(
                Split.whole(wet),
                document -> {
                    if (hash != null) {
                        document.text().lines().forEach(hash::of);
                    }
                    Document at = document;
                    for (DocumentFilter filter : filters) {
                        if (!(filter.apply(at) instanceof Verdict.Keep keep)) {
                            return;
                        }
                        at = keep.document();
                    }
                    kept[0]++;
                },
                new ReadReport());
        return kept[0];
    }
}
