package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;

/** The argument TOKENIZER, and how it is opened. */
final class TokenizerOption {
    private final Terminal terminal;
    private final Value<String> tokenizer;

    TokenizerOption(Terminal terminal, Options options) {
        this.terminal = terminal;
        this.tokenizer = options.argument(
                        "TOKENIZER",
                        "A tokenizer.json, a SentencePiece .model, tiktoken ranks, or any MODEL that has one.")
                .required();
    }

    Tokenizer open() throws IOException {
        Path path = ModelOption.resolve(terminal, tokenizer.get());
        return path.toString().endsWith(".gguf") ? openGguf(path) : Tokenizer.open(path);
    }

    private static Tokenizer openGguf(Path file) throws IOException {
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(file)) {
            return checkpoint
                    .tokenizer()
                    .orElseThrow(() -> new ConfigurationException("TOKENIZER", file, "this file has no vocabulary"));
        }
    }
}
