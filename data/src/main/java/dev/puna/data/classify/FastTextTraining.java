package dev.puna.data.classify;

import dev.puna.tensor.ConfigurationException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Trains a classifier as fastText's {@code supervised} command does: softmax loss, stochastic gradient descent whose rate
 * falls linearly to zero. One thread and a seeded order: the same examples give the same bits.
 *
 * @param dimension of the hidden layer
 * @param minChars shortest character n-gram
 * @param maxChars longest; 0 for none
 * @param wordNgrams longest n-gram of words
 * @param bucket rows for n-grams
 * @param minCount rarer words get no row
 * @param epochs passes over the examples
 * @param lr first learning rate
 * @param seed of the order and of the first values
 */
public record FastTextTraining(
        int dimension,
        int minChars,
        int maxChars,
        int wordNgrams,
        int bucket,
        int minCount,
        int epochs,
        double lr,
        long seed) {
    /**
     * One example.
     *
     * @param label without prefix
     * @param text one line or several
     */
    public record Example(String label, String text) {}

    public FastTextTraining {
        if (dimension < 1 || epochs < 1 || !(lr > 0) || bucket < 1) {
            throw new ConfigurationException(
                    "training", dimension + "/" + epochs + "/" + lr + "/" + bucket, "all must be positive");
        }
    }

    /** fastText's defaults for classifiers of pages. */
    public static FastTextTraining pages() {
        return new FastTextTraining(100, 0, 0, 1, 1, 1, 5, 0.1, 1);
    }

    /** For languages: character n-grams from 2 to 4. */
    public static FastTextTraining languages() {
        return new FastTextTraining(16, 1, 4, 1, 1 << 15, 2, 40, 1.0, 1);
    }

    /**
     * Trains.
     *
     * @throws ConfigurationException when there are fewer than two labels
     */
    public FastTextModel train(List<Example> examples) {
        Map<String, long[]> wordCounts = new HashMap<>();
        Map<String, long[]> labelCounts = new HashMap<>();
        for (Example example : examples) {
            labelCounts.computeIfAbsent(example.label(), k -> new long[1])[0]++;
            for (String word : example.text().split("[ \n\r\t\u000b\f\0]+")) {
                if (!word.isEmpty()) {
                    wordCounts.computeIfAbsent(word, k -> new long[1])[0]++;
                }
            }
            wordCounts.computeIfAbsent("</s>", k -> new long[1])[0]++;
        }
        if (labelCounts.size() < 2) {
            throw new ConfigurationException("labels", labelCounts.keySet(), "a classifier needs at least two");
        }
        wordCounts.values().removeIf(c -> c[0] < minCount);
        List<byte[]> words = new ArrayList<>();
        List<Long> counts = new ArrayList<>();
        sorted(wordCounts).forEach(e -> {
            words.add(e.getKey().getBytes(StandardCharsets.UTF_8));
            counts.add(e.getValue()[0]);
        });
        int wordCount = words.size();
        Map<String, Integer> labelIds = new HashMap<>();
        sorted(labelCounts).forEach(e -> {
            labelIds.put(e.getKey(), labelIds.size());
            words.add(("__label__" + e.getKey()).getBytes(StandardCharsets.UTF_8));
            counts.add(e.getValue()[0]);
        });
        int labels = labelIds.size();
        long rows = (long) wordCount + (maxChars > 0 || wordNgrams > 1 ? bucket : 0);
        if (rows * dimension > Integer.MAX_VALUE - 64) {
            throw new ConfigurationException("bucket", bucket, "the matrix would have more than 2^31 numbers");
        }
        float[] input = new float[(int) rows * dimension];
        float[] output = new float[labels * dimension];
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < input.length; i++) {
            input[i] = (float) ((random.nextDouble() * 2 - 1) / dimension);
        }
        FastTextModel model = FastTextModel.trained(
                dimension,
                wordNgrams,
                maxChars > 0 || wordNgrams > 1 ? bucket : 0,
                minChars,
                maxChars,
                words,
                counts.stream().mapToLong(c -> c).toArray(),
                wordCount,
                input,
                output);
        FastTextModel.Rows features = new FastTextModel.Rows();
        int n = examples.size();
        int[][] texts = new int[n][]; // rows of each example: looked up once, used in every epoch
        int[] targets = new int[n];
        int[] order = new int[n];
        for (int i = 0; i < n; i++) {
            model.features(examples.get(i).text().getBytes(StandardCharsets.UTF_8), features);
            texts[i] = java.util.Arrays.copyOf(features.rows, features.size);
            targets[i] = labelIds.getOrDefault(examples.get(i).label(), 0);
            order[i] = i;
        }
        float[] hidden = new float[dimension];
        float[] dHidden = new float[dimension];
        float[] p = new float[labels];
        for (int epoch = 0; epoch < epochs; epoch++) {
            for (int i = n - 1; i > 0; i--) {
                int k = random.nextInt(i + 1);
                int swap = order[i];
                order[i] = order[k];
                order[k] = swap;
            }
            for (int i = 0; i < n; i++) {
                float rate = (float) (lr * (1 - (epoch + (double) i / n) / epochs));
                step(texts[order[i]], targets[order[i]], rate, input, output, hidden, dHidden, p);
            }
        }
        return model;
    }

    private static List<Map.Entry<String, long[]>> sorted(Map<String, long[]> counts) {
        List<Map.Entry<String, long[]>> entries = new ArrayList<>(counts.entrySet());
        entries.sort((a, b) -> a.getValue()[0] != b.getValue()[0]
                ? Long.compare(b.getValue()[0], a.getValue()[0])
                : a.getKey().compareTo(b.getKey()));
        return entries;
    }

    /** Forward: hidden = mean of rows, p = softmax(output · hidden). Backward: d(−ln p[target]) into both matrices. */
    private void step(
            int[] features,
            int target,
            float rate,
            float[] input,
            float[] output,
            float[] hidden,
            float[] dHidden,
            float[] p) {
        int size = features.length;
        if (size == 0) {
            return;
        }
        java.util.Arrays.fill(hidden, 0);
        java.util.Arrays.fill(dHidden, 0);
        for (int i = 0; i < size; i++) {
            int at = features[i] * dimension;
            for (int d = 0; d < dimension; d++) {
                hidden[d] += input[at + d];
            }
        }
        for (int d = 0; d < dimension; d++) {
            hidden[d] /= size;
        }
        float largest = Float.NEGATIVE_INFINITY;
        for (int l = 0; l < p.length; l++) {
            float dot = 0;
            for (int d = 0; d < dimension; d++) {
                dot += output[l * dimension + d] * hidden[d];
            }
            p[l] = dot;
            largest = Math.max(largest, dot);
        }
        float sum = 0;
        for (int l = 0; l < p.length; l++) {
            p[l] = (float) Math.exp(p[l] - largest);
            sum += p[l];
        }
        for (int l = 0; l < p.length; l++) {
            float alpha = rate * ((l == target ? 1 : 0) - p[l] / sum);
            int at = l * dimension;
            for (int d = 0; d < dimension; d++) {
                dHidden[d] += alpha * output[at + d];
                output[at + d] += alpha * hidden[d];
            }
        }
        for (int d = 0; d < dimension; d++) {
            dHidden[d] /= size;
        }
        for (int i = 0; i < size; i++) {
            int at = features[i] * dimension;
            for (int d = 0; d < dimension; d++) {
                input[at + d] += dHidden[d];
            }
        }
    }
}
