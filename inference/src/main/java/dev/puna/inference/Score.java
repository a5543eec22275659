package dev.puna.inference;

/**
 * How probable a model finds a text.
 *
 * @param ids the tokens that were scored: all but the first, which nothing precedes; with a begin-of-text token all of
 *     the text's
 * @param logProbabilities the natural logarithm of the probability of each, given those before it
 * @param byteCount bytes of the text in UTF-8
 */
public record Score(int[] ids, double[] logProbabilities, long byteCount) {
    /** Sum of the log-probabilities, first to last. */
    public double sum() {
        double sum = 0;
        for (double logProbability : logProbabilities) {
            sum += logProbability;
        }
        return sum;
    }

    /** exp of the mean negative log-probability per token; NaN without tokens. */
    public double perplexity() {
        return Math.exp(-sum() / ids.length);
    }

    /** Bits that an ideal coder would need per byte of text: comparable between vocabularies. NaN without bytes. */
    public double bitsPerByte() {
        return -sum() / Math.log(2) / byteCount;
    }
}
