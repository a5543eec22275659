package dev.puna.data.filter;

/**
 * What lies between white space in a text: for each word a hash and its kind, and where words would end if nothing stood
 * between them. Rules that follow each other look at the same text: a thread keeps what it cut last.
 *
 * @param text it was cut from
 * @param starts the first character of each word
 * @param ends behind its last one
 * @param hashes of their characters
 * @param lengths characters of all words before; one more than there are words
 * @param plain words that are more than symbols
 * @param plainChars characters of these
 * @param alphabetic words with a letter
 */
record WordSpans(
        String text,
        int count,
        int[] starts,
        int[] ends,
        long[] hashes,
        int[] lengths,
        int plain,
        long plainChars,
        int alphabetic) {
    private static final byte SPACE = 1;
    private static final byte LETTER = 2;
    private static final byte DIGIT = 4;

    /** What a character is; 64 KiB, of which texts in one script use little. */
    private static final byte[] KINDS = new byte[1 << 16];

    static {
        for (int c = 0; c < KINDS.length; c++) {
            char character = (char) c;
            KINDS[c] = Character.isWhitespace(character)
                    ? SPACE
                    : Character.isLetter(character) ? LETTER : Character.isDigit(character) ? DIGIT : 0;
        }
    }

    private static final ThreadLocal<WordSpans> LAST = new ThreadLocal<>();

    static WordSpans of(String text) {
        WordSpans last = LAST.get();
        if (last == null || !last.text.equals(text)) {
            last = cut(text);
            LAST.set(last);
        }
        return last;
    }

    private static WordSpans cut(String text) {
        int n = text.length();
        char[] chars = text.toCharArray();
        byte[] kinds = KINDS;
        int[] starts = new int[n / 5 + 8];
        int[] ends = new int[starts.length];
        long[] hashes = new long[starts.length];
        int count = 0;
        int plain = 0;
        long plainChars = 0;
        int alphabetic = 0;
        int at = 0;
        while (true) {
            while (at < n && kinds[chars[at]] == SPACE) {
                at++;
            }
            if (at == n) {
                break;
            }
            if (count == starts.length) {
                starts = java.util.Arrays.copyOf(starts, 2 * count);
                ends = java.util.Arrays.copyOf(ends, 2 * count);
                hashes = java.util.Arrays.copyOf(hashes, 2 * count);
            }
            int start = at;
            int seen = 0;
            long hash = Words.HASH_BASIS;
            while (at < n) {
                char c = chars[at];
                byte kind = kinds[c];
                if (kind == SPACE) {
                    break;
                }
                seen |= kind;
                hash = Words.mix(hash, c);
                at++;
            }
            if (seen != 0) {
                plain++;
                plainChars += at - start;
            }
            alphabetic += (seen >> 1) & 1;
            starts[count] = start;
            ends[count] = at;
            hashes[count++] = hash;
        }
        int[] lengths = new int[count + 1];
        for (int i = 0; i < count; i++) {
            lengths[i + 1] = lengths[i] + ends[i] - starts[i];
        }
        return new WordSpans(
                text,
                count,
                starts,
                ends,
                java.util.Arrays.copyOf(hashes, count),
                lengths,
                plain,
                plainChars,
                alphabetic);
    }

    /** Whether a word is this one, written in small letters, in any of ASCII's cases. */
    boolean isWord(int word, String lower) {
        int start = starts[word];
        if (ends[word] - start != lower.length()) {
            return false;
        }
        for (int i = 0; i < lower.length(); i++) {
            if ((text.charAt(start + i) | 0x20) != lower.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
