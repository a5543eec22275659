package dev.puna.tokenizer;

/**
 * How a text becomes ids.
 *
 * @param bos whether {@code bos} is put before, where the tokenizer has one
 * @param eos whether {@code eos} is put behind, where the tokenizer has one
 * @param parseSpecial whether the texts of control tokens ({@code <|eot_id|>}) become those tokens. Only for texts that
 *     a template made; in what a user wrote they stay plain text
 * @param continuation whether the text goes on after other tokens, so that SentencePiece's space is not put before it
 */
public record EncodeOptions(boolean bos, boolean eos, boolean parseSpecial, boolean continuation) {
    /** The text alone. */
    public static final EncodeOptions TEXT = new EncodeOptions(false, false, false, false);

    /** What a chat template rendered: control tokens are in the text, {@code bos} too. */
    public static final EncodeOptions TEMPLATE = new EncodeOptions(false, false, true, false);

    /** The text with {@code bos} before it. */
    public static final EncodeOptions WITH_BOS = new EncodeOptions(true, false, false, false);

    /** A document for training: {@code bos}, text, {@code eos}. */
    public static final EncodeOptions DOCUMENT = new EncodeOptions(true, true, false, false);

    /** As the tokenizer's own settings want a prompt: {@link SpecialTokens#addBos()}, {@link SpecialTokens#addEos()}. */
    public static EncodeOptions prompt(Tokenizer tokenizer) {
        SpecialTokens special = tokenizer.specialTokens();
        return new EncodeOptions(special.addBos(), special.addEos(), false, false);
    }
}
