package dev.puna.data.filter;

import dev.puna.data.Document;
import dev.puna.data.dedup.CorpusDeduplication;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Drops documents whose distribution of words is far from that of the corpus they stand in (Llama-3, arXiv 2407.21783,
 * section 3.1.1: "token-distribution Kullback-Leibler divergence … to filter out documents containing excessive numbers of
 * outlier tokens"). Looks at the whole corpus first, like a deduplication. The paper gives no threshold.
 *
 * <p>Memory: at most as many different words as fit the given bytes; beyond that the rarest are forgotten, which makes
 * them unseen.
 */
public final class TokenDivergence implements CorpusDeduplication {
    private static final int BYTES_PER_WORD = 120; // entry, string, count
    private static final double UNSEEN = 1e-9;

    private final double maxNats;
    private final int maxWords;
    private final Map<String, Long> counts = new HashMap<>();
    private long total;
    private @Nullable Map<String, Long> known;

    /**
     * @param maxNats a document with a larger divergence goes
     * @param memoryBytes for words
     */
    public TokenDivergence(double maxNats, long memoryBytes) {
        this.maxNats = maxNats;
        this.maxWords = Math.clamp(memoryBytes / BYTES_PER_WORD, 1000, 100_000_000);
    }

    @Override
    public String name() {
        return "token-divergence";
    }

    private static Map<String, Integer> words(Document document) {
        Map<String, Integer> own = new HashMap<>();
        for (String word : Words.split(document.text())) {
            String plain = Llama3Heuristics.plain(word);
            if (!plain.isEmpty() && plain.getBytes(StandardCharsets.UTF_8).length <= 64) {
                own.merge(plain, 1, Integer::sum);
            }
        }
        return own;
    }

    @Override
    public void look(Document document, long ordinal) {
        Map<String, Integer> own = words(document);
        synchronized (counts) {
            own.forEach((word, count) -> {
                counts.merge(word, (long) count, Long::sum);
                total += count;
            });
            for (long atMost = 1; counts.size() > maxWords; atMost *= 2) {
                long limit = atMost;
                counts.values().removeIf(count -> count <= limit);
            }
        }
    }

    @Override
    public void decide(Path state) {
        known = Map.copyOf(counts);
        counts.clear();
    }

    /** Σ p ln (p / q) over the words of a document. */
    double divergence(Document document) {
        Map<String, Long> corpus = Objects.requireNonNull(known, "decide() comes before filter()");
        Map<String, Integer> own = words(document);
        double words = 0;
        for (int count : own.values()) {
            words += count;
        }
        double sum = 0;
        for (Map.Entry<String, Integer> entry : own.entrySet()) {
            double p = entry.getValue() / words;
            double q = corpus.getOrDefault(entry.getKey(), 0L) / (double) total;
            sum += p * Math.log(p / Math.max(UNSEEN, q));
        }
        return sum;
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        return new DocumentFilter() {
            @Override
            public String name() {
                return TokenDivergence.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                double divergence = divergence(document);
                if (divergence <= maxNats) {
                    return new Verdict.Keep(document);
                }
                Map<String, Long> corpus = Objects.requireNonNull(known);
                List<String> rarest = words(document).keySet().stream()
                        .sorted(java.util.Comparator.comparingLong((String w) -> corpus.getOrDefault(w, 0L))
                                .thenComparing(w -> w))
                        .limit(3)
                        .toList();
                return new Verdict.Drop(
                        "unlike the corpus", String.format(Locale.ROOT, "%.2f nats, such as %s", divergence, rarest));
            }
        };
    }

    @Override
    public void close() throws IOException {
        counts.clear();
        known = null;
    }
}
