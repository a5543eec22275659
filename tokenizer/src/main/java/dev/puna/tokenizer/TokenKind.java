package dev.puna.tokenizer;

/**
 * What a token is for. The numbers are those of SentencePiece's {@code ModelProto.SentencePiece.Type} and of GGUF's
 * {@code tokenizer.ggml.token_type}.
 */
public enum TokenKind {
    /** An ordinary piece, reached by merging. */
    NORMAL(1),
    /** What stands for a character that has no piece and no bytes. */
    UNKNOWN(2),
    /** Begin of text, end of turn and the like: never made from text unless asked for, invisible when decoded. */
    CONTROL(3),
    /** Matched whole in the text before anything merges. */
    USER_DEFINED(4),
    /** Takes part in merging but is split again in the result. */
    UNUSED(5),
    /** One byte of a character that has no piece. */
    BYTE(6);

    private static final TokenKind[] BY_NUMBER = {NORMAL, NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE};

    private final int number;

    TokenKind(int number) {
        this.number = number;
    }

    /** 1 to 6, as SentencePiece and GGUF write it. */
    public int number() {
        return number;
    }

    /**
     * The kind with a number.
     *
     * @throws IllegalArgumentException for a number outside 1 to 6
     */
    public static TokenKind of(int number) {
        if (number < 1 || number > 6) {
            throw new IllegalArgumentException("token type " + number + " is not one of 1 to 6");
        }
        return BY_NUMBER[number];
    }
}
