package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.TokenizerBenchmark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code puna bench tokenizer}: how fast one thread encodes a text, beside copying it. */
final class BenchTokenizerVerb extends Verb {
    private final TokenizerOption tokenizer = new TokenizerOption(terminal, options);
    private final Value<String> file =
            options.argument("FILE", "Text in UTF-8, of some megabytes.").required();
    private final Value<Double> seconds = options.number(
            "--seconds", "S", "How long to encode it again and again, three times at least. Default: 3.", 0, 3600);
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");

    BenchTokenizerVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna bench tokenizer tokenizer.model text.txt",
                "puna bench tokenizer ./Llama-3.2-1B sources.txt --seconds 10 --json");
    }

    @Override
    void run() throws IOException {
        Tokenizer opened = tokenizer.open();
        TokenizerBenchmark.Result result =
                TokenizerBenchmark.measure(opened, Files.readAllBytes(Path.of(file.get())), seconds.or(3.0));
        terminal.out().println(json.isGiven() ? Json.writePretty(result) : result.toString());
    }
}
