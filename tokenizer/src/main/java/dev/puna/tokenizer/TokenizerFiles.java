package dev.puna.tokenizer;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Finds out what kind of tokenizer a file or a directory holds, and what the files beside it say. */
final class TokenizerFiles {
    /** In a directory, in this order; Meta's releases of LLaMA-1 have one above the directories of the sizes. */
    private static final List<String> NAMES =
            List.of("tokenizer.json", "tokenizer.model", "original/tokenizer.model", "../tokenizer.model");

    private TokenizerFiles() {}

    static Tokenizer open(Path directoryOrFile) {
        if (!Files.exists(directoryOrFile)) {
            throw new ConfigurationException("tokenizer", directoryOrFile, "there is no such file or directory");
        }
        if (!Files.isDirectory(directoryOrFile)) {
            return openFile(directoryOrFile);
        }
        for (String name : NAMES) {
            Path file = directoryOrFile.resolve(name);
            if (Files.isRegularFile(file)
                    && (!name.startsWith("..") || Files.exists(directoryOrFile.resolve("params.json")))) {
                return configured(openFile(file), directoryOrFile);
            }
        }
        throw new ConfigurationException(
                "tokenizer", directoryOrFile, "the directory has neither tokenizer.json nor tokenizer.model");
    }

    private static Tokenizer openFile(Path file) {
        byte[] bytes = read(file);
        int lead = bytes.length == 0 ? -1 : bytes[0];
        if (lead == 0x0A) {
            return SentencePieceModel.parse(bytes, file).tokenizer();
        }
        if (bytes.length >= 4 && bytes[0] == 'G' && bytes[1] == 'G' && bytes[2] == 'U' && bytes[3] == 'F') {
            throw new ConfigurationException("tokenizer", file, "a GGUF file: open it as a model");
        }
        if (lead == '{' || lead == (byte) 0xEF || lead == ' ' || lead == '\n') {
            return TokenizerJson.parse(bytes, file, TokenizerJson.MergeOrder.RANKS);
        }
        return TiktokenRanks.parse(bytes, file);
    }

    /** With the settings, the templates and the ends of generation that lie beside it. */
    private static Tokenizer configured(Tokenizer opened, Path directory) {
        Map<String, Object> settings = new LinkedHashMap<>(object(directory.resolve("special_tokens_map.json")));
        object(directory.resolve("tokenizer_config.json")).forEach((key, value) -> {
            if (!value.equals(Json.NULL) || !settings.containsKey(key)) {
                settings.put(key, value);
            }
        });
        Tokenizer tokenizer = opened;
        if (tokenizer instanceof SentencePieceTokenizer sentencePiece) {
            tokenizer = sentencePiece.withAddedTokens(addedTokens(settings, directory, sentencePiece));
        }
        SpecialTokens special = SpecialNames.roles(tokenizer::idOf, settings, tokenizer.specialTokens());
        Object ends = object(directory.resolve("generation_config.json")).get("eos_token_id");
        List<Integer> ids = new ArrayList<>();
        for (Object end : ends instanceof List<?> list ? list : ends == null ? List.of() : List.of(ends)) {
            if (end instanceof Long id && id >= 0 && id < tokenizer.vocabularySize()) {
                ids.add(id.intValue());
            }
        }
        tokenizer = tokenizer.withSpecialTokens(special.withEndOfGeneration(ids));
        Map<String, String> templates = SpecialNames.templates(settings.get("chat_template"));
        Path jinja = directory.resolve("chat_template.jinja");
        if (Files.isRegularFile(jinja)) {
            templates.put("default", new String(read(jinja), StandardCharsets.UTF_8));
        }
        return templates.isEmpty() ? tokenizer : tokenizer.withChatTemplates(templates);
    }

    /** Tokens that lie beside a SentencePiece model, behind its own: {@code added_tokens_decoder}, the older file. */
    private static List<AddedToken> addedTokens(
            Map<String, Object> settings, Path directory, SentencePieceTokenizer tokenizer) {
        List<AddedToken> added = new ArrayList<>();
        if (settings.get("added_tokens_decoder") instanceof Map<?, ?> byId) {
            byId.forEach((key, value) -> {
                if (value instanceof Map<?, ?> fields
                        && fields.get("content") instanceof String content
                        && String.valueOf(key).matches("[0-9]{1,8}")) {
                    added.add(new AddedToken(
                            Integer.parseInt(String.valueOf(key)),
                            content,
                            Boolean.TRUE.equals(fields.get("special")),
                            false,
                            Boolean.TRUE.equals(fields.get("lstrip")),
                            Boolean.TRUE.equals(fields.get("rstrip")),
                            Boolean.TRUE.equals(fields.get("single_word"))));
                }
            });
        } else {
            object(directory.resolve("added_tokens.json")).forEach((content, id) -> {
                if (id instanceof Long number && number >= 0 && number < Integer.MAX_VALUE && !content.isEmpty()) {
                    added.add(AddedToken.control(number.intValue(), content));
                }
            });
        }
        added.removeIf(token -> token.id() < tokenizer.vocabularySize());
        added.sort(java.util.Comparator.comparingInt(AddedToken::id));
        return added;
    }

    private static Map<String, Object> object(Path file) {
        return Files.isRegularFile(file) ? Json.parseObject(read(file), file) : Map.of();
    }

    static byte[] read(Path file) {
        try {
            if (Files.size(file) > Integer.MAX_VALUE - 64) {
                throw new ConfigurationException("tokenizer", file, "a tokenizer is not larger than 2 GiB");
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }
}
