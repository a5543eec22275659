package dev.puna.tokenizer.train;

import java.util.Arrays;

/**
 * The words of SentencePiece's trainer with {@code split_by_whitespace}, {@code allow_whitespace_only_pieces},
 * {@code add_dummy_prefix} and the identity normalizer: each line gets a space before it, and is cut before each run of
 * spaces. A space stays a space here; it becomes U+2581 when the words are made into characters.
 *
 * @param maxLineBytes longer lines are left out, as {@code max_sentence_length} does
 */
public record LineWords(int maxLineBytes) implements WordSplitter {
    /** With SentencePiece's default of 4,192 bytes. */
    public LineWords() {
        this(4192);
    }

    @Override
    public void count(byte[] s, int from, int to, WordCounts counts) {
        byte[] first = new byte[256];
        first[0] = ' ';
        int i = from;
        while (i < to) {
            int end = i;
            while (end < to && s[end] != '\n') {
                end++;
            }
            int length = end - i;
            if (length > 0 && length <= maxLineBytes) {
                int word = wordEnd(s, i, end);
                if (word - i + 1 > first.length) {
                    first = Arrays.copyOf(first, 2 * (word - i + 1));
                }
                System.arraycopy(s, i, first, 1, word - i);
                counts.add(first, 0, word - i + 1);
                while (word < end) {
                    int next = wordEnd(s, word, end);
                    counts.add(s, word, next);
                    word = next;
                }
            }
            i = end + 1;
        }
    }

    /** The end of the spaces at {@code at} and the other bytes behind them. */
    private static int wordEnd(byte[] s, int at, int to) {
        int i = at;
        while (i < to && s[i] == ' ') {
            i++;
        }
        while (i < to && s[i] != ' ') {
            i++;
        }
        return i;
    }
}
