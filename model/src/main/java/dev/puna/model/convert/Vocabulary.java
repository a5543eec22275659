package dev.puna.model.convert;

import dev.puna.formats.GgufMetadata;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaCheckpoint.Format;
import dev.puna.tensor.AtomicFile;
import dev.puna.tokenizer.ByteLevelTokenizer;
import dev.puna.tokenizer.GgufVocabulary;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.SentencePieceTokenizer;
import dev.puna.tokenizer.SpecialTokens;
import dev.puna.tokenizer.TiktokenRanks;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.TokenizerJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Takes a model's tokenizer along, where it has one: the very files where both formats use them, else written from what
 * was read.
 */
public final class Vocabulary {
    static final List<String> HUGGING_FACE_FILES = List.of(
            "tokenizer.json",
            "tokenizer.model",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "generation_config.json",
            "chat_template.jinja");
    private static final String SETTINGS_FILE = "tokenizer_config.json";
    private static final String GENERATION_FILE = "generation_config.json";

    private final LlamaCheckpoint source;
    private final Optional<Tokenizer> tokenizer;

    Vocabulary(LlamaCheckpoint source) {
        this.source = source;
        this.tokenizer = source.tokenizer();
    }

    /** The id that begins a text. */
    Optional<Integer> bos() {
        return tokenizer.flatMap(known -> boxed(known.specialTokens().bos()));
    }

    /** The ids that end one. */
    Iterable<Integer> ends() {
        return tokenizer.isPresent() ? tokenizer.get().specialTokens().endOfGeneration() : List.of();
    }

    private static Optional<Integer> boxed(OptionalInt id) {
        return id.isPresent() ? Optional.of(id.getAsInt()) : Optional.empty();
    }

    void writeHuggingFace(Path directory) throws IOException {
        if (source.format() == Format.HUGGING_FACE) {
            for (String name : HUGGING_FACE_FILES) {
                copyIfPresent(source.path().resolve(name), directory.resolve(name));
            }
        }
        if (tokenizer.isEmpty() || source.format() == Format.HUGGING_FACE) {
            return;
        }
        writeFiles(tokenizer.get(), directory);
    }

    /**
     * Writes what transformers needs to open a tokenizer; files of {@code source} that it has already are copied as they
     * are.
     *
     * @param source the directory or file that {@code known} was read from
     */
    public static void writeHuggingFace(Tokenizer known, Path source, Path directory) throws IOException {
        writeFiles(known, directory);
        if (Files.isDirectory(source)) {
            for (String name : HUGGING_FACE_FILES) {
                copyIfPresent(source.resolve(name), directory.resolve(name));
            }
        }
    }

    private static void writeFiles(Tokenizer known, Path directory) throws IOException {
        TokenizerJson.write(known, directory.resolve("tokenizer.json"));
        if (known instanceof SentencePieceTokenizer sentencePiece) {
            SentencePieceModel.of(sentencePiece).write(directory.resolve("tokenizer.model"));
        }
        AtomicFile.write(directory.resolve(SETTINGS_FILE), utf8(settings(known)));
        AtomicFile.write(directory.resolve(GENERATION_FILE), utf8(generation(known.specialTokens())));
    }

    private static ObjectNode settings(Tokenizer known) {
        SpecialTokens special = known.specialTokens();
        ObjectNode json = JsonMapper.shared().createObjectNode();
        json.put("add_bos_token", special.addBos());
        json.put("add_eos_token", special.addEos());
        putPiece(json, "bos_token", special.bos(), known);
        putPiece(json, "eos_token", special.eot().isPresent() ? special.eot() : special.eos(), known);
        putPiece(json, "unk_token", special.unknown(), known);
        putPiece(json, "pad_token", special.pad(), known);
        json.put("clean_up_tokenization_spaces", false);
        switch (known) {
            case SentencePieceTokenizer _ ->
                json.put("tokenizer_class", "LlamaTokenizer").put("legacy", true);
            case ByteLevelTokenizer _ -> json.put("tokenizer_class", "PreTrainedTokenizerFast");
        }
        Map<String, String> templates = known.chatTemplates();
        if (templates.size() == 1 && templates.containsKey("default")) {
            json.put("chat_template", templates.get("default"));
        } else if (!templates.isEmpty()) {
            ArrayNode all = json.putArray("chat_template");
            templates.forEach((name, text) -> all.addObject().put("name", name).put("template", text));
        }
        return json;
    }

    private static void putPiece(ObjectNode json, String field, OptionalInt id, Tokenizer known) {
        if (id.isPresent()) {
            json.put(field, known.piece(id.getAsInt()));
        }
    }

    private static ObjectNode generation(SpecialTokens special) {
        ObjectNode json = JsonMapper.shared().createObjectNode();
        special.bos().ifPresent(id -> json.put("bos_token_id", id));
        ArrayNode ends = json.putArray("eos_token_id");
        special.endOfGeneration().forEach(ends::add);
        special.pad().ifPresent(id -> json.put("pad_token_id", id));
        return json;
    }

    /** Meta's releases have one file, of SentencePiece or of tiktoken. */
    void writeMeta(Path directory) throws IOException {
        Path target = directory.resolve("tokenizer.model");
        if (source.format() != Format.GGUF) {
            for (Path directoryOfSource : List.of(source.path(), source.path().resolve("original"))) {
                if (copyIfPresent(directoryOfSource.resolve("tokenizer.model"), target)) {
                    return;
                }
            }
        }
        if (tokenizer.isPresent()) {
            switch (tokenizer.get()) {
                case SentencePieceTokenizer sentencePiece ->
                    SentencePieceModel.of(sentencePiece).write(target);
                case ByteLevelTokenizer byteLevel -> TiktokenRanks.write(byteLevel, target);
            }
        }
    }

    void writeGguf(GgufMetadata.Builder metadata) {
        if (source.source() instanceof dev.puna.formats.Gguf gguf) {
            gguf.metadata().values().forEach((key, value) -> {
                if (key.startsWith("tokenizer.")) {
                    metadata.put(key, value);
                }
            });
            return;
        }
        if (tokenizer.isEmpty()) {
            metadata.text("tokenizer.ggml.model", "no_vocab");
            return;
        }
        GgufVocabulary.write(tokenizer.get()).forEach((key, value) -> {
            switch (value) {
                case String text -> metadata.text(key, text);
                case Boolean truth -> metadata.bool(key, truth);
                case Long number -> metadata.uint32(key, number);
                case float[] numbers -> metadata.floats(key, numbers);
                case int[] numbers -> metadata.ints(key, numbers);
                case List<?> texts ->
                    metadata.texts(key, texts.stream().map(String.class::cast).toList());
                default -> throw new IllegalStateException(key + " has a " + value.getClass());
            }
        });
    }

    private static boolean copyIfPresent(Path from, Path to) throws IOException {
        if (!Files.isRegularFile(from)) {
            return false;
        }
        AtomicFile.write(to, Files.readAllBytes(from));
        return true;
    }

    private static byte[] utf8(ObjectNode json) {
        return (json.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
    }
}
