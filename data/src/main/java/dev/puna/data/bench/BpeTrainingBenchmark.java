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
import java.util.function.Consumer;

/** Both kinds of vocabulary trained from a text file. */
public final class BpeTrainingBenchmark {
    private BpeTrainingBenchmark() {}

    /**
     * Trains several times.
     *
     * @param size tokens of the vocabulary
     */
    public static void run(Path file, int size, int threads, int rounds, Consumer<Figure> figures) throws IOException {
        try (ThreadTeam team = new ThreadTeam("train", threads)) {
            for (int round = 0; round < rounds; round++) {
                long start = System.nanoTime();
                ByteLevelTraining bytes = ByteLevelTraining.llama3(size);
                WordCounts counts = CorpusCounter.count(List.of(file), bytes.splitter(), team);
                long counted = System.nanoTime();
                int merges = bytes.train(counts).merges().size();
                tell(figures, "byte-level BPE", file, counts, start, counted, merges);
                start = System.nanoTime();
                SentencePieceTraining pieces = SentencePieceTraining.llama(size);
                counts = CorpusCounter.count(List.of(file), pieces.splitter(), team);
                counted = System.nanoTime();
                merges = pieces.train(counts).size();
                tell(figures, "SentencePiece BPE", file, counts, start, counted, merges);
            }
        }
    }

    private static void tell(
            Consumer<Figure> figures, String kind, Path file, WordCounts counts, long start, long counted, int made)
            throws IOException {
        long end = System.nanoTime();
        double megabytes = Files.size(file) / 1e6;
        figures.accept(new Figure(
                kind,
                megabytes / ((end - start) / 1e9),
                "MB/s of the clock",
                String.format(
                        Locale.ROOT,
                        "%.1f MB, %d different words, counted in %.2f s, trained in %.2f s, together %.2f s, %d merges",
                        megabytes,
                        counts.size(),
                        (counted - start) / 1e9,
                        (end - counted) / 1e9,
                        (end - start) / 1e9,
                        made)));
    }
}
