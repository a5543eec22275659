package dev.puna.data.ngram;

import dev.puna.data.Compression;
import dev.puna.data.LineReader;
import dev.puna.data.ReadReport;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A back-off model: for each n-gram the logarithm (base 10) of its last word's probability, and of the weight with which
 * shorter contexts stand in for it. Immutable; safe for all threads.
 */
public final class NgramModel implements NgramScorer {
    static final int UNKNOWN = 0;
    static final int BOS = 1;
    static final int EOS = 2;
    private static final int MAX_ORDER = 10;

    private final List<String> words;
    private final Map<String, Integer> ids;
    final NgramTable[] tables; // by order - 1
    final float[][] logProbabilities;
    final float[][] backOffs; // none for the highest order
    private final boolean closed; // without its first word, every n-gram is there too

    NgramModel(List<String> words, NgramTable[] tables, float[][] logProbabilities, float[][] backOffs) {
        this.words = List.copyOf(words);
        this.ids = new HashMap<>();
        for (int i = 0; i < words.size(); i++) {
            ids.put(words.get(i), i);
        }
        this.tables = tables;
        this.logProbabilities = logProbabilities;
        this.backOffs = backOffs;
        this.closed = isClosed(tables);
    }

    private static boolean isClosed(NgramTable[] tables) {
        for (int n = 2; n <= tables.length; n++) {
            NgramTable table = tables[n - 1];
            for (int row = 0; row < table.size; row++) {
                if (tables[n - 2].find(table.words, row * n + 1) < 0) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Longest n-gram. */
    public int order() {
        return tables.length;
    }

    /** Different words, with {@code <unk>}, {@code <s>} and {@code </s>}. */
    public List<String> words() {
        return words;
    }

    /** n-grams of an order. */
    public int count(int order) {
        return tables[order - 1].size;
    }

    private int id(String word) {
        return ids.getOrDefault(word, UNKNOWN);
    }

    @Override
    public double logProbability(List<String> sentence) {
        int n = sentence.size();
        int[] text = new int[n + 2];
        text[0] = BOS;
        for (int i = 0; i < n; i++) {
            text[i + 1] = id(sentence.get(i));
        }
        text[n + 1] = EOS;
        if (closed) {
            return logProbabilityUpwards(text);
        }
        double sum = 0;
        for (int i = 1; i < text.length; i++) {
            sum += score(text, i);
        }
        return sum;
    }

    /**
     * Looks for the unigram, then the bigram that ends with it, and so on up to the first that is not there. Those that
     * end at the word before are the contexts, so that their back-offs need no search.
     */
    private double logProbabilityUpwards(int[] text) {
        int order = tables.length;
        int[] contexts = new int[order];
        int[] found = new int[order];
        int contextCount = upwards(text, 0, contexts);
        double sum = 0;
        for (int i = 1; i < text.length; i++) {
            int matched = upwards(text, i, found);
            sum += matched == 0 ? logProbabilities[0][UNKNOWN] : logProbabilities[matched - 1][found[matched - 1]];
            for (int n = Math.max(1, matched); n <= contextCount && n < order; n++) {
                sum += backOffs[n - 1][contexts[n - 1]];
            }
            int[] kept = contexts;
            contexts = found;
            found = kept;
            contextCount = matched;
        }
        return sum;
    }

    /** Rows of the n-grams that end at a word, for n from 1 on; how many there are. */
    private int upwards(int[] text, int at, int[] rows) {
        int longest = Math.min(tables.length, at + 1);
        long hash = 0;
        for (int n = 1; n <= longest; n++) {
            hash = NgramTable.hash(hash, text[at - n + 1]);
            int row = tables[n - 1].find(text, at - n + 1, hash);
            if (row < 0) {
                return n - 1;
            }
            rows[n - 1] = row;
        }
        return longest;
    }

    /** log₁₀ of the probability of {@code word} after {@code context}, the nearest word last. */
    public double logProbability(List<String> context, String word) {
        int[] text = new int[context.size() + 1];
        for (int i = 0; i < context.size(); i++) {
            text[i] = id(context.get(i));
        }
        text[context.size()] = id(word);
        return score(text, context.size());
    }

    private double score(int[] text, int at) {
        int longest = Math.min(tables.length, at + 1);
        double weight = 0;
        for (int n = longest; n >= 1; n--) {
            int row = tables[n - 1].find(text, at - n + 1);
            if (row >= 0) {
                return weight + logProbabilities[n - 1][row];
            }
            if (n > 1) {
                int context = tables[n - 2].find(text, at - n + 1);
                if (context >= 0) {
                    weight += backOffs[n - 2][context];
                }
            }
        }
        return weight + logProbabilities[0][UNKNOWN];
    }

    /** Writes an ARPA file, compressed as its name's ending says. */
    public void writeArpa(Path file) throws IOException {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        try (BufferedWriter out = new BufferedWriter(new java.io.OutputStreamWriter(
                Compression.ofName(file).compress(Files.newOutputStream(partial)), StandardCharsets.UTF_8))) {
            out.write("\\data\\\n");
            for (int n = 1; n <= tables.length; n++) {
                out.write("ngram " + n + "=" + tables[n - 1].size + "\n");
            }
            for (int n = 1; n <= tables.length; n++) {
                out.write("\n\\" + n + "-grams:\n");
                NgramTable table = tables[n - 1];
                for (int row = 0; row < table.size; row++) {
                    out.write(Float.toString(logProbabilities[n - 1][row]));
                    out.write('\t');
                    for (int i = 0; i < n; i++) {
                        out.write(i == 0 ? "" : " ");
                        out.write(words.get(table.words[row * n + i]));
                    }
                    if (n < tables.length) {
                        out.write('\t');
                        out.write(Float.toString(backOffs[n - 1][row]));
                    }
                    out.write('\n');
                }
            }
            out.write("\n\\end\\\n");
        }
        Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /**
     * Reads an ARPA file, also a compressed one.
     *
     * @throws CorruptFileException when it is no ARPA file or ends too early
     */
    public static NgramModel readArpa(Path file) throws IOException {
        try (LineReader lines = new LineReader(Compression.open(file, new ReadReport()), 1 << 20)) {
            String line = next(lines);
            while (line != null && !line.equals("\\data\\")) {
                line = next(lines);
            }
            int[] announced = new int[MAX_ORDER];
            int order = 0;
            for (line = next(lines); line != null && line.startsWith("ngram "); line = next(lines)) {
                String[] parts = line.substring(6).split("=");
                int n = (int) number(parts[0], file, lines);
                if (parts.length != 2 || n != order + 1 || n > MAX_ORDER) {
                    throw new CorruptFileException(file, lines.offset(), "ngram " + (order + 1) + "=count", line);
                }
                announced[order++] = (int) number(parts[1], file, lines);
            }
            if (order == 0) {
                throw new CorruptFileException(
                        file, lines.offset(), "\\data\\ and the numbers of n-grams", String.valueOf(line));
            }
            Reading reading = new Reading(order);
            for (int n = 1; n <= order; n++) {
                if (!("\\" + n + "-grams:").equals(line)) {
                    throw new CorruptFileException(file, lines.offset(), "\\" + n + "-grams:", String.valueOf(line));
                }
                for (line = next(lines); line != null && line.charAt(0) != '\\'; line = next(lines)) {
                    String[] fields = line.split("[\t ]+");
                    if (fields.length != n + 1 && fields.length != n + 2) {
                        throw new CorruptFileException(file, lines.offset(), n + " words and one or two numbers", line);
                    }
                    float back = fields.length == n + 2 ? (float) number(fields[n + 1], file, lines) : 0;
                    if (!reading.add(n, fields, (float) number(fields[0], file, lines), back)) {
                        throw new CorruptFileException(file, lines.offset(), "words of the 1-grams", line);
                    }
                }
                if (reading.tables[n - 1].size < announced[n - 1]) {
                    throw new CorruptFileException(
                            file,
                            lines.offset(),
                            announced[n - 1] + " " + n + "-grams",
                            reading.tables[n - 1].size + "");
                }
            }
            if (!"\\end\\".equals(line)) {
                throw new CorruptFileException(file, lines.offset(), "\\end\\", String.valueOf(line));
            }
            return new NgramModel(reading.words, reading.tables, reading.logProbabilities, reading.backOffs);
        }
    }

    private static @Nullable String next(LineReader lines) throws IOException {
        while (lines.next()) {
            String line = lines.string().strip();
            if (!line.isEmpty()) {
                return line;
            }
        }
        return null;
    }

    private static double number(String text, Path file, LineReader lines) {
        try {
            return Double.parseDouble(text.strip());
        } catch (NumberFormatException e) {
            throw new CorruptFileException(file, lines.offset(), "a number", text);
        }
    }

    /** The tables while they are being read. */
    private static final class Reading {
        final List<String> words = new java.util.ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        final Map<String, Integer> ids = new HashMap<>(Map.of("<unk>", UNKNOWN, "<s>", BOS, "</s>", EOS));
        final NgramTable[] tables;
        final float[][] logProbabilities;
        final float[][] backOffs;

        Reading(int order) {
            tables = new NgramTable[order];
            logProbabilities = new float[order][1 << 9];
            backOffs = new float[order][1 << 9];
            for (int n = 1; n <= order; n++) {
                tables[n - 1] = new NgramTable(n);
            }
            for (int special = 0; special < 3; special++) {
                tables[0].add(new int[] {special}, 0);
                logProbabilities[0][special] = -99;
            }
        }

        boolean add(int n, String[] fields, float logProbability, float backOff) {
            int[] gram = new int[n];
            for (int i = 0; i < n; i++) {
                String word = fields[i + 1];
                Integer id = ids.get(word);
                if (id == null) {
                    if (n > 1) {
                        return false;
                    }
                    id = words.size();
                    ids.put(word, id);
                    words.add(word);
                }
                gram[i] = id;
            }
            int row = tables[n - 1].add(gram, 0);
            if (row == logProbabilities[n - 1].length) {
                logProbabilities[n - 1] = Arrays.copyOf(logProbabilities[n - 1], 2 * row);
                backOffs[n - 1] = Arrays.copyOf(backOffs[n - 1], 2 * row);
            }
            logProbabilities[n - 1][row] = logProbability;
            backOffs[n - 1][row] = backOff;
            return true;
        }
    }

    /** Refuses orders that no file may have. */
    static void checkOrder(int order) {
        if (order < 1 || order > MAX_ORDER) {
            throw new ConfigurationException("order", order, "use 1 to " + MAX_ORDER + "; CCNet uses 5");
        }
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%d-gram model of %d words", order(), words.size());
    }
}
