package dev.puna.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.puna.cli.Options.Value;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Encoder;
import dev.puna.tokenizer.TokenBuffer;
import dev.puna.tokenizer.Tokenizer;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code puna tokenizer encode}: text to ids. */
final class TokenizerEncodeVerb extends Verb {
    private final TokenizerOption tokenizer = new TokenizerOption(terminal, options);
    private final Value<String> files = options.texts(
            "--file",
            "F",
            "A document; may be repeated. Of a .jsonl file every line's \"text\" is one. Default: standard input.");
    private final Value<String> text = options.text("--text", "TEXT", "A document.");
    private final Value<Boolean> lines = options.flag("--lines", "Every line of a file is a document.");
    private final Value<Boolean> ids = options.flag(
            "--ids", "Print ids, separated by spaces, one document per line. This is what it does anyway.");
    private final Value<Boolean> pieces = options.flag("--pieces", "Print the pieces instead of their ids.");
    private final Value<Boolean> bos = options.flag("--bos", "Begin every document with the begin-of-text token.");
    private final Value<Boolean> eos = options.flag("--eos", "End every document with the end-of-text token.");
    private final Value<Boolean> special =
            options.flag("--special", "The names of control tokens in the text become these tokens.");
    private final Value<Boolean> count = options.flag("--count", "Print the number of tokens of every document.");
    private final Value<Boolean> json = options.flag(
            "--json",
            "Print a JSON object per document, on a line of its own: {\"tokens\",\"ids\"}, with --pieces also"
                    + " {\"pieces\"}, with --count only {\"tokens\"}.");

    TokenizerEncodeVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna tokenizer encode tokenizer.model --file README.md --ids",
                "puna tokenizer encode ./Llama-3.2-1B --text 'Hello world' --bos --pieces",
                "puna tokenizer encode model.gguf --file documents.jsonl --count");
    }

    @Override
    void run() throws IOException {
        if ((ids.isGiven() ? 1 : 0) + (pieces.isGiven() ? 1 : 0) + (count.isGiven() ? 1 : 0) > 1) {
            throw new UsageException("--ids, --pieces and --count exclude each other");
        }
        if (text.isGiven() && files.isGiven()) {
            throw new UsageException("--text and --file exclude each other");
        }
        Tokenizer opened = tokenizer.open();
        Encoder encoder = opened.encoder();
        EncodeOptions how = new EncodeOptions(bos.isGiven(), eos.isGiven(), special.isGiven(), false);
        TokenBuffer buffer = new TokenBuffer(1024);
        if (text.isGiven()) {
            encode(opened, encoder, text.get().getBytes(StandardCharsets.UTF_8), how, buffer);
        } else if (files.isGiven()) {
            for (String file : files.all()) {
                for (byte[] document : documents(file, InputFile.bytes(terminal, file))) {
                    encode(opened, encoder, document, how, buffer);
                }
            }
        } else {
            for (byte[] document : documents("", terminal.in().readAllBytes())) {
                encode(opened, encoder, document, how, buffer);
            }
        }
    }

    private List<byte[]> documents(String name, byte[] content) throws IOException {
        boolean json = name.endsWith(".jsonl");
        if (!json && !lines.isGiven()) {
            return List.of(content);
        }
        List<byte[]> documents = new ArrayList<>();
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(new ByteArrayInputStream(content), StandardCharsets.UTF_8))) {
            int number = 0;
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                number++;
                documents.add((json ? textOf(name, number, line) : line).getBytes(StandardCharsets.UTF_8));
            }
        }
        return documents;
    }

    private static String textOf(String name, int number, String line) throws IOException {
        try {
            JsonNode field = JsonMapper.shared().readTree(line).get("text");
            if (field != null && field.isString()) {
                return field.stringValue();
            }
        } catch (tools.jackson.core.JacksonException e) {
            throw new IOException(
                    name + ": line " + number + ": expected a JSON object, found " + e.getOriginalMessage(), e);
        }
        throw new IOException(name + ": line " + number + ": expected a JSON object with a string \"text\"");
    }

    /** @param tokens how many */
    @JsonInclude(JsonInclude.Include.NON_ABSENT)
    record Encoded(int tokens, Optional<int[]> ids, Optional<List<String>> pieces) {}

    private Encoded encoded(Tokenizer opened, TokenBuffer buffer) {
        int[] found = buffer.toArray();
        return new Encoded(
                found.length,
                count.isGiven() ? Optional.empty() : Optional.of(found),
                pieces.isGiven()
                        ? Optional.of(
                                Arrays.stream(found).mapToObj(opened::piece).toList())
                        : Optional.empty());
    }

    private void encode(Tokenizer opened, Encoder encoder, byte[] utf8, EncodeOptions how, TokenBuffer buffer) {
        buffer.clear();
        encoder.encode(utf8, 0, utf8.length, how, buffer);
        if (json.isGiven()) {
            terminal.out().println(Json.write(encoded(opened, buffer)));
            return;
        }
        if (count.isGiven()) {
            terminal.out().println(buffer.size());
            return;
        }
        int[] found = buffer.toArray();
        StringBuilder line = new StringBuilder(1 << 16);
        for (int i = 0; i < found.length; i++) {
            line.append(i == 0 ? "" : " ");
            if (pieces.isGiven()) {
                line.append(opened.piece(found[i]));
            } else {
                line.append(found[i]);
            }
            if (line.length() > 60_000) {
                terminal.out().append(line);
                line.setLength(0);
            }
        }
        terminal.out().println(line);
    }
}
