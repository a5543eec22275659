package dev.puna.tokenizer;

import java.util.Arrays;

/**
 * Text from tokens as they arrive, one at a time. It never cuts a UTF-8 character: bytes wait until their character is
 * complete or cannot become one (then U+FFFD). The joined results equal {@link Tokenizer#decode(int[])}, except where
 * that writes several U+FFFD for one malformed sequence. Not safe for several threads.
 */
public final class StreamingDecoder {
    private final Tokenizer tokenizer;
    private byte[] waiting = new byte[64];
    private int size;
    private boolean atStart;

    StreamingDecoder(Tokenizer tokenizer, boolean atStart) {
        this.tokenizer = tokenizer;
        this.atStart = atStart;
    }

    /**
     * The text that became certain with this token; often a word, empty in the middle of a character or after a control
     * token.
     *
     * @throws IllegalArgumentException when the vocabulary has no such id
     */
    public String next(int id) {
        byte[] piece = tokenizer.bytes(id);
        int from = 0;
        if (atStart && tokenizer.kind(id) != TokenKind.CONTROL) {
            atStart = false;
            if (tokenizer.dropsLeadingSpace()
                    && piece.length > 0
                    && piece[0] == ' '
                    && tokenizer.kind(id) == TokenKind.NORMAL) {
                from = 1;
            }
        }
        int more = piece.length - from;
        if (size + more > waiting.length) {
            waiting = Arrays.copyOf(waiting, Math.max(size + more, 2 * waiting.length));
        }
        System.arraycopy(piece, from, waiting, size, more);
        size += more;
        int complete = size - Utf8.incompleteTail(waiting, 0, size);
        String text = Utf8.decode(waiting, 0, complete);
        System.arraycopy(waiting, complete, waiting, 0, size - complete);
        size -= complete;
        return text;
    }

    /** The end: what was still waiting for the rest of a character, as U+FFFD. */
    public String finish() {
        String rest = Utf8.decode(waiting, 0, size);
        size = 0;
        return rest;
    }
}
