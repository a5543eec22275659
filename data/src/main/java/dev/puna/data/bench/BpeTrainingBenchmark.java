package dev.puna.data.bench;

import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.train.ByteLevelTraining;
import dev.puna.tokenizer.train.CorpusCounter;
import dev.puna.tokenizer.train.SentencePieceTraining;
import dev.puna.tokenizer.train.WordCounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Trains both kinds of vocabulary from a text file: {@code BpeTrainingBenchmark FILE [size [threads [rounds]]]}. */
public final class BpeTrainingBenchmark {
    private BpeTrainingBenchmark() {}

    public static void main(String[] args) throws IOException {
        Path file = Path.of(args[0]);
        int size = args.length > 1 ? Integer.parseInt(args[1]) : 8000;
        int threads = args.length > 2
                ? Integer.parseInt(args[2])
                : Runtime.getRuntime().availableProcessors();
        int rounds = args.length > 3 ? Integer.parseInt(args[3]) : 4;
        try (ThreadTeam team = new ThreadTeam("train", threads)) {
            for (int round = 0; round < rounds; round++) {
                long start = System.nanoTime();
                ByteLevelTraining bytes = ByteLevelTraining.llama3(size);
                WordCounts counts = CorpusCounter.count(List.of(file), bytes.splitter(), team);
                long counted = System.nanoTime();
                int merges = bytes.train(counts).merges().size();
                print("byte-level", file, counts, start, counted, merges);
                start = System.nanoTime();
                SentencePieceTraining pieces = SentencePieceTraining.llama(size);
                counts = CorpusCounter.count(List.of(file), pieces.splitter(), team);
                counted = System.nanoTime();
                merges = pieces.train(counts).size();
                print("SentencePiece", file, counts, start, counted, merges);
            }
        }
    }

    private static void print(String kind, Path file, WordCounts counts, long start, long counted, int made)
            throws IOException {
        long end = System.nanoTime();
        System.out.printf(
                Locale.ROOT,
                "%s: %.1f MB, %d different words, counted in %.2f s, trained in %.2f s, together %.2f s (%d made);"
                        + " %.2f s of processor time so far%n",
                kind,
                Files.size(file) / 1e6,
                counts.size(),
                (counted - start) / 1e9,
                (end - counted) / 1e9,
                (end - start) / 1e9,
                made,
                ProcessHandle.current().info().totalCpuDuration().orElseThrow().toMillis() / 1e3);
    }
}
