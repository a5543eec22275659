package dev.puna.tokenizer;

import java.util.Arrays;
import java.util.Locale;

/**
 * How fast one thread encodes. Checks its answer first: a byte-level vocabulary must give the text back, and any
 * vocabulary the same ids in the second pass as in the first. Behind {@code puna bench tokenizer}.
 */
public final class TokenizerBenchmark {
    private TokenizerBenchmark() {}

    /**
     * What was measured.
     *
     * @param bytes size of the text
     * @param tokens number of its ids
     * @param coldMegabytesPerSecond the first pass, with an empty cache and code not yet compiled (1 MB = 10^6 bytes)
     * @param megabytesPerSecond the best of the passes
     * @param copyMegabytesPerSecond plain copying of the same text, the machine's limit in the same minute
     */
    public record Result(
            long bytes,
            long tokens,
            double coldMegabytesPerSecond,
            double megabytesPerSecond,
            double copyMegabytesPerSecond) {
        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%,d bytes, %,d tokens (%.2f bytes each): %.1f MB/s, first pass %.1f MB/s, copying %.0f MB/s",
                    bytes,
                    tokens,
                    (double) bytes / Math.max(1, tokens),
                    megabytesPerSecond,
                    coldMegabytesPerSecond,
                    copyMegabytesPerSecond);
        }
    }

    /** Encodes a UTF-8 text again and again for about {@code seconds}, at least three times. */
    public static Result measure(Tokenizer tokenizer, byte[] text, double seconds) {
        Encoder encoder = tokenizer.encoder();
        TokenBuffer out = new TokenBuffer(text.length / 3 + 16);
        long start = System.nanoTime();
        encoder.encode(text, 0, text.length, EncodeOptions.TEXT, out);
        double cold = (System.nanoTime() - start) / 1e9;
        int[] first = out.toArray();
        if (tokenizer instanceof ByteLevelTokenizer
                && Utf8.isWellFormed(text, 0, text.length)
                && !Arrays.equals(tokenizer.decodeBytes(first), text)) {
            throw new IllegalStateException("decoding does not give the text back");
        }
        double best = cold;
        double spent = 0;
        for (int pass = 0; pass < 3 || spent < seconds; pass++) {
            out.clear();
            start = System.nanoTime();
            encoder.encode(text, 0, text.length, EncodeOptions.TEXT, out);
            double time = (System.nanoTime() - start) / 1e9;
            spent += time;
            best = Math.min(best, time);
            if (!Arrays.equals(first, 0, first.length, out.array(), 0, out.size())) {
                throw new IllegalStateException("a later pass gives other ids");
            }
        }
        byte[] copy = new byte[text.length];
        double bestCopy = Double.MAX_VALUE;
        for (int pass = 0; pass < 10; pass++) {
            start = System.nanoTime();
            System.arraycopy(text, 0, copy, 0, text.length);
            bestCopy = Math.min(bestCopy, (System.nanoTime() - start) / 1e9);
        }
        double megabytes = text.length / 1e6;
        return new Result(text.length, first.length, megabytes / cold, megabytes / best, megabytes / bestCopy);
    }
}
