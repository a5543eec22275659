package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Chooses the tokens of one sequence from their logits, one after the other.
 *
 * <p>The draws are SplitMix64 (Steele, Lea and Flood 2014): draw {@code n} is the {@code n}-th output for the seed, its
 * upper 53 bits over 2⁵³; one draw per token, none when greedy. So a token depends on the seed, on its number in the
 * sequence and on the logits, and on nothing else.
 *
 * <p>Not for concurrent use.
 */
public final class Sampler {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private final Sampling sampling;
    private final int vocabularySize;
    private final double[] logits;
    /** Tokens of the prompt and the answer, for the penalties. */
    private int[] history;

    private int historyLength;
    private final int promptLength;
    /** How often a token occurs in the answer's part of the window; 0 outside {@link #applyPenalties}. */
    private final int[] counts;
    /** Candidates, by falling probability once they are sorted. */
    private final int[] candidates;

    private final double[] weights;
    private long state;

    /**
     * @param prompt ids that the repetition penalty counts as seen
     * @throws ConfigurationException if the logit bias names an id outside the vocabulary
     */
    public Sampler(Sampling sampling, int vocabularySize, int[] prompt) {
        for (int id : sampling.logitBias().keySet()) {
            if (id >= vocabularySize) {
                throw new ConfigurationException("logitBias", id, "the vocabulary has " + vocabularySize + " tokens");
            }
        }
        this.sampling = sampling;
        this.vocabularySize = vocabularySize;
        this.logits = new double[vocabularySize];
        this.counts = new int[sampling.hasPenalties() ? vocabularySize : 0];
        this.candidates = new int[sampling.isGreedy() ? 0 : vocabularySize];
        this.weights = new double[sampling.isGreedy() ? 0 : vocabularySize];
        this.history = Arrays.copyOf(prompt, prompt.length + 64);
        this.historyLength = prompt.length;
        this.promptLength = prompt.length;
        this.state = sampling.seed();
    }

    /**
     * The next token; it joins the history.
     *
     * @param raw V logits as the model gave them
     * @throws IllegalArgumentException if no logit is a number
     */
    public int next(float[] raw) {
        return next(raw, null);
    }

    /**
     * The next token among those allowed; it joins the history.
     *
     * @param raw V logits as the model gave them
     * @param allowed bit {@code id % 64} of word {@code id / 64}; null allows all
     * @throws IllegalArgumentException if no logit of an allowed token is a number
     */
    int next(float[] raw, long @Nullable [] allowed) {
        int chosen = choose(raw, allowed);
        if (historyLength == history.length) {
            history = Arrays.copyOf(history, 2 * history.length);
        }
        history[historyLength++] = chosen;
        return chosen;
    }

    /**
     * What {@link #next(float[])} would choose from these logits {@code ahead} tokens later, if nothing came between;
     * changes nothing. The draw is the one that will be made there: so a model that gives nearly the same probabilities
     * guesses nearly always what will be drawn.
     */
    int guess(float[] raw, int ahead) {
        long now = state;
        if (!sampling.isGreedy()) {
            state += ahead * GOLDEN_GAMMA;
        }
        try {
            return choose(raw, null);
        } finally {
            state = now;
        }
    }

    private int choose(float[] raw, long @Nullable [] allowed) {
        if (raw.length != vocabularySize) {
            throw new IllegalArgumentException(raw.length + " logits for a vocabulary of " + vocabularySize);
        }
        for (int i = 0; i < raw.length; i++) {
            logits[i] = raw[i];
        }
        for (Map.Entry<Integer, Double> bias : sampling.logitBias().entrySet()) {
            logits[bias.getKey()] += bias.getValue();
        }
        if (sampling.hasPenalties()) {
            applyPenalties();
        }
        if (allowed != null) {
            mask(allowed);
        }
        int best = largest();
        return sampling.isGreedy() ? best : draw(best);
    }

    /**
     * The natural logarithm of the probability that the model itself gives a token: no bias, penalty or temperature.
     *
     * @param raw V logits
     */
    public static double logProbability(float[] raw, int id) {
        return raw[id] - logSumExp(raw);
    }

    /** {@code log Σ exp(raw)}, in double precision, in the order of the ids. */
    public static double logSumExp(float[] raw) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : raw) {
            max = Math.max(max, logit);
        }
        if (Double.isInfinite(max)) {
            return max;
        }
        double sum = 0;
        for (float logit : raw) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum);
    }

    /** The ids of the {@code count} largest logits, largest first, smaller ids first among equals. */
    static int[] largest(float[] raw, int count) {
        int[] best = new int[Math.min(count, raw.length)];
        int size = 0;
        for (int id = 0; id < raw.length; id++) {
            if (size == best.length && (size == 0 || !(raw[id] > raw[best[size - 1]]))) {
                continue;
            }
            int at = size < best.length ? size++ : size - 1;
            while (at > 0 && raw[id] > raw[best[at - 1]]) {
                best[at] = best[at - 1];
                at--;
            }
            best[at] = id;
        }
        return best;
    }

    private void applyPenalties() {
        int from = sampling.penaltyWindow() == 0 ? 0 : Math.max(0, historyLength - sampling.penaltyWindow());
        for (int i = from; i < historyLength; i++) {
            int id = history[i];
            if (i >= promptLength) {
                counts[id]++;
            } else if (id < vocabularySize) {
                counts[id] |= Integer.MIN_VALUE; // seen in the prompt
            }
        }
        for (int i = from; i < historyLength; i++) {
            int id = history[i];
            int count = counts[id];
            if (count != 0) {
                double logit = logits[id];
                logit = logit > 0 ? logit / sampling.repetitionPenalty() : logit * sampling.repetitionPenalty();
                int answered = count & Integer.MAX_VALUE;
                if (answered > 0) {
                    logit -= sampling.presencePenalty() + answered * sampling.frequencyPenalty();
                }
                logits[id] = logit;
                counts[id] = 0;
            }
        }
    }

    private void mask(long[] allowed) {
        for (int word = 0; word * 64 < vocabularySize; word++) {
            long bits = allowed[word];
            if (bits == -1) {
                continue;
            }
            int end = Math.min(vocabularySize, word * 64 + 64);
            for (int id = word * 64; id < end; id++) {
                if ((bits >>> id & 1) == 0) {
                    logits[id] = Double.NEGATIVE_INFINITY;
                }
            }
        }
    }

    private int largest() {
        int best = -1;
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabularySize; i++) {
            if (logits[i] > max) {
                max = logits[i];
                best = i;
            }
        }
        if (best < 0) {
            throw new IllegalArgumentException("no logit is a number: the model has diverged or its file is damaged");
        }
        return best;
    }

    private int draw(int best) {
        double max = logits[best];
        int count = 0;
        if (sampling.topK() > 0 && sampling.topK() < vocabularySize) {
            count = selectTopK(sampling.topK());
            for (int i = 0; i < count; i++) {
                weights[i] = weight(candidates[i], max);
            }
        } else {
            for (int i = 0; i < vocabularySize; i++) {
                double weight = weight(i, max);
                if (weight > 0) {
                    candidates[count] = i;
                    weights[count++] = weight;
                }
            }
        }
        if (sampling.topP() < 1) {
            count = keepTopP(count);
        }
        if (sampling.minP() > 0) {
            int kept = 0;
            for (int i = 0; i < count; i++) {
                if (weights[i] >= sampling.minP()) { // the most probable token weighs 1
                    candidates[kept] = candidates[i];
                    weights[kept++] = weights[i];
                }
            }
            count = kept;
        }
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[i];
        }
        double target = uniform() * sum;
        double reached = 0;
        for (int i = 0; i < count; i++) {
            reached += weights[i];
            if (reached > target) {
                return candidates[i];
            }
        }
        return candidates[count - 1];
    }

    /** exp((logit − max) / temperature); 0 for what is not a number. */
    private double weight(int id, double max) {
        double logit = logits[id];
        return logit <= max ? Math.exp((logit - max) / sampling.temperature()) : 0;
    }

    /** The k largest logits into {@code candidates}, largest first, smaller ids first among equals. */
    private int selectTopK(int k) {
        // A heap of the k best so far, the worst of them on top.
        int size = 0;
        for (int id = 0; id < vocabularySize; id++) {
            if (Double.isNaN(logits[id])) {
                continue;
            }
            if (size < k) {
                candidates[size] = id;
                siftUp(size++);
            } else if (logits[id] > logits[candidates[0]]) {
                candidates[0] = id;
                siftDown(0, size);
            }
        }
        for (int end = size - 1; end > 0; end--) {
            int worst = candidates[0];
            candidates[0] = candidates[end];
            candidates[end] = worst;
            siftDown(0, end);
        }
        return size;
    }

    /** Whether a comes after b: a smaller logit, or the same and a larger id. */
    private boolean isWorse(int a, int b) {
        return logits[a] < logits[b] || (logits[a] == logits[b] && a > b);
    }

    private void siftUp(int from) {
        int i = from;
        while (i > 0) {
            int parent = (i - 1) >>> 1;
            if (!isWorse(candidates[i], candidates[parent])) {
                return;
            }
            swap(i, parent);
            i = parent;
        }
    }

    private void siftDown(int from, int size) {
        int i = from;
        while (true) {
            int child = 2 * i + 1;
            if (child >= size) {
                return;
            }
            if (child + 1 < size && isWorse(candidates[child + 1], candidates[child])) {
                child++;
            }
            if (!isWorse(candidates[child], candidates[i])) {
                return;
            }
            swap(i, child);
            i = child;
        }
    }

    private void swap(int i, int j) {
        int id = candidates[i];
        candidates[i] = candidates[j];
        candidates[j] = id;
    }

    /** Sorts what can belong to the set by falling weight and cuts it where the sum reaches top-p. */
    private int keepTopP(int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[i];
        }
        // Tokens below this weigh less than 1 − p all together: they lie in the tail that is cut off anyway.
        double threshold = (1 - sampling.topP()) * sum / count;
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (weights[i] >= threshold) {
                candidates[kept++] = candidates[i];
            }
        }
        sortCandidates(kept);
        double max = logits[candidates[0]];
        double reached = 0;
        for (int i = 0; i < kept; i++) {
            weights[i] = weight(candidates[i], max);
            reached += weights[i];
            if (reached >= sampling.topP() * sum) {
                return i + 1;
            }
        }
        return kept;
    }

    private void sortCandidates(int count) {
        for (int i = count / 2 - 1; i >= 0; i--) {
            siftDown(i, count);
        }
        for (int end = count - 1; end > 0; end--) {
            swap(0, end);
            siftDown(0, end);
        }
    }

    /** In [0, 1). */
    private double uniform() {
        state += GOLDEN_GAMMA;
        long z = state;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        z ^= z >>> 31;
        return (z >>> 11) * 0x1.0p-53;
    }
}
