package dev.puna.tokenizer;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds out what kind of tokenizer a file or a directory holds. */
final class TokenizerFiles {
    private TokenizerFiles() {}

    static Tokenizer open(Path directoryOrFile) {
        return openModel(directoryOrFile);
    }

    /** A SentencePiece model or tiktoken ranks: both are called {@code tokenizer.model}. */
    static Tokenizer openModel(Path file) {
        byte[] bytes = read(file);
        return bytes.length > 0 && bytes[0] == 0x0A
                ? SentencePieceModel.parse(bytes, file).tokenizer()
                : TiktokenRanks.parse(bytes, file);
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
