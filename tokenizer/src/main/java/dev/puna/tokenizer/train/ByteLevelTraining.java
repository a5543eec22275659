package dev.puna.tokenizer.train;

import dev.puna.tensor.ConfigurationException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Trains a byte-level vocabulary as Llama-3 has one: the 256 bytes, then one token for each merge. From the same counts
 * the merges are those of the Hugging Face library's {@code BpeTrainer} with {@code ByteLevel}'s alphabet: the most
 * frequent pair first, of equal ones the pair of smaller ids; a run of one symbol counts with all its overlapping pairs.
 *
 * @param vocabularySize ids in all, special tokens too
 * @param specialTokens they get the last ids, in this order
 * @param minFrequency rarer pairs are not merged
 * @param splitter how text is cut into words
 */
public record ByteLevelTraining(
        int vocabularySize, List<String> specialTokens, long minFrequency, WordSplitter splitter) {
    /** What a small Llama-3 vocabulary needs for texts, conversations and tools. */
    public static final List<String> LLAMA3_SPECIAL_TOKENS = List.of(
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|finetune_right_pad_id|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eom_id|>",
            "<|eot_id|>",
            "<|python_tag|>");

    public ByteLevelTraining {
        specialTokens = List.copyOf(specialTokens);
        if (vocabularySize < 256 + specialTokens.size()) {
            throw new ConfigurationException(
                    "vocabularySize",
                    vocabularySize,
                    "256 bytes and " + specialTokens.size() + " special tokens need " + (256 + specialTokens.size()));
        }
    }

    /** Llama-3's pattern and special tokens. */
    public static ByteLevelTraining llama3(int vocabularySize) {
        return new ByteLevelTraining(vocabularySize, LLAMA3_SPECIAL_TOKENS, 0, new Llama3Words());
    }

    /** Trains on what was counted with {@link #splitter}. */
    public ByteLevelVocabulary train(WordCounts words) {
        int count = words.size();
        int[] starts = new int[count + 1];
        long[] counts = new long[count];
        long total = 0;
        for (int w = 0; w < count; w++) {
            counts[w] = words.count(w);
            total += words.word(w).length;
            if (total > Integer.MAX_VALUE - 64) {
                throw new ConfigurationException("words", total, "the different words have more than 2^31 bytes");
            }
            starts[w + 1] = (int) total;
        }
        int[] symbols = new int[(int) total];
        for (int w = 0; w < count; w++) {
            byte[] bytes = words.word(w);
            for (int i = 0; i < bytes.length; i++) {
                symbols[starts[w] + i] = ByteAlphabet.idOf(bytes[i]);
            }
        }
        Merging merging = new Merging(vocabularySize - specialTokens.size());
        new PairMerger(symbols, starts, counts, merging).run();
        return new ByteLevelVocabulary(merging.tokens, merging.merges, specialTokens);
    }

    private final class Merging implements PairMerger.Rule {
        final List<byte[]> tokens = new ArrayList<>();
        final List<ByteLevelVocabulary.Merge> merges = new ArrayList<>();
        private final Map<String, Integer> ids = new HashMap<>();
        private final int target;
        private boolean tooRare;

        Merging(int target) {
            this.target = target;
            for (int id = 0; id < 256; id++) {
                add(new byte[] {ByteAlphabet.byteOf(id)});
            }
        }

        private int add(byte[] token) {
            ids.put(new String(token, StandardCharsets.ISO_8859_1), tokens.size());
            tokens.add(token);
            return tokens.size() - 1;
        }

        @Override
        public boolean allows(int left, int right) {
            return true;
        }

        @Override
        public int compareTie(int left1, int right1, int left2, int right2) {
            return left1 != left2 ? Integer.compare(left1, left2) : Integer.compare(right1, right2);
        }

        @Override
        public int merge(int left, int right, long count) {
            if (count < minFrequency) {
                tooRare = true;
                return -1;
            }
            byte[] a = tokens.get(left);
            byte[] b = tokens.get(right);
            byte[] token = java.util.Arrays.copyOf(a, a.length + b.length);
            System.arraycopy(b, 0, token, a.length, b.length);
            Integer known = ids.get(new String(token, StandardCharsets.ISO_8859_1));
            int id = known == null ? add(token) : known;
            merges.add(new ByteLevelVocabulary.Merge(left, right, id));
            return id;
        }

        @Override
        public boolean complete() {
            return tooRare || tokens.size() >= target;
        }
    }
}
