package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every file form gives the same ids, and each can be written from each. */
class TokenizerFormsTest {
    @TempDir
    Path folder;

    private final Path spm = Samples.tokenizer("llama2-sentencepiece.model");
    private final Path tiktoken = Samples.tokenizer("llama3-tiktoken.model");

    private static void same(Tokenizer a, Tokenizer b) {
        for (int number = 0; number < 300; number++) {
            Object document = new GoldenText(7000 + number).document();
            if (document instanceof String text) {
                assertThat(b.encode(text, EncodeOptions.TEXT)).isEqualTo(a.encode(text, EncodeOptions.TEXT));
            }
        }
    }

    @Test
    void sentencePieceModelIsWrittenToTheByte() throws IOException {
        SentencePieceModel model = SentencePieceModel.read(spm);
        assertThat(model.toBytes()).isEqualTo(Files.readAllBytes(spm));
        model.write(folder.resolve("copy.model"));
        assertThat(Files.readAllBytes(folder.resolve("copy.model"))).isEqualTo(Files.readAllBytes(spm));
    }

    @Test
    void unigramModelIsReadButDoesNotEncode() {
        SentencePieceModel model = SentencePieceModel.read(Samples.tokenizer("chinese-sentencepiece.model"));
        assertThat(model.size()).isEqualTo(20_000);
        assertThat(model.settings().algorithm()).isEqualTo(SentencePieceModel.Algorithm.UNIGRAM);
        assertThat(model.piece(4).text()).isEqualTo("\u2581");
        assertThatThrownBy(model::tokenizer)
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("UNIGRAM");
    }

    @Test
    void ranksAreWrittenToTheByte() throws IOException {
        TiktokenRanks.write(TiktokenRanks.read(tiktoken), folder.resolve("copy.model"));
        assertThat(Files.readAllBytes(folder.resolve("copy.model"))).isEqualTo(Files.readAllBytes(tiktoken));
    }

    @Test
    void tokenizerJsonOfLlama2() throws IOException {
        Tokenizer json = Tokenizer.open(Samples.tokenizer("llama2-tokenizer.json"));
        LlamaCppCasesTest.check(json, "llama-spm");
        same(Tokenizer.open(spm), json);
        assertThat(json.specialTokens().addBos()).isTrue();
        assertThat(json.specialTokens().bos()).hasValue(1);
    }

    @Test
    void ggufOfLlama2() throws IOException {
        Tokenizer gguf = GgufVocabulary.read(GgufMetadataReader.read(Samples.tokenizer("ggml-vocab-llama-spm.gguf")));
        LlamaCppCasesTest.check(gguf, "llama-spm");
        same(Tokenizer.open(spm), gguf);
    }

    @Test
    void fromFormToForm() throws IOException {
        for (Path file : List.of(spm, tiktoken)) {
            Tokenizer original = Tokenizer.open(file);
            Path json = folder.resolve("tokenizer.json");
            TokenizerJson.write(original, json);
            Tokenizer fromJson = Tokenizer.open(folder);
            Tokenizer fromGguf = GgufVocabulary.read(GgufVocabulary.write(fromJson));
            same(original, fromJson);
            same(original, fromGguf);
            for (Tokenizer form : List.of(fromJson, fromGguf)) {
                assertThat(form.vocabularySize()).isEqualTo(original.vocabularySize());
                assertThat(form.specialTokens().bos())
                        .isEqualTo(original.specialTokens().bos());
                assertThat(form.specialTokens().eos())
                        .isEqualTo(original.specialTokens().eos());
                assertThat(form.specialTokens().addBos()).isTrue();
                for (int id = 0; id < original.vocabularySize(); id += 97) {
                    assertThat(form.piece(id)).isEqualTo(original.piece(id));
                    assertThat(form.kind(id)).isEqualTo(original.kind(id));
                    assertThat(form.idOf(form.piece(id))).hasValue(id);
                }
            }
            switch (fromGguf) {
                case SentencePieceTokenizer sentencePiece ->
                    same(original, SentencePieceModel.of(sentencePiece).tokenizer());
                case ByteLevelTokenizer byteLevel -> {
                    TiktokenRanks.write(byteLevel, folder.resolve("back.model"));
                    assertThat(Files.readAllBytes(folder.resolve("back.model"))).isEqualTo(Files.readAllBytes(file));
                }
            }
        }
    }

    @Test
    void directoryWithSettings() throws IOException {
        Files.copy(spm, folder.resolve("tokenizer.model"));
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"bos_token": {"content": "<s>"}, "eos_token": "<|im_end|>", "add_bos_token": false, "pad_token": null,
                 "chat_template": [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}],
                 "added_tokens_decoder": {"0": {"content": "<unk>", "special": true},
                   "32000": {"content": "<|im_start|>", "special": true}, "32001": {"content": "<|im_end|>", "special": true}}}
                """);
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [2, 32000]}");
        Tokenizer tokenizer = Tokenizer.open(folder);
        assertThat(tokenizer.vocabularySize()).isEqualTo(32_002);
        assertThat(tokenizer.specialTokens().eos()).hasValue(32_001);
        assertThat(tokenizer.specialTokens().endOfGeneration()).containsExactly(2, 32_000, 32_001);
        assertThat(tokenizer.specialTokens().addBos()).isFalse();
        assertThat(tokenizer.chatTemplates()).containsEntry("tool_use", "B").containsEntry("default", "A");
        assertThat(tokenizer.encode("<|im_start|>user", EncodeOptions.TEMPLATE)).startsWith(32_000);
        assertThat(tokenizer.encode("<|im_start|>user", EncodeOptions.TEXT)).doesNotContain(32_000);
    }

    @Test
    void specialTokensOfLlama3() {
        Tokenizer tokenizer = Tokenizer.open(tiktoken);
        int[] ids =
                tokenizer.encode("<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", EncodeOptions.TEMPLATE);
        assertThat(ids).containsExactly(128006, 882, 128007, 271, 6151, 128009);
        assertThat(tokenizer.decode(ids)).isEqualTo("user\n\nhi");
        assertThat(tokenizer.encode("<|eot_id|>", EncodeOptions.TEXT)).doesNotContain(128009);
        assertThat(tokenizer.encode("hi", EncodeOptions.DOCUMENT)).containsExactly(128000, 6151, 128001);
        assertThat(tokenizer.specialTokens().endOfGeneration()).containsExactly(128001, 128008, 128009);
    }

    @Test
    void anotherModelsTokenizerIsRefused() throws IOException {
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}, \"merges\": []}}");
        assertThatThrownBy(() -> Tokenizer.open(file))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("WordPiece");
        assertThatThrownBy(() -> GgufVocabulary.read(Map.of("tokenizer.ggml.model", "bert")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("bert");
        assertThatThrownBy(() ->
                        GgufVocabulary.read(Map.of("tokenizer.ggml.model", "gpt2", "tokenizer.ggml.pre", "qwen2")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("qwen2");
    }

    /** Just enough of GGUF to read a vocabulary file's metadata. */
    private static final class GgufMetadataReader {
        static Map<String, Object> read(Path file) throws IOException {
            ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            in.getInt();
            in.getInt();
            in.getLong();
            long count = in.getLong();
            Map<String, Object> metadata = new HashMap<>();
            for (long i = 0; i < count; i++) {
                String key = new String(bytes(in), StandardCharsets.UTF_8);
                metadata.put(key, value(in, in.getInt()));
            }
            return metadata;
        }

        private static byte[] bytes(ByteBuffer in) {
            byte[] bytes = new byte[(int) in.getLong()];
            in.get(bytes);
            return bytes;
        }

        private static Object value(ByteBuffer in, int type) {
            return switch (type) {
                case 4, 5 -> (long) in.getInt();
                case 6 -> in.getFloat();
                case 7 -> in.get() != 0;
                case 8 -> new String(bytes(in), StandardCharsets.UTF_8);
                case 9 -> {
                    int element = in.getInt();
                    int size = (int) in.getLong();
                    if (element == 6) {
                        float[] floats = new float[size];
                        in.asFloatBuffer().get(floats);
                        in.position(in.position() + 4 * size);
                        yield floats;
                    }
                    if (element == 5) {
                        int[] ints = new int[size];
                        in.asIntBuffer().get(ints);
                        in.position(in.position() + 4 * size);
                        yield ints;
                    }
                    List<byte[]> strings = new ArrayList<>();
                    for (int i = 0; i < size; i++) {
                        strings.add(bytes(in));
                    }
                    yield strings;
                }
                default -> throw new IllegalArgumentException("type " + type);
            };
        }
    }
}
