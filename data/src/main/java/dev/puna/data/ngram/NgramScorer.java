package dev.puna.data.ngram;

import dev.puna.data.Compression;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Says how probable a sentence is. Safe for all threads. */
public interface NgramScorer {
    /** log₁₀ of the probability of a sentence: of every word after those before it, and of its end. */
    double logProbability(List<String> sentence);

    /** 10 to the power of minus the mean logarithm over the words and the end (CCNet's perplexity of a document). */
    default double perplexity(List<String> sentence) {
        return Math.pow(10, -logProbability(sentence) / (sentence.size() + 1));
    }

    /** Opens a model of either format: ARPA, compressed or not, or KenLM's binary with probing tables. */
    static NgramScorer open(Path file) throws IOException {
        byte[] head;
        try (InputStream in = Files.newInputStream(file)) {
            head = in.readNBytes(8);
        }
        return Compression.of(head, head.length) == Compression.NONE && KenLmModel.isBinary(head)
                ? KenLmModel.open(file)
                : NgramModel.readArpa(file);
    }
}
