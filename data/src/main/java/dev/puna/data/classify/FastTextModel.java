package dev.puna.data.classify;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A supervised fastText model: words, character n-grams and word n-grams are rows of a matrix, their mean is the text, and
 * a linear layer gives the labels. Immutable; safe for all threads.
 */
public final class FastTextModel {
    /**
     * A label and how probable it is.
     *
     * @param label without fastText's prefix {@code __label__}
     * @param probability 0 to 1
     */
    public record Prediction(String label, double probability) {}

    /** How labels get their probability; the numbers are fastText's. */
    public enum Loss {
        HIERARCHICAL_SOFTMAX(1),
        NEGATIVE_SAMPLING(2),
        SOFTMAX(3),
        ONE_VERSUS_ALL(4);

        private final int number;

        Loss(int number) {
            this.number = number;
        }
    }

    private static final int MAGIC = 793_712_314;
    private static final int VERSION = 12;
    private static final String PREFIX = "__label__";
    private static final byte[] EOS = "</s>".getBytes(StandardCharsets.UTF_8);
    private static final int CENTROIDS = 256;

    /** A matrix of rows, plain or product-quantized (Jégou, Douze, Schmid 2011). */
    private record Matrix(
            int rows,
            int columns,
            float[] values,
            @Nullable Quantizer quantizer,
            byte[] codes,
            @Nullable Quantizer normQuantizer,
            byte[] normCodes) {
        void addRow(int row, float[] to) {
            if (quantizer == null) {
                int at = row * columns;
                for (int i = 0; i < columns; i++) {
                    to[i] += values[at + i];
                }
                return;
            }
            float norm = normQuantizer == null ? 1 : normQuantizer.centroids[normCodes[row] & 0xff];
            quantizer.add(codes, row, norm, to);
        }

        float dot(int row, float[] with) {
            float sum = 0;
            if (quantizer == null) {
                int at = row * columns;
                for (int i = 0; i < columns; i++) {
                    sum += values[at + i] * with[i];
                }
                return sum;
            }
            float[] plain = new float[columns];
            addRow(row, plain);
            for (int i = 0; i < columns; i++) {
                sum += plain[i] * with[i];
            }
            return sum;
        }
    }

    private record Quantizer(int parts, int partSize, int lastSize, float[] centroids) {
        void add(byte[] codes, int row, float scale, float[] to) {
            for (int m = 0; m < parts; m++) {
                int code = codes[row * parts + m] & 0xff;
                int size = m == parts - 1 ? lastSize : partSize;
                int at = m * CENTROIDS * partSize + code * size;
                for (int i = 0; i < size; i++) {
                    to[m * partSize + i] += scale * centroids[at + i];
                }
            }
        }
    }

    final int dimension;
    final int wordNgrams;
    final int bucket;
    final int minChars;
    final int maxChars;
    private final Loss loss;
    private final List<byte[]> words; // words, then labels
    private final long[] counts;
    private final int wordCount;
    private final Map<Integer, Integer> pruned; // n-gram to row; empty when none is pruned
    private final boolean isPruned;
    private final Matrix input;
    private final Matrix output;
    private final int[] slots;
    private final String[] labels;
    private final int[][] tree; // hierarchical softmax: left, right of each node

    private FastTextModel(
            int dimension,
            int wordNgrams,
            int bucket,
            int minChars,
            int maxChars,
            Loss loss,
            List<byte[]> words,
            long[] counts,
            int wordCount,
            @Nullable Map<Integer, Integer> pruned,
            Matrix input,
            Matrix output) {
        this.dimension = dimension;
        this.wordNgrams = wordNgrams;
        this.bucket = bucket;
        this.minChars = minChars;
        this.maxChars = maxChars;
        this.loss = loss;
        this.words = words;
        this.counts = counts;
        this.wordCount = wordCount;
        this.isPruned = pruned != null;
        this.pruned = pruned == null ? Map.of() : pruned;
        this.input = input;
        this.output = output;
        this.slots = index(words, wordCount);
        this.labels = new String[words.size() - wordCount];
        for (int i = 0; i < labels.length; i++) {
            String label = new String(words.get(wordCount + i), StandardCharsets.UTF_8);
            labels[i] = label.startsWith(PREFIX) ? label.substring(PREFIX.length()) : label;
        }
        this.tree = loss == Loss.HIERARCHICAL_SOFTMAX ? huffman() : new int[0][];
    }

    /** A model that has just been trained, with plain matrices. */
    static FastTextModel trained(
            int dimension,
            int wordNgrams,
            int bucket,
            int minChars,
            int maxChars,
            List<byte[]> words,
            long[] counts,
            int wordCount,
            float[] input,
            float[] output) {
        int labels = words.size() - wordCount;
        return new FastTextModel(
                dimension,
                wordNgrams,
                bucket,
                minChars,
                maxChars,
                Loss.SOFTMAX,
                words,
                counts,
                wordCount,
                null,
                new Matrix(input.length / dimension, dimension, input, null, new byte[0], null, new byte[0]),
                new Matrix(labels, dimension, output, null, new byte[0], null, new byte[0]));
    }

    /** The labels, without prefix. */
    public List<String> labels() {
        return List.of(labels);
    }

    // ---- Features -------------------------------------------------------------------------------------------------

    /** fastText's hash: FNV-1a over signed bytes. */
    static int hash(byte[] s, int from, int to) {
        int h = 0x811C9DC5;
        for (int i = from; i < to; i++) {
            h = (h ^ s[i]) * 16_777_619;
        }
        return h;
    }

    private static int[] index(List<byte[]> words, int count) {
        int capacity = Integer.highestOneBit(Math.max(16, count * 2)) * 2;
        int[] slots = new int[capacity];
        for (int w = 0; w < count; w++) {
            byte[] word = words.get(w);
            int at = hash(word, 0, word.length) & (capacity - 1);
            while (slots[at] != 0) {
                at = (at + 1) & (capacity - 1);
            }
            slots[at] = w + 1;
        }
        return slots;
    }

    private int wordId(byte[] s, int from, int to, int hash) {
        int at = hash & (slots.length - 1);
        while (slots[at] != 0) {
            byte[] word = words.get(slots[at] - 1);
            if (Arrays.equals(word, 0, word.length, s, from, to)) {
                return slots[at] - 1;
            }
            at = (at + 1) & (slots.length - 1);
        }
        return -1;
    }

    /** Growing list of row numbers. */
    static final class Rows {
        int[] rows = new int[256];
        int size;

        void add(int row) {
            if (size == rows.length) {
                rows = Arrays.copyOf(rows, 2 * size);
            }
            rows[size++] = row;
        }
    }

    /** The rows of a line of text and of the end-of-sentence mark behind it. */
    void features(byte[] text, Rows rows) {
        rows.size = 0;
        int[] hashes = new int[64];
        int words = 0;
        int n = text.length;
        int at = 0;
        while (true) {
            while (at < n && isSpace(text[at])) {
                at++;
            }
            int from = at;
            while (at < n && !isSpace(text[at])) {
                at++;
            }
            boolean end = at == from;
            byte[] s = end ? EOS : text;
            int start = end ? 0 : from;
            int stop = end ? EOS.length : at;
            int h = hash(s, start, stop);
            int id = wordId(s, start, stop, h);
            if (id >= 0) {
                rows.add(id);
            }
            if (!end && maxChars > 0) {
                characters(s, start, stop, rows);
            }
            if (words == hashes.length) {
                hashes = Arrays.copyOf(hashes, 2 * words);
            }
            hashes[words++] = h;
            if (end) {
                break;
            }
        }
        if (wordNgrams > 1 && bucket > 0) {
            for (int i = 0; i < words; i++) {
                long h = hashes[i];
                for (int j = i + 1; j < words && j < i + wordNgrams; j++) {
                    h = h * 116_049_371L + hashes[j];
                    ngram((int) Long.remainderUnsigned(h, bucket), rows);
                }
            }
        }
    }

    private static boolean isSpace(byte b) {
        return b == ' ' || b == '\n' || b == '\r' || b == '\t' || b == 0x0b || b == '\f' || b == 0;
    }

    /** The n-grams of {@code <word>}, counted in characters, hashed as bytes. */
    private void characters(byte[] s, int from, int to, Rows rows) {
        int length = to - from + 2;
        for (int i = 0; i < length; i++) {
            byte first = at(s, from, length, i);
            if ((first & 0xc0) == 0x80) {
                continue;
            }
            int h = 0x811C9DC5;
            int j = i;
            for (int n = 1; j < length && n <= maxChars; n++) {
                h = (h ^ at(s, from, length, j++)) * 16_777_619;
                while (j < length && (at(s, from, length, j) & 0xc0) == 0x80) {
                    h = (h ^ at(s, from, length, j++)) * 16_777_619;
                }
                if (n >= minChars && !(n == 1 && (i == 0 || j == length))) {
                    ngram(Integer.remainderUnsigned(h, bucket), rows);
                }
            }
        }
    }

    private static byte at(byte[] s, int from, int length, int i) {
        return i == 0 ? (byte) '<' : i == length - 1 ? (byte) '>' : s[from + i - 1];
    }

    private void ngram(int id, Rows rows) {
        if (isPruned) {
            Integer row = pruned.get(id);
            if (row != null) {
                rows.add(wordCount + row);
            }
            return;
        }
        rows.add(wordCount + id);
    }

    // ---- Prediction -----------------------------------------------------------------------------------------------

    /** The most probable labels of a text, best first; line ends count as spaces. Empty when nothing in it is known. */
    public List<Prediction> predict(String text, int count) {
        Rows rows = new Rows();
        features(text.getBytes(StandardCharsets.UTF_8), rows);
        if (rows.size == 0) {
            return List.of();
        }
        float[] hidden = new float[dimension];
        for (int i = 0; i < rows.size; i++) {
            input.addRow(rows.rows[i], hidden);
        }
        for (int i = 0; i < dimension; i++) {
            hidden[i] /= rows.size;
        }
        double[] scores = scores(hidden);
        List<Prediction> all = new ArrayList<>(labels.length);
        for (int i = 0; i < labels.length; i++) {
            all.add(new Prediction(labels[i], scores[i]));
        }
        all.sort(Comparator.comparingDouble((Prediction p) -> -p.probability()));
        return List.copyOf(all.subList(0, Math.min(count, all.size())));
    }

    /** The most probable label. */
    public Optional<Prediction> best(String text) {
        return predict(text, 1).stream().findFirst();
    }

    /** The probability of one label; 0 when the text holds nothing known or the label does not exist. */
    public double probability(String text, String label) {
        for (Prediction prediction : predict(text, labels.length)) {
            if (prediction.label().equals(label)) {
                return prediction.probability();
            }
        }
        return 0;
    }

    private double[] scores(float[] hidden) {
        double[] scores = new double[labels.length];
        switch (loss) {
            case SOFTMAX -> {
                double largest = Double.NEGATIVE_INFINITY;
                for (int i = 0; i < scores.length; i++) {
                    scores[i] = output.dot(i, hidden);
                    largest = Math.max(largest, scores[i]);
                }
                double sum = 0;
                for (int i = 0; i < scores.length; i++) {
                    scores[i] = Math.exp(scores[i] - largest);
                    sum += scores[i];
                }
                for (int i = 0; i < scores.length; i++) {
                    scores[i] /= sum;
                }
            }
            case ONE_VERSUS_ALL, NEGATIVE_SAMPLING -> {
                for (int i = 0; i < scores.length; i++) {
                    scores[i] = 1 / (1 + Math.exp(-output.dot(i, hidden)));
                }
            }
            case HIERARCHICAL_SOFTMAX -> {
                // From the root down, by hand: a tree of skewed counts may be deep.
                double[] log = new double[tree.length];
                for (int node = tree.length - 1; node >= labels.length; node--) {
                    double f = 1 / (1 + Math.exp(-output.dot(node - labels.length, hidden)));
                    log[tree[node][0]] = log[node] + Math.log(1 - f + 1e-5);
                    log[tree[node][1]] = log[node] + Math.log(f + 1e-5);
                }
                for (int i = 0; i < scores.length; i++) {
                    scores[i] = Math.exp(log[i]);
                }
            }
        }
        return scores;
    }

    /** fastText's Huffman tree over the labels, whose counts fall; inner nodes follow the leaves, the root is last. */
    private int[][] huffman() {
        int leaves = labels.length;
        int[][] nodes = new int[2 * leaves - 1][2];
        long[] weights = new long[2 * leaves - 1];
        Arrays.fill(weights, (long) 1e15);
        for (int i = 0; i < leaves; i++) {
            weights[i] = counts[wordCount + i];
        }
        int leaf = leaves - 1;
        int inner = leaves;
        for (int i = leaves; i < 2 * leaves - 1; i++) {
            for (int side = 0; side < 2; side++) {
                nodes[i][side] = leaf >= 0 && weights[leaf] < weights[inner] ? leaf-- : inner++;
            }
            weights[i] = weights[nodes[i][0]] + weights[nodes[i][1]];
        }
        return nodes;
    }

    // ---- Files ----------------------------------------------------------------------------------------------------

    /**
     * Reads a supervised model, {@code .bin} or {@code .ftz}.
     *
     * @throws CorruptFileException when the file is damaged or no fastText model
     * @throws ConfigurationException when it is a model of word vectors or larger than 2 GiB
     */
    public static FastTextModel read(Path file) throws IOException {
        if (Files.size(file) > Integer.MAX_VALUE - 64) {
            throw new ConfigurationException("model", file, "models of more than 2 GiB are not read");
        }
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        try {
            return parse(in, file);
        } catch (BufferUnderflowException | IndexOutOfBoundsException | NegativeArraySizeException e) {
            throw new CorruptFileException(file, in.position(), "more of a fastText model", "the end of the file");
        }
    }

    private static FastTextModel parse(ByteBuffer in, Path file) {
        int magic = in.getInt();
        int version = in.getInt();
        if (magic != MAGIC || version > VERSION || version < 11) {
            throw new CorruptFileException(
                    file,
                    0,
                    "a fastText model of version 11 or 12",
                    Integer.toHexString(magic) + ", version " + version);
        }
        int[] settings = new int[12];
        for (int i = 0; i < settings.length; i++) {
            settings[i] = in.getInt();
        }
        in.getDouble();
        int dimension = settings[0];
        int model = settings[7];
        if (model != 3) {
            throw new ConfigurationException("model", file, "it holds word vectors, not a supervised classifier");
        }
        Loss loss = null;
        for (Loss candidate : Loss.values()) {
            loss = candidate.number == settings[6] ? candidate : loss;
        }
        int size = in.getInt();
        int wordCount = in.getInt();
        int labelCount = in.getInt();
        in.getLong();
        long prunedSize = in.getLong();
        int bucket = settings[8];
        if (loss == null
                || dimension < 1
                || dimension > 1 << 20
                || wordCount < 0
                || labelCount < 1
                || size != wordCount + labelCount
                || size > in.remaining() / 10
                || bucket < 0
                || prunedSize > in.remaining() / 8) {
            throw new CorruptFileException(
                    file, in.position(), "possible sizes", size + " entries, dimension " + dimension);
        }
        List<byte[]> words = new ArrayList<>(size);
        long[] counts = new long[size];
        for (int i = 0; i < size; i++) {
            int start = in.position();
            while (in.get() != 0) {}
            byte[] word = new byte[in.position() - 1 - start];
            in.get(start, word);
            words.add(word);
            counts[i] = in.getLong();
            int type = in.get();
            if (type != (i < wordCount ? 0 : 1)) {
                throw new CorruptFileException(file, in.position() - 1, "words before labels", "type " + type);
            }
        }
        Map<Integer, Integer> pruned = null;
        if (prunedSize >= 0) {
            pruned = new HashMap<>();
            for (long i = 0; i < prunedSize; i++) {
                int key = in.getInt();
                pruned.put(key, in.getInt());
            }
        }
        boolean quantized = in.get() != 0;
        Matrix input = matrix(in, quantized, file);
        boolean quantizedOutput = in.get() != 0;
        Matrix output = matrix(in, quantized && quantizedOutput, file);
        // version 11 did not use character n-grams in classifiers
        int maxChars = version == 11 ? 0 : settings[10];
        int rows = wordCount + (prunedSize >= 0 ? (int) prunedSize : bucket);
        if (input.columns() != dimension
                || output.columns() != dimension
                || output.rows() < labelCount - (loss == Loss.HIERARCHICAL_SOFTMAX ? 1 : 0)
                || ((maxChars > 0 || settings[5] > 1) && input.rows() < rows)) {
            throw new CorruptFileException(
                    file,
                    in.position(),
                    "matrices that fit the dictionary",
                    input.rows() + " and " + output.rows() + " rows");
        }
        return new FastTextModel(
                dimension,
                settings[5],
                bucket,
                settings[9],
                maxChars,
                loss,
                words,
                counts,
                wordCount,
                pruned,
                input,
                output);
    }

    private static Matrix matrix(ByteBuffer in, boolean quantized, Path file) {
        if (!quantized) {
            long rows = in.getLong();
            long columns = in.getLong();
            if (rows < 0 || columns < 1 || rows > in.remaining() / 4 / columns) {
                throw new CorruptFileException(file, in.position(), "a matrix inside the file", rows + " x " + columns);
            }
            return new Matrix(
                    (int) rows,
                    (int) columns,
                    floats(in, (int) (rows * columns)),
                    null,
                    new byte[0],
                    null,
                    new byte[0]);
        }
        boolean norms = in.get() != 0;
        long rows = in.getLong();
        long columns = in.getLong();
        int codeCount = in.getInt();
        if (rows < 0 || columns < 1 || rows > in.remaining() || codeCount < 0 || codeCount > in.remaining()) {
            throw new CorruptFileException(file, in.position(), "a matrix inside the file", rows + " x " + columns);
        }
        byte[] codes = new byte[codeCount];
        in.get(codes);
        Quantizer quantizer = quantizer(in, file);
        if ((long) quantizer.parts() * rows != codeCount) {
            throw new CorruptFileException(
                    file, in.position(), quantizer.parts() + " codes a row", codeCount + " in all");
        }
        byte[] normCodes = new byte[norms ? (int) rows : 0];
        Quantizer normQuantizer = null;
        if (norms) {
            in.get(normCodes);
            normQuantizer = quantizer(in, file);
        }
        return new Matrix((int) rows, (int) columns, new float[0], quantizer, codes, normQuantizer, normCodes);
    }

    private static Quantizer quantizer(ByteBuffer in, Path file) {
        int dimension = in.getInt();
        int parts = in.getInt();
        int partSize = in.getInt();
        int lastSize = in.getInt();
        if (dimension < 1
                || parts < 1
                || partSize < 1
                || lastSize < 1
                || (long) (parts - 1) * partSize + lastSize != dimension
                || (long) dimension * CENTROIDS > in.remaining() / 4) {
            throw new CorruptFileException(file, in.position(), "a product quantizer", dimension + " in " + parts);
        }
        return new Quantizer(parts, partSize, lastSize, floats(in, dimension * CENTROIDS));
    }

    private static float[] floats(ByteBuffer in, int count) {
        float[] values = new float[count];
        in.asFloatBuffer().get(values);
        in.position(in.position() + 4 * count);
        return values;
    }

    /** Writes a model that was trained here as the fastText program's {@code .bin}. */
    public void write(Path file) throws IOException {
        if (input.quantizer() != null || isPruned) {
            throw new ConfigurationException("model", file, "quantized models are read, not written");
        }
        long bytes = 200 + 4L * input.values().length + 4L * output.values().length;
        for (byte[] word : words) {
            bytes += word.length + 10;
        }
        ByteBuffer out = ByteBuffer.allocate(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(MAGIC).putInt(VERSION);
        int[] settings = {dimension, 5, 5, 1, 5, wordNgrams, loss.number, 3, bucket, minChars, maxChars, 100};
        for (int setting : settings) {
            out.putInt(setting);
        }
        out.putDouble(1e-4);
        long tokens = Arrays.stream(counts).sum();
        out.putInt(words.size())
                .putInt(wordCount)
                .putInt(words.size() - wordCount)
                .putLong(tokens)
                .putLong(-1);
        for (int i = 0; i < words.size(); i++) {
            out.put(words.get(i)).put((byte) 0).putLong(counts[i]).put((byte) (i < wordCount ? 0 : 1));
        }
        for (Matrix matrix : new Matrix[] {input, output}) {
            out.put((byte) 0).putLong(matrix.rows()).putLong(matrix.columns());
            for (float value : matrix.values()) {
                out.putFloat(value);
            }
        }
        AtomicFile.write(file, Arrays.copyOf(out.array(), out.position()));
    }
}
