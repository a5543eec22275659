package dev.puna.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A vocabulary and its rules: text to ids and back. Immutable and shared by all threads; each thread encodes with an
 * {@link Encoder} of its own.
 */
public sealed interface Tokenizer permits SentencePieceTokenizer, ByteLevelTokenizer {
    /**
     * Opens the tokenizer of a model: a Hugging Face or Meta directory, or one file ({@code tokenizer.json}, a
     * SentencePiece {@code .model}, tiktoken ranks), told apart by content, not by name. In a directory
     * {@code tokenizer.json} goes before {@code tokenizer.model}; {@code tokenizer_config.json},
     * {@code special_tokens_map.json}, {@code generation_config.json} and {@code chat_template.jinja} beside it are
     * honoured. For GGUF see {@link GgufVocabulary}.
     *
     * @throws dev.puna.tensor.CorruptFileException when a file is damaged
     * @throws dev.puna.tensor.ConfigurationException when there is no tokenizer, or one of a kind that LLaMA does not
     *     use
     * @throws java.io.UncheckedIOException when reading fails
     */
    static Tokenizer open(Path directoryOrFile) {
        return TokenizerFiles.open(directoryOrFile);
    }

    /** Number of ids: one more than the largest. */
    int vocabularySize();

    /** The tokens that have a role. */
    SpecialTokens specialTokens();

    /** The tokens with a text of their own, by id. */
    List<AddedToken> addedTokens();

    /** Chat templates by name; the usual one is {@code default}. Empty where the files have none. */
    Map<String, String> chatTemplates();

    /** What the token is for. */
    TokenKind kind(int id);

    /**
     * The token's name as its vocabulary writes it: {@code ▁the}, {@code <0x0A>}, {@code <s>}; a byte-level token in
     * GPT-2's printable form, {@code Ġthe}.
     */
    String piece(int id);

    /** The id with exactly this name, control tokens included. */
    OptionalInt idOf(String piece);

    /** The bytes that the token adds in the middle of a text: {@code " the"}; none for control tokens. A new array. */
    byte[] bytes(int id);

    /** Whether decoding drops one space at the start of a text (SentencePiece put it there). */
    boolean dropsLeadingSpace();

    /** A new encoder for one thread. */
    Encoder encoder();

    /** The same tokenizer with other special tokens. */
    Tokenizer withSpecialTokens(SpecialTokens special);

    /** The same tokenizer with other chat templates. */
    Tokenizer withChatTemplates(Map<String, String> templates);

    /** The ids of a text; for single calls. Loops use an {@link Encoder}. */
    default int[] encode(String text, EncodeOptions options) {
        TokenBuffer out = new TokenBuffer(text.length() / 3 + 16);
        encoder().encode(text, options, out);
        return out.toArray();
    }

    /**
     * The bytes of the text that these ids stand for: control tokens invisible, the leading space dropped where
     * {@link #dropsLeadingSpace()}. Not necessarily well-formed UTF-8.
     */
    byte[] decodeBytes(int[] ids);

    /** The text that these ids stand for; malformed bytes become U+FFFD as in the original library. */
    default String decode(int[] ids) {
        return new String(decodeBytes(ids), StandardCharsets.UTF_8);
    }

    /** Decodes a text from its start, token by token. */
    default StreamingDecoder streamingDecoder() {
        return new StreamingDecoder(this, true);
    }

    /** Decodes token by token from the middle of a text, where a leading space is a space. */
    default StreamingDecoder continuingDecoder() {
        return new StreamingDecoder(this, false);
    }

    /** The usual chat template. */
    default Optional<String> chatTemplate() {
        return Optional.ofNullable(chatTemplates().get("default"));
    }
}
