package dev.puna.data.ngram;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Estimates an interpolated modified Kneser–Ney model. Sentences are added one by one; all n-grams are held in memory, 4
 * bytes a word and about 24 beside for each different one.
 *
 * <p>The highest order uses counts; lower orders use the number of different words that came before, or the count where
 * an n-gram begins a sentence. Three discounts for each order come from the numbers of n-grams that occur one to four
 * times; where these give none, 0.5, 1 and 1.5 (KenLM's {@code --discount_fallback}).
 */
public final class NgramTraining {
    private final int order;
    private final List<String> words = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
    private final Map<String, Integer> ids = new HashMap<>();
    private final NgramTable[] tables;
    private final long[][] counts;

    /** @param order longest n-gram, 1 to 10 */
    public NgramTraining(int order) {
        NgramModel.checkOrder(order);
        this.order = order;
        this.tables = new NgramTable[order];
        this.counts = new long[order][1 << 9];
        for (int n = 1; n <= order; n++) {
            tables[n - 1] = new NgramTable(n);
        }
        for (int i = 0; i < words.size(); i++) {
            ids.put(words.get(i), i);
            tables[0].add(new int[] {i}, 0);
        }
    }

    /** Counts the n-grams of a sentence. */
    public void add(List<String> sentence) {
        int[] text = new int[sentence.size() + 2];
        text[0] = NgramModel.BOS;
        for (int i = 0; i < sentence.size(); i++) {
            Integer id = ids.get(sentence.get(i));
            if (id == null) {
                id = words.size();
                ids.put(sentence.get(i), id);
                words.add(sentence.get(i));
            }
            text[i + 1] = id;
        }
        text[text.length - 1] = NgramModel.EOS;
        for (int n = 1; n <= order; n++) {
            for (int at = 0; at + n <= text.length; at++) {
                int row = tables[n - 1].add(text, at);
                if (row >= counts[n - 1].length) {
                    counts[n - 1] = Arrays.copyOf(counts[n - 1], 2 * row);
                }
                counts[n - 1][row]++;
            }
        }
    }

    /** The model of everything that was added. */
    public NgramModel train() {
        long[][] adjusted = adjusted();
        float[][] logProbabilities = new float[order][];
        float[][] backOffs = new float[order][];
        double[][] probabilities = new double[order][];
        for (int n = 1; n <= order; n++) {
            NgramTable table = tables[n - 1];
            double[] discounts = discounts(adjusted[n - 1], table, n);
            int contexts = n == 1 ? 1 : tables[n - 2].size;
            double[] sums = new double[contexts];
            double[] left = new double[contexts]; // what the discounts take from each context
            int[] contextOf = new int[table.size];
            for (int row = 0; row < table.size; row++) {
                int context = n == 1 ? 0 : tables[n - 2].find(table.words, row * n);
                contextOf[row] = context;
                if (n == 1 && table.words[row] == NgramModel.BOS) {
                    continue;
                }
                long a = adjusted[n - 1][row];
                sums[context] += a;
                left[context] += discounts[(int) Math.min(a, 3)];
            }
            probabilities[n - 1] = new double[table.size];
            logProbabilities[n - 1] = new float[table.size];
            backOffs[n - 1] = new float[table.size];
            int vocabulary = words.size() - 1; // all but <s>
            for (int row = 0; row < table.size; row++) {
                int context = contextOf[row];
                long a = adjusted[n - 1][row];
                double gamma = sums[context] == 0 ? 1 : left[context] / sums[context];
                double own = sums[context] == 0 ? 0 : (a - discounts[(int) Math.min(a, 3)]) / sums[context];
                double lower =
                        n == 1 ? 1.0 / vocabulary : probabilities[n - 2][tables[n - 2].find(table.words, row * n + 1)];
                double p = own + gamma * lower;
                if (n == 1 && table.words[row] == NgramModel.BOS) {
                    p = 0;
                }
                probabilities[n - 1][row] = p;
                logProbabilities[n - 1][row] = p > 0 ? (float) Math.log10(p) : -99;
            }
            if (n > 1) {
                for (int context = 0; context < contexts; context++) {
                    backOffs[n - 2][context] =
                            sums[context] == 0 ? 0 : (float) Math.log10(left[context] / sums[context]);
                }
            }
        }
        return new NgramModel(words, tables, logProbabilities, backOffs);
    }

    /** Counts for the highest order; for lower ones the number of different words before, or the count after a start. */
    private long[][] adjusted() {
        long[][] adjusted = new long[order][];
        adjusted[order - 1] = Arrays.copyOf(counts[order - 1], tables[order - 1].size);
        for (int n = order - 1; n >= 1; n--) {
            NgramTable table = tables[n - 1];
            NgramTable longer = tables[n];
            long[] a = new long[table.size];
            for (int row = 0; row < longer.size; row++) {
                a[table.find(longer.words, row * (n + 1) + 1)]++;
            }
            for (int row = 0; row < table.size; row++) {
                if (table.words[row * n] == NgramModel.BOS) {
                    a[row] = counts[n - 1][row];
                }
            }
            adjusted[n - 1] = a;
        }
        return adjusted;
    }

    /** What is taken from counts of 0, 1, 2, and 3 or more. */
    private static double[] discounts(long[] adjusted, NgramTable table, int n) {
        double[] number = new double[5];
        for (int row = 0; row < table.size; row++) {
            if (adjusted[row] <= 4 && !(n == 1 && table.words[row] == NgramModel.BOS)) {
                number[(int) adjusted[row]]++;
            }
        }
        double[] discounts = {0, 0.5, 1, 1.5};
        if (number[1] == 0 || number[2] == 0 || number[3] == 0 || number[4] == 0) {
            return discounts;
        }
        double y = number[1] / (number[1] + 2 * number[2]);
        double[] estimated = new double[4];
        for (int k = 1; k <= 3; k++) {
            estimated[k] = k - (k + 1) * y * number[k + 1] / number[k];
            if (estimated[k] < 0 || estimated[k] > k) {
                return discounts;
            }
        }
        return estimated;
    }
}
