package dev.puna.data.pipeline;

import dev.puna.data.PartPool;
import dev.puna.data.ReadReport;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Split;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.TokenizerJson;
import dev.puna.tokenizer.train.ByteLevelTraining;
import dev.puna.tokenizer.train.ByteLevelVocabulary;
import dev.puna.tokenizer.train.SentencePieceTraining;
import dev.puna.tokenizer.train.WordCounts;
import dev.puna.tokenizer.train.WordSplitter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Trains a vocabulary on documents: their words are counted by several threads, then the merges are made. What comes of
 * it depends on the documents alone. Memory: at most {@value #MAX_WORDS} different words for each thread; rarer ones are
 * forgotten beyond that.
 *
 * @param kind which of LLaMA's two
 * @param size ids in all
 */
public record VocabularyTraining(Kind kind, int size) {
    private static final int MAX_WORDS = 8 << 20;

    /** LLaMA's two kinds of vocabularies. */
    public enum Kind {
        /** As Llama-3 has it: {@code tokenizer.json} and tiktoken's ranks. */
        BYTE_LEVEL,
        /** As LLaMA-1 and Llama-2 have it: {@code tokenizer.model} and {@code tokenizer.json}. */
        SENTENCEPIECE;

        /** The kind that is written so in a recipe: {@code byte-level} or {@code sentencepiece}. */
        public static Kind of(String name) {
            return switch (name.toLowerCase(Locale.ROOT)) {
                case "byte-level" -> BYTE_LEVEL;
                case "sentencepiece" -> SENTENCEPIECE;
                default -> throw new ConfigurationException("tokens.train", name, "use byte-level or sentencepiece");
            };
        }
    }

    public VocabularyTraining {
        if (size < 300) {
            throw new ConfigurationException("size", size, "256 bytes and the special tokens need at least 300 ids");
        }
    }

    /**
     * Counts the words of {@code inputs}, trains, and writes the tokenizer's files into {@code folder}; it appears when
     * they are complete.
     *
     * @param report counts what was read
     * @param progress told after each document, from any thread
     */
    public Tokenizer train(
            DocumentSource source, List<Path> inputs, Path folder, int threads, ReadReport report, Runnable progress)
            throws IOException {
        WordCounts counts = count(source, inputs, splitter(), threads, report, progress);
        Path partial = folder.resolveSibling(folder.getFileName() + ".partial");
        Files.createDirectories(partial);
        write(counts, partial);
        Files.move(partial, folder);
        return Tokenizer.open(folder);
    }

    private WordSplitter splitter() {
        return switch (kind) {
            case BYTE_LEVEL -> ByteLevelTraining.llama3(size).splitter();
            case SENTENCEPIECE -> SentencePieceTraining.llama(size).splitter();
        };
    }

    private void write(WordCounts counts, Path folder) throws IOException {
        switch (kind) {
            case BYTE_LEVEL -> {
                ByteLevelVocabulary vocabulary = ByteLevelTraining.llama3(size).train(counts);
                vocabulary.writeHuggingFace(folder);
                vocabulary.writeTiktoken(folder.resolve("tokenizer.tiktoken"));
            }
            case SENTENCEPIECE -> {
                var model = SentencePieceTraining.llama(size).train(counts);
                model.write(folder.resolve("tokenizer.model"));
                TokenizerJson.write(model.tokenizer(), folder.resolve("tokenizer.json"));
            }
        }
    }

    private static WordCounts count(
            DocumentSource source,
            List<Path> inputs,
            WordSplitter splitter,
            int threads,
            ReadReport report,
            Runnable progress)
            throws IOException {
        List<Split> splits = new ArrayList<>();
        for (Path input : inputs) {
            splits.addAll(source.splits(input));
        }
        WordCounts[] counts = new WordCounts[Math.max(1, Math.min(threads, splits.size()))];
        Arrays.setAll(counts, i -> new WordCounts(MAX_WORDS));
        try (PartPool pool = new PartPool(counts.length)) {
            // Which thread takes which part must not matter: what is forgotten depends on the order.
            pool.forEach(counts.length, own -> {
                for (int i = own; i < splits.size(); i += counts.length) {
                    source.read(
                            splits.get(i),
                            document -> {
                                byte[] utf8 = document.text().getBytes(StandardCharsets.UTF_8);
                                splitter.count(utf8, 0, utf8.length, counts[own]);
                                pool.check();
                                progress.run();
                            },
                            report);
                }
            });
        }
        for (int i = 1; i < counts.length; i++) {
            counts[0].addAll(counts[i]);
        }
        return counts[0];
    }
}
