package dev.puna.inference;

import dev.puna.formats.GgufMetadata;
import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import dev.puna.tokenizer.GgufVocabulary;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.SentencePieceModel.Piece;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A LLaMA of two layers with random weights, a vocabulary of bytes, and a chat template that shows tools. For the tests of
 * the modules above, too.
 */
public final class TinyModel {
    public static final int WIDTH = 32;

    private static final String TEMPLATE = "{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}"
            + "{% for message in messages %}<{{ message.role }}>{{ message.content }}"
            + "{% if message.tool_calls %}{% for call in message.tool_calls %}"
            + "{{ call.function.name }}{{ call.function.arguments | tojson }}{% endfor %}{% endif %}"
            + "{% endfor %}<assistant>";

    private TinyModel() {}

    /**
     * Writes a GGUF file.
     *
     * @param context the longest sequence
     */
    public static Path write(Path file, int context) throws IOException {
        List<Piece> pieces = new ArrayList<>();
        pieces.add(new Piece("<unk>", 0, TokenKind.UNKNOWN));
        pieces.add(new Piece("<s>", 0, TokenKind.CONTROL));
        pieces.add(new Piece("</s>", 0, TokenKind.CONTROL));
        for (int b = 0; b < 256; b++) {
            pieces.add(new Piece(String.format("<0x%02X>", b), 0, TokenKind.BYTE));
        }
        for (String piece : List.of("▁a", "he", "▁the", "▁", "a", "h", "e", "t", "é")) {
            pieces.add(new Piece(piece, -(pieces.size() - 259), TokenKind.NORMAL));
        }
        Tokenizer tokenizer = SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama())
                .tokenizer();
        LlamaConfig config = new LlamaConfig(
                tokenizer.vocabularySize(),
                WIDTH,
                2,
                2,
                1,
                16,
                32,
                context,
                1e-5f,
                10_000,
                new RopeScaling.None(),
                false,
                false,
                false);
        GgufMetadata.Builder metadata = GgufMetadata.builder();
        GgufVocabulary.write(tokenizer).forEach((key, value) -> {
            switch (value) {
                case String text -> metadata.text(key, text);
                case Boolean truth -> metadata.bool(key, truth);
                case Long number -> metadata.uint32(key, number);
                case float[] numbers -> metadata.floats(key, numbers);
                case int[] numbers -> metadata.ints(key, numbers);
                case List<?> texts ->
                    metadata.texts(key, texts.stream().map(String.class::cast).toList());
                default -> throw new AssertionError(key);
            }
        });
        metadata.text("tokenizer.chat_template", TEMPLATE);
        RandomModel.write(file, config, Quantization.F32, 42, metadata.build());
        return file;
    }
}
