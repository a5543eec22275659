package dev.puna.tokenizer;

/**
 * A token with a text of its own beside the merged vocabulary: {@code <s>}, {@code <|eot_id|>}, {@code [PAD]}.
 *
 * @param id its id
 * @param content its text, not empty
 * @param special whether it is a control token: found in text only when asked for, skipped when decoding; otherwise it
 *     is always found in text
 * @param normalized whether it is searched in the normalized text (Hugging Face's field)
 * @param leftStrip whether white space before it belongs to it
 * @param rightStrip whether white space after it belongs to it
 * @param singleWord whether it must stand between word boundaries
 */
public record AddedToken(
        int id,
        String content,
        boolean special,
        boolean normalized,
        boolean leftStrip,
        boolean rightStrip,
        boolean singleWord) {
    public AddedToken {
        if (id < 0) {
            throw new IllegalArgumentException("id=" + id + " of added token " + content + " is negative");
        }
        if (content.isEmpty()) {
            throw new IllegalArgumentException("added token " + id + " has no text");
        }
    }

    /** A control token without stripping rules. */
    public static AddedToken control(int id, String content) {
        return new AddedToken(id, content, true, false, false, false, false);
    }

    /** A token that is always found in text, without stripping rules. */
    public static AddedToken userDefined(int id, String content) {
        return new AddedToken(id, content, false, false, false, false, false);
    }
}
