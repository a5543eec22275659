package dev.puna.tokenizer.train;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.TokenKind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Trains a SentencePiece BPE vocabulary as LLaMA-1 and Llama-2 have one: identity normalization, a space before every
 * line, byte fallback, pieces that are spaces alone allowed.
 *
 * <p>From the same counts the pieces are sentencepiece's: the most frequent pair first, of equal ones that with fewer
 * characters, then the smaller in code-point order; pairs that share a character ({@code aaa}) all count; a piece that
 * was already made from another pair is not made again. These are the rules of sentencepiece 0.2.2; until 0.2.0 it looked
 * at the most frequent twentieth of the pairs only, and counted pairs that share a character once.
 *
 * @param vocabularySize ids in all: three control pieces, 256 bytes, merges, characters
 * @param characterCoverage rarer characters beyond this share of the text are left to the bytes
 * @param maxPieceLength characters in a piece
 * @param splitDigits whether every digit is a piece of its own
 * @param splitByScript whether a piece stays within one Unicode script
 */
public record SentencePieceTraining(
        int vocabularySize, double characterCoverage, int maxPieceLength, boolean splitDigits, boolean splitByScript) {
    private static final int UNKNOWN = -1;
    private static final int SPACE = 0x2581;
    private static final int RESERVED = 0x2585; // stands for what has no piece inside sentencepiece's trainer

    public SentencePieceTraining {
        if (vocabularySize < 260) {
            throw new ConfigurationException("vocabularySize", vocabularySize, "control pieces and bytes need 259");
        }
        if (!(characterCoverage > 0 && characterCoverage <= 1)) {
            throw new ConfigurationException("characterCoverage", characterCoverage, "use a share in (0, 1]");
        }
        if (maxPieceLength < 1) {
            throw new ConfigurationException("maxPieceLength", maxPieceLength, "use at least 1; LLaMA uses 16");
        }
    }

    /** LLaMA-1's settings with another size. */
    public static SentencePieceTraining llama(int vocabularySize) {
        return new SentencePieceTraining(vocabularySize, 0.99995, 16, true, true);
    }

    /** How text is cut for these settings. */
    public WordSplitter splitter() {
        return new LineWords();
    }

    /**
     * Trains on what was counted with {@link #splitter}.
     *
     * @throws ConfigurationException when the text has too few different pairs for the size
     */
    public SentencePieceModel train(WordCounts words) {
        int count = words.size();
        int[][] characters = new int[count][];
        long[] ascii = new long[128];
        Map<Integer, long[]> frequency = new HashMap<>();
        long all = 0;
        for (int w = 0; w < count; w++) {
            byte[] word = words.word(w);
            characters[w] = charactersOf(word);
            long times = words.count(w);
            for (int c : characters[w]) {
                if (c < 128) {
                    ascii[c] += times;
                } else {
                    frequency.computeIfAbsent(c, k -> new long[1])[0] += times;
                }
                all += times;
            }
        }
        all -= ascii[0] + ascii['\t']; // neither can be in a piece
        for (int c = 1; c < 128; c++) {
            if (ascii[c] > 0 && c != '\t') {
                frequency.put(c, new long[] {ascii[c]});
            }
        }
        List<Map.Entry<Integer, long[]>> byFrequency = new ArrayList<>(frequency.entrySet());
        byFrequency.sort(Comparator.comparingLong((Map.Entry<Integer, long[]> e) -> -e.getValue()[0])
                .thenComparing(Map.Entry::getKey));
        Merging merging = new Merging();
        Map<Integer, Integer> idOf = new HashMap<>();
        long covered = 0;
        for (Map.Entry<Integer, long[]> entry : byFrequency) {
            if ((float) (1.0 * covered / all) >= (float) characterCoverage) {
                break;
            }
            covered += entry.getValue()[0];
            idOf.put(entry.getKey(), merging.symbols.size());
            merging.add(new int[] {entry.getKey()});
        }
        merging.target = vocabularySize - 259 - idOf.size();
        if (merging.target < 0) {
            throw new ConfigurationException(
                    "vocabularySize",
                    vocabularySize,
                    "the text has " + idOf.size() + " characters to cover: use at least " + (259 + idOf.size())
                            + " or a smaller characterCoverage");
        }
        // No piece crosses a place where two characters may not join: what lies between such places is counted anew,
        // and there is far less of it that differs.
        WordCounts units = new WordCounts(Integer.MAX_VALUE - 64);
        byte[] unit = new byte[3 * 64];
        for (int w = 0; w < count; w++) {
            int length = 0;
            int previous = UNKNOWN;
            for (int c : characters[w]) {
                int id = c == RESERVED ? UNKNOWN : idOf.getOrDefault(c, UNKNOWN);
                if (length > 0 && !merging.allows(previous, id)) {
                    if (length > 3) {
                        units.add(unit, 0, length, words.count(w));
                    }
                    length = 0;
                }
                if (length + 3 > unit.length) {
                    unit = Arrays.copyOf(unit, 2 * unit.length);
                }
                unit[length++] = (byte) (id >> 16);
                unit[length++] = (byte) (id >> 8);
                unit[length++] = (byte) id;
                previous = id;
            }
            if (length > 3) {
                units.add(unit, 0, length, words.count(w));
            }
        }
        long total = 0;
        int[] starts = new int[units.size() + 1];
        long[] counts = new long[units.size()];
        for (int u = 0; u < counts.length; u++) {
            total += units.word(u).length / 3;
            if (total > Integer.MAX_VALUE - 64) {
                throw new ConfigurationException("words", total, "the different words have more than 2^31 characters");
            }
            starts[u + 1] = (int) total;
            counts[u] = units.count(u);
        }
        int[] symbols = new int[(int) total];
        for (int u = 0; u < counts.length; u++) {
            byte[] ids = units.word(u);
            for (int i = 0; i < ids.length; i += 3) {
                symbols[starts[u] + i / 3] = ((ids[i] & 0xff) << 16) | ((ids[i + 1] & 0xff) << 8) | (ids[i + 2] & 0xff);
            }
        }
        new PairMerger(symbols, starts, counts, merging).run();
        if (merging.pieces.size() < merging.target) {
            throw new ConfigurationException(
                    "vocabularySize",
                    vocabularySize,
                    "this text gives at most " + (259 + merging.pieces.size() + idOf.size()));
        }
        List<SentencePieceModel.Piece> pieces = new ArrayList<>();
        pieces.add(new SentencePieceModel.Piece("<unk>", 0, TokenKind.UNKNOWN));
        pieces.add(new SentencePieceModel.Piece("<s>", 0, TokenKind.CONTROL));
        pieces.add(new SentencePieceModel.Piece("</s>", 0, TokenKind.CONTROL));
        for (int b = 0; b < 256; b++) {
            pieces.add(new SentencePieceModel.Piece(String.format("<0x%02X>", b), 0, TokenKind.BYTE));
        }
        int rank = 0;
        for (int[] piece : merging.pieces) {
            pieces.add(new SentencePieceModel.Piece(text(piece), -rank++, TokenKind.NORMAL));
        }
        for (Map.Entry<Integer, long[]> entry : byFrequency.subList(0, idOf.size())) {
            pieces.add(new SentencePieceModel.Piece(text(new int[] {entry.getKey()}), -rank++, TokenKind.NORMAL));
        }
        return SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama());
    }

    private static int[] charactersOf(byte[] word) {
        int[] characters = new int[word.length];
        for (int i = 0; i < word.length; i++) {
            if (word[i] < 0) {
                return new String(word, StandardCharsets.UTF_8)
                        .replace(' ', (char) SPACE)
                        .codePoints()
                        .toArray();
            }
            characters[i] = word[i] == ' ' ? SPACE : word[i];
        }
        return characters;
    }

    private static String text(int[] characters) {
        return new String(characters, 0, characters.length);
    }

    /** What decides whether a symbol may be joined with another; its characters are of one script. */
    private record Shape(
            int length, boolean space, boolean spacesAlone, boolean digit, Character.@Nullable UnicodeScript script) {
        static Shape of(int[] characters) {
            boolean space = false;
            boolean spacesAlone = true;
            boolean digit = false;
            Character.UnicodeScript script = null;
            for (int c : characters) {
                if (c == SPACE) {
                    space = true;
                    continue;
                }
                spacesAlone = false;
                digit |= (c >= '0' && c <= '9') || (c >= 0xff10 && c <= 0xff19);
                Character.UnicodeScript own = Character.UnicodeScript.of(c);
                if (own == Character.UnicodeScript.HIRAGANA || own == Character.UnicodeScript.KATAKANA || c == 0x30fc) {
                    script = Character.UnicodeScript.HAN;
                } else if (own != Character.UnicodeScript.INHERITED) {
                    script = own; // an accent belongs to the script of its letter
                }
            }
            return new Shape(characters.length, space, spacesAlone, digit, script);
        }
    }

    private final class Merging implements PairMerger.Rule {
        final List<int[]> symbols = new ArrayList<>(); // characters of each symbol
        final List<int[]> pieces = new ArrayList<>();
        private final Set<String> made = new HashSet<>();
        private Shape[] shapes = new Shape[1 << 10]; // of each symbol
        private int target;

        void add(int[] characters) {
            if (symbols.size() == shapes.length) {
                shapes = Arrays.copyOf(shapes, 2 * shapes.length);
            }
            shapes[symbols.size()] = Shape.of(characters);
            symbols.add(characters);
        }

        @Override
        public boolean allows(int left, int right) {
            if (left == UNKNOWN || right == UNKNOWN) {
                return false;
            }
            Shape a = shapes[left];
            Shape b = shapes[right];
            if (a.length() + b.length() > maxPieceLength) {
                return false;
            }
            if (b.space() ? !(a.spacesAlone() && b.spacesAlone()) : a.spacesAlone() && a.length() > 1) {
                return false; // a space only begins a piece, unless the piece is nothing else
            }
            if (splitDigits && (a.digit() || b.digit())) {
                return false;
            }
            return !splitByScript || a.script() == null || b.script() == null || a.script() == b.script();
        }

        @Override
        public int compareTie(int left1, int right1, int left2, int right2) {
            int[] a = symbols.get(left1);
            int[] b = symbols.get(right1);
            int[] c = symbols.get(left2);
            int[] d = symbols.get(right2);
            int length = a.length + b.length;
            if (length != c.length + d.length) {
                return Integer.compare(length, c.length + d.length);
            }
            for (int i = 0; i < length; i++) {
                int x = i < a.length ? a[i] : b[i - a.length];
                int y = i < c.length ? c[i] : d[i - c.length];
                if (x != y) {
                    return Integer.compare(x, y);
                }
            }
            return 0;
        }

        @Override
        public int merge(int left, int right, long count) {
            int[] a = symbols.get(left);
            int[] b = symbols.get(right);
            int[] piece = Arrays.copyOf(a, a.length + b.length);
            System.arraycopy(b, 0, piece, a.length, b.length);
            if (!made.add(text(piece))) {
                return -1;
            }
            pieces.add(piece);
            add(piece);
            return symbols.size() - 1;
        }

        @Override
        public boolean complete() {
            return pieces.size() >= target;
        }
    }
}
