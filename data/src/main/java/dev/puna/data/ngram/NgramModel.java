package dev.puna.data.ngram;

import dev.puna.data.Compression;
import dev.puna.data.LineReader;
import dev.puna.data.ReadReport;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
    private static final int BLOCK = 32; // words whose n-grams are asked for together

    private final List<String> words;
    private final Map<String, Integer> ids; // empty where idsByHash has them
    private final @Nullable HashedPairs idsByHash; // unless two words have one hash
    final NgramTable[] tables; // by order - 1
    final float[][] logProbabilities;
    final float[][] backOffs; // none for the highest order

    /**
     * All n-grams: the bits of their logarithm above those of their back-off. Missing where an n-gram without its first
     * word is none, or where two have one hash.
     */
    private final @Nullable HashedPairs scores;

    NgramModel(List<String> words, NgramTable[] tables, float[][] logProbabilities, float[][] backOffs) {
        this.words = List.copyOf(words);
        this.idsByHash = idsByHash(words);
        this.ids = new HashMap<>();
        for (int i = 0; i < words.size() && idsByHash == null; i++) {
            ids.put(words.get(i), i);
        }
        this.tables = tables;
        this.logProbabilities = logProbabilities;
        this.backOffs = backOffs;
        this.scores = isClosed(tables) ? scores(tables, logProbabilities, backOffs) : null;
    }

    private static @Nullable HashedPairs idsByHash(List<String> words) {
        HashedPairs ids = new HashedPairs(words.size());
        for (int i = 0; i < words.size(); i++) {
            if (!ids.put(HashedPairs.hash(words.get(i)), i)) {
                return null;
            }
        }
        return ids;
    }

    private static @Nullable HashedPairs scores(NgramTable[] tables, float[][] logProbabilities, float[][] backOffs) {
        long count = 0;
        for (NgramTable table : tables) {
            count += table.size;
        }
        if (count > 600_000_000) {
            return null; // more than one array holds
        }
        HashedPairs scores = new HashedPairs((int) count);
        for (int n = 1; n <= tables.length; n++) {
            NgramTable table = tables[n - 1];
            for (int row = 0; row < table.size; row++) {
                long backOff = n == tables.length ? 0 : Float.floatToRawIntBits(backOffs[n - 1][row]) & 0xFFFF_FFFFL;
                long value = ((long) Float.floatToRawIntBits(logProbabilities[n - 1][row]) << 32) | backOff;
                if (!scores.put(NgramTable.hash(table.words, row * n, n), value)) {
                    return null;
                }
            }
        }
        return scores;
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
        if (idsByHash == null) {
            return ids.getOrDefault(word, UNKNOWN);
        }
        int place = idsByHash.find(HashedPairs.hash(word));
        return place < 0 ? UNKNOWN : (int) idsByHash.value(place);
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
        if (scores != null) {
            return logProbabilityUpwards(text, scores);
        }
        double sum = 0;
        for (int i = 1; i < text.length; i++) {
            sum += score(text, i);
        }
        return sum;
    }

    /**
     * Looks for the unigram, then the bigram that ends with it, and so on up to the first that is not there. Those that
     * end at the word before are the contexts, so that their back-offs need no search. Of the n-grams of some words the
     * first places are read before any of them is needed: they are far apart in memory and do not wait for each other.
     */
    private double logProbabilityUpwards(int[] text, HashedPairs known) {
        int order = tables.length;
        float unknown = logProbabilities[0][UNKNOWN];
        long[] hashes = new long[BLOCK * order];
        long[] seen = new long[BLOCK * order]; // keys there
        int[] contexts = new int[order];
        int[] found = new int[order];
        int contextCount = 0;
        double sum = 0;
        for (int from = 0; from < text.length; from += BLOCK) {
            int to = Math.min(text.length, from + BLOCK);
            for (int i = from; i < to; i++) {
                int longest = Math.min(order, i + 1);
                int row = (i - from) * order;
                long hash = 0;
                for (int n = 0; n < longest; n++) {
                    hash = NgramTable.hash(hash, text[i - n]);
                    hashes[row + n] = hash;
                    seen[row + n] = known.glance(hash);
                }
            }
            for (int i = from; i < to; i++) {
                int longest = Math.min(order, i + 1);
                int row = (i - from) * order;
                int matched = 0;
                while (matched < longest && seen[row + matched] != 0) {
                    int place = known.find(hashes[row + matched]);
                    if (place < 0) {
                        break;
                    }
                    found[matched++] = place;
                }
                if (i > 0) { // nothing comes before the mark of the beginning
                    sum += matched == 0
                            ? unknown
                            : Float.intBitsToFloat((int) (known.value(found[matched - 1]) >>> 32));
                    for (int n = Math.max(1, matched); n <= contextCount && n < order; n++) {
                        sum += Float.intBitsToFloat((int) known.value(contexts[n - 1]));
                    }
                }
                int[] kept = contexts;
                contexts = found;
                found = kept;
                contextCount = matched;
            }
        }
        return sum;
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
        AtomicFile.publish(partial, file);
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
