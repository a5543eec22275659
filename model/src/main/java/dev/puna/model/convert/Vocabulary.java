package dev.puna.model.convert;

import dev.puna.formats.GgufMetadata;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.tokenizer.SpecialTokens;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Takes a model's tokenizer along, where it has one. */
final class Vocabulary {
    private final Optional<Tokenizer> tokenizer;

    Vocabulary(LlamaCheckpoint source) {
        this.tokenizer = source.tokenizer();
    }

    /** The id that begins a text. */
    Optional<Integer> bos() {
        return tokenizer
                .map(Tokenizer::specialTokens)
                .map(SpecialTokens::bos)
                .flatMap(id -> id.isPresent() ? Optional.of(id.getAsInt()) : Optional.empty());
    }

    /** The ids that end one. */
    Iterable<Integer> ends() {
        return tokenizer.isPresent() ? tokenizer.get().specialTokens().endOfGeneration() : List.of();
    }

    void writeHuggingFace(Path directory) throws IOException {}

    void writeMeta(Path directory) throws IOException {}

    void writeGguf(GgufMetadata.Builder metadata) {}
}
