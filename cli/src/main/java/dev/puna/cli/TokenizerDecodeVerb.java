package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.util.List;

/** {@code puna tokenizer decode}: ids to text. */
final class TokenizerDecodeVerb extends Verb {
    private final TokenizerOption tokenizer = new TokenizerOption(terminal, options);
    private final Value<String> ids = options.text("--ids", "IDS", "The ids of a document, separated by spaces.");
    private final Value<String> file =
            options.text("--file", "F", "Ids separated by spaces, one document per line. Default: standard input.");
    private final Value<Boolean> json =
            options.flag("--json", "Print a JSON object per document, {\"text\"}, on a line of its own.");

    TokenizerDecodeVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna tokenizer decode tokenizer.model --ids '15043 3186'",
                "puna tokenizer encode tokenizer.model --file a.txt | puna tokenizer decode tokenizer.model");
    }

    @Override
    void run() throws IOException {
        if (ids.isGiven() && file.isGiven()) {
            throw new UsageException("--ids and --file exclude each other");
        }
        Tokenizer opened = tokenizer.open();
        if (ids.isGiven()) {
            decode(opened, ids.get(), 1);
            return;
        }
        String text = InputFile.text(terminal, file.or("-"));
        int number = 0;
        for (String line : (Iterable<String>) text.lines()::iterator) {
            decode(opened, line, ++number);
        }
    }

    record Text(String text) {}

    /** Bytes as they are: what was no UTF-8 before encoding is none after decoding. */
    private void decode(Tokenizer opened, String line, int number) {
        String stripped = line.strip();
        String[] words = stripped.isEmpty() ? new String[0] : stripped.split("[\\s,]+");
        int[] found = new int[words.length];
        for (int i = 0; i < words.length; i++) {
            try {
                found[i] = Integer.parseInt(words[i]);
            } catch (NumberFormatException e) {
                throw new ConfigurationException("ids", words[i], "line " + number + ": expected a token id");
            }
            if (found[i] < 0 || found[i] >= opened.vocabularySize()) {
                throw new ConfigurationException(
                        "ids", words[i], "line " + number + ": the vocabulary has " + opened.vocabularySize() + " ids");
            }
        }
        if (json.isGiven()) {
            terminal.out().println(Json.write(new Text(opened.decode(found))));
            return;
        }
        byte[] bytes = opened.decodeBytes(found);
        terminal.out().write(bytes, 0, bytes.length);
        terminal.out().println();
    }
}
