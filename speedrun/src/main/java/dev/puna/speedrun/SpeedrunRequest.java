package dev.puna.speedrun;

import dev.puna.tensor.ConfigurationException;
import java.nio.file.Path;

/**
 * What is asked for.
 *
 * @param corpus what to learn from
 * @param minutes what the whole run may take
 * @param out where everything goes
 * @param kernels {@code auto} or the name of a tier
 * @param threads that compute
 * @param port of the page on 127.0.0.1; 0 for any free one
 */
public record SpeedrunRequest(Corpus corpus, double minutes, Path out, String kernels, int threads, int port) {
    /** Below this nothing sensible comes out. */
    public static final double LEAST_MINUTES = 0.5;

    /** Below this there is neither a vocabulary in a text nor anything to hold out. */
    private static final long LEAST_TEXT_BYTES = 250_000;

    public SpeedrunRequest {
        if (corpus.textBytes() < LEAST_TEXT_BYTES) {
            throw new ConfigurationException(
                    "--corpus",
                    corpus.path(),
                    Figures.text(
                            "is %s, about %,d bytes of text, too little for a vocabulary and a model: %,d are needed, and"
                                    + " some 10 MB for one that is worth its minutes",
                            corpus.kind(), corpus.textBytes(), LEAST_TEXT_BYTES));
        }
        if (!(minutes >= LEAST_MINUTES && minutes <= 100_000)) {
            throw new ConfigurationException("--minutes", minutes, "use at least " + LEAST_MINUTES);
        }
        if (threads < 1) {
            throw new ConfigurationException("threads", threads, "use at least 1");
        }
    }

    double seconds() {
        return 60 * minutes;
    }
}
