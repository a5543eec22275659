package dev.puna.tokenizer;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeSet;

/**
 * tiktoken's file of ranks, Meta's {@code tokenizer.model} of Llama-3: one line for each token, its bytes in base64, a
 * space, its rank, which is its id. The 256 special tokens are not in the file; Meta's code adds them behind.
 */
public final class TiktokenRanks {
    /** How many special tokens Llama-3 has behind its 128,000 ranks. */
    public static final int LLAMA3_SPECIAL_TOKENS = 256;

    private static final byte[] BASE64 = new byte[256];

    static {
        java.util.Arrays.fill(BASE64, (byte) -1);
        String alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (int i = 0; i < 64; i++) {
            BASE64[alphabet.charAt(i)] = (byte) i;
        }
    }

    private TiktokenRanks() {}

    /**
     * Reads a Llama-3 tokenizer with the special tokens of Llama-3.1 and later (the ids that all releases share have
     * the same names in all of them).
     *
     * @throws CorruptFileException when a line is not base64 and a rank, or ranks are not 0, 1, 2 …
     */
    public static ByteLevelTokenizer read(Path file) {
        try {
            return parse(Files.readAllBytes(file), file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    static ByteLevelTokenizer parse(byte[] file, Path path) {
        Vocabulary.Builder builder = new Vocabulary.Builder(file.length / 16 + 512, file.length);
        int at = 0;
        while (at < file.length) {
            if (file[at] == '\n') {
                at++;
                continue;
            }
            at = line(file, at, path, builder);
        }
        if (builder.size() == 0) {
            throw new CorruptFileException(path, 0, "lines of base64 and rank", "an empty file");
        }
        int ranks = builder.size();
        List<AddedToken> added = new ArrayList<>(LLAMA3_SPECIAL_TOKENS);
        for (int i = 0; i < LLAMA3_SPECIAL_TOKENS; i++) {
            AddedToken token = AddedToken.control(ranks + i, llama3Name(i));
            byte[] name = Utf8.bytes(token.content());
            builder.add(name, 0, name.length, TokenKind.CONTROL);
            added.add(token);
        }
        Vocabulary vocabulary = builder.build();
        for (int id = 0; id < ranks; id++) {
            if (vocabulary.find(vocabulary.storage(), vocabulary.offset(id), vocabulary.offset(id + 1)) != id) {
                throw new CorruptFileException(path, 0, "every token once", "token " + id + " twice");
            }
        }
        for (int value = 0; value < 256; value++) {
            if (vocabulary.find(new byte[] {(byte) value}) < 0) {
                throw new CorruptFileException(
                        path, file.length, "a token for every single byte", String.format("none for 0x%02X", value));
            }
        }
        return new ByteLevelTokenizer(
                vocabulary,
                new MergeRule.ById(vocabulary),
                true,
                ByteLevelTokenizer.Seams.NONE,
                llama3Special(ranks),
                added,
                Map.of());
    }

    private static int line(byte[] file, int start, Path path, Vocabulary.Builder builder) {
        int at = start;
        byte[] target = builder.room(file.length - start < 4096 ? file.length - start : lineLength(file, start));
        int position = builder.position();
        int written = position;
        int bits = 0;
        int count = 0;
        int value;
        while (at < file.length && (value = BASE64[file[at] & 0xFF]) >= 0) {
            bits = bits << 6 | value;
            count += 6;
            if (count >= 8) {
                count -= 8;
                target[written++] = (byte) (bits >>> count);
            }
            at++;
        }
        while (at < file.length && file[at] == '=') {
            at++;
        }
        if (written == position || at >= file.length || file[at] != ' ') {
            throw new CorruptFileException(path, at, "base64, a space and a rank", found(file, at));
        }
        at++;
        int digits = at;
        long rank = 0;
        while (at < file.length && file[at] >= '0' && file[at] <= '9' && at - digits < 10) {
            rank = rank * 10 + file[at++] - '0';
        }
        if (at < file.length && file[at] == '\r') {
            at++;
        }
        if (at == digits || (at < file.length && file[at] != '\n')) {
            throw new CorruptFileException(path, at, "a rank and the end of the line", found(file, at));
        }
        if (rank != builder.size()) {
            throw new CorruptFileException(path, digits, "rank " + builder.size(), "rank " + rank);
        }
        builder.close(written - position, TokenKind.NORMAL);
        return at + 1;
    }

    private static int lineLength(byte[] file, int start) {
        int end = start;
        while (end < file.length && file[end] != '\n') {
            end++;
        }
        return end - start;
    }

    private static String found(byte[] file, int at) {
        return at >= file.length ? "the end of the file" : String.format("0x%02X", file[at]);
    }

    /** The name of Llama-3's special token {@code index}, from 0 to 255. */
    static String llama3Name(int index) {
        return switch (index) {
            case 0 -> "<|begin_of_text|>";
            case 1 -> "<|end_of_text|>";
            case 2 -> "<|reserved_special_token_0|>";
            case 3 -> "<|reserved_special_token_1|>";
            case 4 -> "<|finetune_right_pad_id|>";
            case 5 -> "<|step_id|>";
            case 6 -> "<|start_header_id|>";
            case 7 -> "<|end_header_id|>";
            case 8 -> "<|eom_id|>";
            case 9 -> "<|eot_id|>";
            case 10 -> "<|python_tag|>";
            case 11 -> "<|image|>";
            default -> "<|reserved_special_token_" + (index - 10) + "|>";
        };
    }

    private static SpecialTokens llama3Special(int ranks) {
        return new SpecialTokens(
                OptionalInt.of(ranks),
                OptionalInt.of(ranks + 1),
                OptionalInt.empty(),
                OptionalInt.of(ranks + 4),
                OptionalInt.of(ranks + 9),
                OptionalInt.of(ranks + 8),
                new TreeSet<>(),
                true,
                false);
    }

    /**
     * Writes the ranks of a tokenizer; its special tokens have no place in the file.
     *
     * @throws ConfigurationException when the tokens that are not special do not have the ids 0, 1, 2 …, or merges are
     *     not by rank
     */
    public static void write(ByteLevelTokenizer tokenizer, Path file) {
        Vocabulary vocabulary = tokenizer.vocabulary();
        if (!(tokenizer.rule() instanceof MergeRule.ById)) {
            throw new ConfigurationException(
                    "merges", "a list", "tiktoken's file has ranks only; this tokenizer merges in another order");
        }
        int ranks = 0;
        while (ranks < vocabulary.size() && vocabulary.merges(ranks)) {
            ranks++;
        }
        for (int id = ranks; id < vocabulary.size(); id++) {
            if (vocabulary.merges(id)) {
                throw new ConfigurationException("vocabulary", id, "an ordinary token behind special ones has no rank");
            }
        }
        StringBuilder text = new StringBuilder();
        for (int id = 0; id < ranks; id++) {
            text.append(Base64.getEncoder().encodeToString(vocabulary.bytes(id)))
                    .append(' ')
                    .append(id)
                    .append('\n');
        }
        try {
            AtomicFile.write(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }
}
