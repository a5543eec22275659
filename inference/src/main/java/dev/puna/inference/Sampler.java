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

    /**
     * Top-p sums weights by size before it sorts: 32 classes between powers of two, from 1 down to 2⁻³², the rest in the
     * last.
     */
    private static final int CLASSES = 1024;

    private static final int CLASS_SHIFT = 52 - 5;
    private static final long ONE = Double.doubleToRawLongBits(1);

    private final Sampling sampling;
    private final int vocabularySize;
    private @Nullable Workspace own;
    /** Tokens of the prompt and the answer, for the penalties. */
    private int[] history;

    private int historyLength;
    private final int promptLength;
    /** How often a token occurs in the answer's part of the window; 0 outside {@link #applyPenalties}. */
    private final int[] counts;

    private long state;

    // Parts of the workspace in use.
    private double[] logits = {};
    private int[] candidates = {};
    private double[] weights = {};

    /** What choosing one token needs in memory; one for each thread that chooses serves any number of samplers. */
    static final class Workspace {
        /** A row of logits; free for whoever calls. */
        final float[] raw;

        private final double[] logits;
        /** Candidates, by falling probability where they are sorted. */
        private final int[] candidates;

        private final double[] weights;
        private final double[] sorted;
        private final double[] sums = new double[CLASSES];

        Workspace(int vocabularySize) {
            raw = new float[vocabularySize];
            logits = new double[vocabularySize];
            candidates = new int[vocabularySize];
            weights = new double[vocabularySize];
            sorted = new double[vocabularySize];
        }
    }

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
        this.counts = new int[sampling.hasPenalties() ? vocabularySize : 0];
        this.history = Arrays.copyOf(prompt, prompt.length + 64);
        this.historyLength = prompt.length;
        this.promptLength = prompt.length;
        this.state = sampling.seed();
    }

    /**
     * The next token; it joins the history. What is not a number is never chosen.
     *
     * @param raw V logits as the model gave them
     * @throws IllegalArgumentException if no logit is a number, or one is +∞
     */
    public int next(float[] raw) {
        Workspace workspace = own;
        if (workspace == null) {
            workspace = new Workspace(vocabularySize);
            own = workspace;
        }
        return next(raw, null, workspace);
    }

    /**
     * The next token among those allowed; it joins the history.
     *
     * @param raw V logits as the model gave them
     * @param allowed bit {@code id % 64} of word {@code id / 64}; null allows all
     * @throws IllegalArgumentException if no logit of an allowed token is a number, or one is +∞
     */
    int next(float[] raw, long @Nullable [] allowed, Workspace workspace) {
        int chosen = choose(raw, allowed, workspace);
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
    int guess(float[] raw, int ahead, Workspace workspace) {
        long now = state;
        if (!sampling.isGreedy()) {
            state += ahead * GOLDEN_GAMMA;
        }
        try {
            return choose(raw, null, workspace);
        } finally {
            state = now;
        }
    }

    private int choose(float[] raw, long @Nullable [] allowed, Workspace workspace) {
        if (raw.length != vocabularySize) {
            throw new IllegalArgumentException(raw.length + " logits for a vocabulary of " + vocabularySize);
        }
        if (sampling.isGreedy()
                && allowed == null
                && !sampling.hasPenalties()
                && sampling.logitBias().isEmpty()) {
            return largest(raw);
        }
        logits = workspace.logits;
        candidates = workspace.candidates;
        weights = workspace.weights;
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
        return sampling.isGreedy() ? best : draw(best, workspace);
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

    private static int largest(float[] raw) {
        int best = -1;
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < raw.length; i++) {
            if (raw[i] > max) {
                max = raw[i];
                best = i;
            }
        }
        return found(best, max);
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
        return found(best, max);
    }

    private static int found(int best, double max) {
        if (max == Double.POSITIVE_INFINITY) {
            throw new IllegalArgumentException(
                    "a logit is infinite: the model has diverged, its file is damaged, or bias and penalties are too"
                            + " large");
        }
        if (best < 0) {
            throw new IllegalArgumentException("no logit is a number: the model has diverged or its file is damaged");
        }
        return best;
    }

    private int draw(int best, Workspace workspace) {
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
            return drawTopP(count, workspace);
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

    /**
     * Draws among the most probable candidates that together reach top-p. Only their weights are sorted; which token
     * stands at the place that is drawn is looked up. Sums are those of all candidates sorted by falling probability,
     * smaller ids first among equals.
     */
    private int drawTopP(int count, Workspace workspace) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[i];
        }
        double enough = sampling.topP() * sum;
        // Tokens below this weigh less than 1 − p all together: they lie in the tail that is cut off anyway.
        double least = Math.max((1 - sampling.topP()) * sum / count, leastOf(count, enough, workspace.sums));
        double[] sorted = workspace.sorted;
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (weights[i] >= least) {
                sorted[kept++] = weights[i];
            }
        }
        Arrays.sort(sorted, 0, kept); // the largest last
        int size = 0;
        for (double reached = 0; size < kept && !(reached >= enough); size++) {
            reached += sorted[kept - 1 - size];
        }
        while (size > 0 && sorted[kept - size] < sampling.minP()) { // the most probable token weighs 1
            size--;
        }
        double total = 0;
        for (int i = 0; i < size; i++) {
            total += sorted[kept - 1 - i];
        }
        double target = uniform() * total;
        double reached = 0;
        int drawn = 0;
        for (; drawn < size - 1; drawn++) {
            reached += sorted[kept - 1 - drawn];
            if (reached > target) {
                break;
            }
        }
        double weight = sorted[kept - 1 - drawn];
        int rank = 0;
        while (rank < drawn && sorted[kept - drawn + rank] == weight) {
            rank++;
        }
        return candidate(weight, rank, count);
    }

    /** A weight below which nothing is needed for a sum of the largest that reaches {@code enough}. */
    private double leastOf(int count, double enough, double[] sums) {
        Arrays.fill(sums, 0);
        for (int i = 0; i < count; i++) {
            long down = (ONE - Double.doubleToRawLongBits(weights[i])) >>> CLASS_SHIFT;
            sums[(int) Math.min(down, CLASSES - 1)] += weights[i];
        }
        double reached = 0;
        double certain = enough * (1 + 1e-9); // far above what rounding makes of sums in another order
        for (int i = 0; i < CLASSES - 1; i++) {
            reached += sums[i];
            if (reached >= certain) {
                return Double.longBitsToDouble(ONE - ((i + 1L) << CLASS_SHIFT) + 1);
            }
        }
        return 0;
    }

    /** Of all candidates of a weight, sorted, the one at {@code rank}. */
    private int candidate(double weight, int rank, int count) {
        int equals = 0;
        boolean sorted = true;
        for (int i = 0; i < count; i++) {
            if (weights[i] == weight) {
                sorted &= equals == 0 || isWorse(candidates[i], candidates[equals - 1]);
                candidates[equals++] = candidates[i];
            }
        }
        if (!sorted) { // different logits of the same weight
            sortCandidates(equals);
        }
        return candidates[rank];
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
