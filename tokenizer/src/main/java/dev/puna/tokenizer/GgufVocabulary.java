package dev.puna.tokenizer;

import dev.puna.tensor.ConfigurationException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/**
 * The tokenizer in a GGUF file's metadata, keys {@code tokenizer.ggml.*} and {@code tokenizer.chat_template}: model
 * {@code llama} (SentencePiece) and {@code gpt2} with the pre-tokenizer {@code llama-bpe} (Llama-3).
 *
 * <p>Metadata is a plain map, because this module does not know the file format. Values read: {@link String},
 * {@link Boolean}, any {@link Number}, {@code int[]}, {@code float[]}, and for lists of strings {@code List<String>} or,
 * without making strings, {@code List<byte[]>} of UTF-8. Values written: {@link String}, {@link Boolean}, {@link Long}
 * (uint32 in the file), {@code List<String>}, {@code float[]}, {@code int[]}.
 */
public final class GgufVocabulary {
    private static final Set<String> LLAMA3_PATTERNS = Set.of("llama-bpe", "llama3", "llama-v3");

    private GgufVocabulary() {}

    /**
     * The tokenizer.
     *
     * @throws ConfigurationException when there is none, or parts are missing, do not fit, or are of another model
     */
    public static Tokenizer read(Map<String, ?> metadata) {
        String model = string(metadata, "tokenizer.ggml.model").orElse("none");
        Tokenizer tokenizer = switch (model) {
            case "llama" -> sentencePiece(metadata);
            case "gpt2" -> byteLevel(metadata);
            default -> throw new ConfigurationException("tokenizer.ggml.model", model, "LLaMA's are llama and gpt2");
        };
        Map<String, String> templates = new LinkedHashMap<>();
        for (Map.Entry<String, ?> entry : metadata.entrySet()) {
            if (entry.getKey().startsWith("tokenizer.chat_template") && entry.getValue() instanceof String template) {
                String rest = entry.getKey().substring("tokenizer.chat_template".length());
                if (rest.isEmpty()) {
                    templates.put("default", template);
                } else if (rest.startsWith(".")) {
                    templates.put(rest.substring(1), template);
                }
            }
        }
        return tokenizer.withChatTemplates(templates);
    }

    private static Tokenizer sentencePiece(Map<String, ?> metadata) {
        List<byte[]> tokens = tokens(metadata);
        int size = tokens.size();
        float[] scores = metadata.get("tokenizer.ggml.scores") instanceof float[] array ? array : new float[0];
        if (scores.length != size) {
            throw new ConfigurationException(
                    "tokenizer.ggml.scores", scores.length + " scores", "there are " + size + " tokens");
        }
        for (float score : scores) {
            if (Float.isNaN(score)) {
                throw new ConfigurationException("tokenizer.ggml.scores", score, "a score is a number");
            }
        }
        int[] types = types(metadata, size);
        boolean bytes = false;
        Vocabulary.Builder builder = new Vocabulary.Builder(size, 16 * size);
        List<AddedToken> added = new ArrayList<>();
        for (int id = 0; id < size; id++) {
            byte[] name = tokens.get(id);
            TokenKind kind = kind(types[id], id);
            bytes |= kind == TokenKind.BYTE;
            if (name.length == 0) {
                builder.close(0, TokenKind.CONTROL);
            } else {
                SentencePieceModel.addTo(builder, added, kind, name, 0, name.length);
            }
        }
        Vocabulary vocabulary = builder.build();
        boolean prefix = truth(metadata, "tokenizer.ggml.add_space_prefix").orElse(true);
        SpecialTokens special = special(metadata, size, OptionalInt.of(1), OptionalInt.of(2), OptionalInt.of(0), true);
        SentencePieceTokenizer tokenizer = new SentencePieceTokenizer(
                vocabulary,
                new MergeRule.ByToken(vocabulary, SentencePieceModel.ranks(scores)),
                scores.clone(),
                new SentencePieceTokenizer.Rules(
                        prefix
                                ? SentencePieceTokenizer.SpacePrefix.EVERY_SEGMENT
                                : SentencePieceTokenizer.SpacePrefix.NEVER,
                        truth(metadata, "tokenizer.ggml.remove_extra_whitespaces")
                                .orElse(false),
                        bytes,
                        prefix,
                        false),
                special,
                added,
                Map.of());
        return tokenizer.withSpecialTokens(SpecialNames.roles(tokenizer::idOf, Map.of(), special));
    }

    private static Tokenizer byteLevel(Map<String, ?> metadata) {
        String pattern = string(metadata, "tokenizer.ggml.pre").orElse("none");
        if (!LLAMA3_PATTERNS.contains(pattern)) {
            throw new ConfigurationException(
                    "tokenizer.ggml.pre", pattern, "of the byte-level tokenizers only llama-bpe is a LLaMA's");
        }
        List<byte[]> tokens = tokens(metadata);
        int size = tokens.size();
        int[] types = types(metadata, size);
        Vocabulary.Builder builder = new Vocabulary.Builder(size, 16 * size);
        List<AddedToken> added = new ArrayList<>();
        for (int id = 0; id < size; id++) {
            byte[] name = tokens.get(id);
            TokenKind kind = kind(types[id], id);
            if (kind == TokenKind.NORMAL) {
                byte[] target = builder.room(name.length);
                int length = PrintableBytes.decode(name, 0, name.length, target, builder.position());
                if (length <= 0) {
                    throw new ConfigurationException(
                            "tokenizer.ggml.tokens[" + id + "]",
                            new String(name, StandardCharsets.UTF_8),
                            "an ordinary byte-level token is written in GPT-2's characters");
                }
                builder.close(length, TokenKind.NORMAL);
            } else {
                String content = new String(name, StandardCharsets.UTF_8);
                builder.add(name, 0, name.length, TokenKind.CONTROL);
                if (!content.isEmpty() && kind != TokenKind.UNUSED) {
                    added.add(
                            kind == TokenKind.USER_DEFINED
                                    ? AddedToken.userDefined(id, content)
                                    : AddedToken.control(id, content));
                }
            }
        }
        Vocabulary vocabulary = builder.build();
        OptionalInt none = OptionalInt.empty();
        SpecialTokens special = special(metadata, size, none, none, none, true);
        ByteLevelTokenizer tokenizer = new ByteLevelTokenizer(
                vocabulary, rule(metadata, vocabulary), true, ByteLevelTokenizer.Seams.NONE, special, added, Map.of());
        return tokenizer.withSpecialTokens(SpecialNames.roles(tokenizer::idOf, Map.of(), special));
    }

    /** By id where the list of merges makes token after token; else by the list. */
    private static MergeRule rule(Map<String, ?> metadata, Vocabulary vocabulary) {
        List<byte[]> merges = strings(metadata, "tokenizer.ggml.merges");
        int[] last = {-1};
        boolean ordered = everyMerge(merges, (both, _, end, _) -> {
            int merged = vocabulary.find(both, 0, end);
            boolean follows = merged >= last[0];
            last[0] = merged;
            return follows;
        });
        if (ordered) {
            return new MergeRule.ById(vocabulary);
        }
        MergeRule.ByPair pairs = new MergeRule.ByPair();
        everyMerge(merges, (both, middle, end, text) -> {
            int merged = vocabulary.find(both, 0, end);
            int left = vocabulary.find(both, 0, middle);
            int right = vocabulary.find(both, middle, end);
            if (merged < 0 || left < 0 || right < 0) {
                throw new ConfigurationException("tokenizer.ggml.merges", utf8(text), "a merge of unknown tokens");
            }
            pairs.add(left, right, merged);
            return true;
        });
        return pairs;
    }

    private interface MergeVisitor {
        /** Left is {@code both[0, middle)}, right {@code both[middle, end)}, padded; {@code text} is the file's. */
        boolean visit(byte[] both, int middle, int end, byte[] text);
    }

    /** Visits the merges until one answers false; whether none did. */
    private static boolean everyMerge(List<byte[]> merges, MergeVisitor visitor) {
        byte[] both = new byte[256];
        for (byte[] merge : merges) {
            int space = 0;
            while (space < merge.length && merge[space] != ' ') {
                space++;
            }
            if (both.length < merge.length + Words.PADDING) {
                both = new byte[2 * (merge.length + Words.PADDING)];
            }
            int middle = PrintableBytes.decode(merge, 0, space, both, 0);
            int length = space == merge.length || middle <= 0
                    ? -1
                    : PrintableBytes.decode(merge, space + 1, merge.length, both, middle);
            if (length <= 0) {
                throw new ConfigurationException(
                        "tokenizer.ggml.merges", utf8(merge), "a merge is two tokens with a space");
            }
            if (!visitor.visit(both, middle, middle + length, merge)) {
                return false;
            }
        }
        return true;
    }

    private static String utf8(byte[] text) {
        return new String(text, StandardCharsets.UTF_8);
    }

    private static TokenKind kind(int type, int id) {
        if (type < 0 || type > 6) {
            throw new ConfigurationException("tokenizer.ggml.token_type[" + id + "]", type, "a type is 0 to 6");
        }
        return type == 0 ? TokenKind.NORMAL : TokenKind.of(type);
    }

    private static int[] types(Map<String, ?> metadata, int size) {
        Object value = metadata.get("tokenizer.ggml.token_type");
        if (value == null) {
            int[] types = new int[size];
            Arrays.fill(types, 1);
            return types;
        }
        if (value instanceof int[] types && types.length == size) {
            return types;
        }
        throw new ConfigurationException(
                "tokenizer.ggml.token_type",
                value instanceof int[] types
                        ? types.length + " types"
                        : value.getClass().getSimpleName(),
                "there are " + size + " tokens");
    }

    private static List<byte[]> tokens(Map<String, ?> metadata) {
        List<byte[]> tokens = strings(metadata, "tokenizer.ggml.tokens");
        if (tokens.isEmpty()) {
            throw new ConfigurationException("tokenizer.ggml.tokens", "missing", "a vocabulary has tokens");
        }
        return tokens;
    }

    private static List<byte[]> strings(Map<String, ?> metadata, String key) {
        Object value = metadata.get(key);
        if (value instanceof String[] array) {
            value = Arrays.asList(array);
        }
        if (value == null) {
            return List.of();
        }
        if (!(value instanceof List<?> list)) {
            throw new ConfigurationException(key, value.getClass().getSimpleName(), "a list of strings");
        }
        List<byte[]> strings = new ArrayList<>(list.size());
        for (Object element : list) {
            if (element instanceof byte[] bytes) {
                strings.add(bytes);
            } else if (element instanceof String string) {
                strings.add(Utf8.bytes(string));
            } else {
                throw new ConfigurationException(key, element, "a list of strings");
            }
        }
        return strings;
    }

    private static SpecialTokens special(
            Map<String, ?> metadata, int size, OptionalInt bos, OptionalInt eos, OptionalInt unknown, boolean addBos) {
        return new SpecialTokens(
                id(metadata, "bos", size, bos),
                id(metadata, "eos", size, eos),
                id(metadata, "unknown", size, unknown),
                id(metadata, "padding", size, OptionalInt.empty()),
                id(metadata, "eot", size, OptionalInt.empty()),
                id(metadata, "eom", size, OptionalInt.empty()),
                new TreeSet<>(),
                truth(metadata, "tokenizer.ggml.add_bos_token").orElse(addBos),
                truth(metadata, "tokenizer.ggml.add_eos_token").orElse(false));
    }

    private static OptionalInt id(Map<String, ?> metadata, String role, int size, OptionalInt otherwise) {
        Object value = metadata.get("tokenizer.ggml." + role + "_token_id");
        if (!(value instanceof Number number)) {
            return otherwise.isPresent() && otherwise.getAsInt() >= size ? OptionalInt.empty() : otherwise;
        }
        long id = number.longValue();
        if (id == 0xFFFF_FFFFL || id == -1) {
            return OptionalInt.empty();
        }
        if (id < 0 || id >= size) {
            throw new ConfigurationException(
                    "tokenizer.ggml." + role + "_token_id", id, "there are " + size + " tokens");
        }
        return OptionalInt.of((int) id);
    }

    private static Optional<Boolean> truth(Map<String, ?> metadata, String key) {
        Object value = metadata.get(key);
        return value instanceof Boolean truth ? Optional.of(truth) : Optional.empty();
    }

    private static Optional<String> string(Map<String, ?> metadata, String key) {
        Object value = metadata.get(key);
        return value instanceof String string ? Optional.of(string) : Optional.empty();
    }

    /** The metadata of a tokenizer, in the order that llama.cpp's converter writes it. */
    public static Map<String, Object> write(Tokenizer tokenizer) {
        Map<String, Object> metadata = new LinkedHashMap<>();
        int size = tokenizer.vocabularySize();
        List<String> tokens = new ArrayList<>(size);
        int[] types = new int[size];
        for (int id = 0; id < size; id++) {
            tokens.add(tokenizer.piece(id));
            types[id] = tokenizer.kind(id).number();
        }
        switch (tokenizer) {
            case SentencePieceTokenizer sentencePiece -> {
                metadata.put("tokenizer.ggml.model", "llama");
                metadata.put("tokenizer.ggml.pre", "default");
                metadata.put("tokenizer.ggml.tokens", tokens);
                metadata.put("tokenizer.ggml.scores", sentencePiece.scoresOrRanks());
                metadata.put("tokenizer.ggml.token_type", types);
                metadata.put(
                        "tokenizer.ggml.add_space_prefix",
                        sentencePiece.rules().prefix() != SentencePieceTokenizer.SpacePrefix.NEVER);
                if (sentencePiece.rules().removeExtraWhitespaces()) {
                    metadata.put("tokenizer.ggml.remove_extra_whitespaces", true);
                }
            }
            case ByteLevelTokenizer byteLevel -> {
                metadata.put("tokenizer.ggml.model", "gpt2");
                metadata.put("tokenizer.ggml.pre", "llama-bpe");
                metadata.put("tokenizer.ggml.tokens", tokens);
                metadata.put("tokenizer.ggml.token_type", types);
                List<String> merges = new ArrayList<>();
                for (long merge : TokenizerJson.mergeList(byteLevel)) {
                    merges.add(tokens.get((int) (merge >>> 32)) + " " + tokens.get((int) merge));
                }
                metadata.put("tokenizer.ggml.merges", merges);
            }
        }
        SpecialTokens special = tokenizer.specialTokens();
        putId(metadata, "bos", special.bos());
        putId(metadata, "eos", special.eos());
        putId(metadata, "unknown", special.unknown());
        putId(metadata, "padding", special.pad());
        putId(metadata, "eot", special.eot());
        putId(metadata, "eom", special.eom());
        metadata.put("tokenizer.ggml.add_bos_token", special.addBos());
        metadata.put("tokenizer.ggml.add_eos_token", special.addEos());
        tokenizer.chatTemplates().forEach((name, template) -> {
            metadata.put("tokenizer.chat_template" + (name.equals("default") ? "" : "." + name), template);
        });
        return metadata;
    }

    private static void putId(Map<String, Object> metadata, String role, OptionalInt id) {
        if (id.isPresent()) {
            metadata.put("tokenizer.ggml." + role + "_token_id", (long) id.getAsInt());
        }
    }
}
