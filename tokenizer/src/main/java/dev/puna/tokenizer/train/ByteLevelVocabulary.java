package dev.puna.tokenizer.train;

import dev.puna.tensor.AtomicFile;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonEncoding;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * A trained byte-level vocabulary.
 *
 * @param tokens bytes of each token, by rank; the first 256 are the single bytes
 * @param merges in the order in which they were made
 * @param specialTokens they have the ids behind the ranks
 */
public record ByteLevelVocabulary(List<byte[]> tokens, List<Merge> merges, List<String> specialTokens) {
    /**
     * Two neighbours become one.
     *
     * @param left id of the first
     * @param right id of the second
     * @param id of both together
     */
    public record Merge(int left, int right, int id) {}

    private static final String PATTERN = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
            + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    public ByteLevelVocabulary {
        tokens = List.copyOf(tokens);
        merges = List.copyOf(merges);
        specialTokens = List.copyOf(specialTokens);
    }

    /** Ids in all. */
    public int size() {
        return tokens.size() + specialTokens.size();
    }

    /** A token as vocabularies print it: {@code Ġthe}. */
    public String print(int rank) {
        return ByteAlphabet.print(tokens.get(rank));
    }

    /** Writes tiktoken's ranks, one line for each token: its bytes in base64, a space, its rank. */
    public void writeTiktoken(Path file) throws IOException {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        try (BufferedWriter out = Files.newBufferedWriter(partial, StandardCharsets.US_ASCII)) {
            Base64.Encoder base64 = Base64.getEncoder();
            for (int rank = 0; rank < tokens.size(); rank++) {
                out.write(base64.encodeToString(tokens.get(rank)) + " " + rank + "\n");
            }
        }
        AtomicFile.publish(partial, file);
    }

    /** Writes {@code tokenizer.json} and {@code tokenizer_config.json} into a folder, as Llama-3's look. */
    public void writeHuggingFace(Path folder) throws IOException {
        Files.createDirectories(folder);
        write(folder.resolve("tokenizer.json"), this::tokenizerJson);
        write(folder.resolve("tokenizer_config.json"), json -> {
            json.writeStartObject();
            if (specialTokens.size() >= 2) {
                json.writeStringProperty("bos_token", specialTokens.get(0));
                json.writeStringProperty("eos_token", specialTokens.get(1));
            }
            if (specialTokens.contains("<|finetune_right_pad_id|>")) {
                json.writeStringProperty("pad_token", "<|finetune_right_pad_id|>");
            }
            json.writeBooleanProperty("clean_up_tokenization_spaces", false);
            json.writeStringProperty("tokenizer_class", "PreTrainedTokenizerFast");
            json.writeEndObject();
        });
    }

    @FunctionalInterface
    private interface Content {
        void write(JsonGenerator json);
    }

    private static void write(Path file, Content content) throws IOException {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        try (OutputStream out = Files.newOutputStream(partial);
                JsonGenerator json = JsonFactory.builder()
                        .build()
                        .createGenerator(ObjectWriteContext.empty(), out, JsonEncoding.UTF8)) {
            content.write(json);
        }
        AtomicFile.publish(partial, file);
    }

    private void tokenizerJson(JsonGenerator json) {
        json.writeStartObject();
        json.writeStringProperty("version", "1.0");
        json.writeNullProperty("truncation");
        json.writeNullProperty("padding");
        json.writeArrayPropertyStart("added_tokens");
        for (int i = 0; i < specialTokens.size(); i++) {
            json.writeStartObject();
            json.writeNumberProperty("id", tokens.size() + i);
            json.writeStringProperty("content", specialTokens.get(i));
            for (String no : List.of("single_word", "lstrip", "rstrip", "normalized")) {
                json.writeBooleanProperty(no, false);
            }
            json.writeBooleanProperty("special", true);
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeNullProperty("normalizer");
        json.writeObjectPropertyStart("pre_tokenizer");
        json.writeStringProperty("type", "Sequence");
        json.writeArrayPropertyStart("pretokenizers");
        json.writeStartObject();
        json.writeStringProperty("type", "Split");
        json.writeObjectPropertyStart("pattern");
        json.writeStringProperty("Regex", PATTERN);
        json.writeEndObject();
        json.writeStringProperty("behavior", "Isolated");
        json.writeBooleanProperty("invert", false);
        json.writeEndObject();
        json.writeStartObject();
        byteLevel(json);
        json.writeEndObject();
        json.writeEndArray();
        json.writeEndObject();
        if (specialTokens.isEmpty()) {
            json.writeNullProperty("post_processor");
        } else {
            postProcessor(json);
        }
        json.writeObjectPropertyStart("decoder");
        byteLevel(json);
        json.writeEndObject();
        json.writeObjectPropertyStart("model");
        json.writeStringProperty("type", "BPE");
        for (String no : List.of("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")) {
            json.writeNullProperty(no);
        }
        json.writeBooleanProperty("fuse_unk", false);
        json.writeBooleanProperty("byte_fallback", false);
        json.writeBooleanProperty("ignore_merges", true);
        json.writeObjectPropertyStart("vocab");
        for (int rank = 0; rank < tokens.size(); rank++) {
            json.writeNumberProperty(print(rank), rank);
        }
        json.writeEndObject();
        json.writeArrayPropertyStart("merges");
        // A pair that merged twice (its token had been made from another pair) has the later rank, as in the library.
        Map<Long, Merge> last = new LinkedHashMap<>();
        for (Merge merge : merges) {
            long key = ((long) merge.left() << 32) | merge.right();
            last.remove(key);
            last.put(key, merge);
        }
        for (Merge merge : last.values()) {
            json.writeStartArray();
            json.writeString(print(merge.left()));
            json.writeString(print(merge.right()));
            json.writeEndArray();
        }
        json.writeEndArray();
        json.writeEndObject();
        json.writeEndObject();
    }

    private static void byteLevel(JsonGenerator json) {
        json.writeStringProperty("type", "ByteLevel");
        json.writeBooleanProperty("add_prefix_space", false);
        json.writeBooleanProperty("trim_offsets", true);
        json.writeBooleanProperty("use_regex", false);
    }

    /** Puts the first special token before every text, as Llama-3's does. */
    private void postProcessor(JsonGenerator json) {
        String bos = specialTokens.getFirst();
        json.writeObjectPropertyStart("post_processor");
        json.writeStringProperty("type", "TemplateProcessing");
        for (String[] template : new String[][] {{"single", "A"}, {"pair", "A", "B"}}) {
            json.writeArrayPropertyStart(template[0]);
            for (int i = 1; i < template.length; i++) {
                part(json, "SpecialToken", bos, i - 1);
                part(json, "Sequence", template[i], i - 1);
            }
            json.writeEndArray();
        }
        json.writeObjectPropertyStart("special_tokens");
        json.writeObjectPropertyStart(bos);
        json.writeStringProperty("id", bos);
        json.writeArrayPropertyStart("ids");
        json.writeNumber(tokens.size());
        json.writeEndArray();
        json.writeArrayPropertyStart("tokens");
        json.writeString(bos);
        json.writeEndArray();
        json.writeEndObject();
        json.writeEndObject();
        json.writeEndObject();
    }

    private static void part(JsonGenerator json, String kind, String id, int type) {
        json.writeStartObject();
        json.writeObjectPropertyStart(kind);
        json.writeStringProperty("id", id);
        json.writeNumberProperty("type_id", type);
        json.writeEndObject();
        json.writeEndObject();
    }
}
