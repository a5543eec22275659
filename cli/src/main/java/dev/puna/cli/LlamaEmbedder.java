package dev.puna.cli;

import dev.puna.data.dedup.Embedder;
import dev.puna.inference.Llama;
import java.io.IOException;
import java.nio.file.Path;

/** A LLaMA's states as vectors of texts, for {@code semantic-dedup}. Owns the model. */
record LlamaEmbedder(Llama llama) implements Embedder {
    /** The beginning of a text says what it is about; more costs more. */
    private static final int MAX_CHARS = 4000;

    static LlamaEmbedder open(Terminal terminal, String model) throws IOException {
        Path path = ModelOption.resolve(terminal, model);
        return new LlamaEmbedder(Llama.load(path));
    }

    @Override
    public int width() {
        return llama.config().width();
    }

    @Override
    public void embed(String text, float[] into) {
        llama.embed(text.substring(0, Math.min(MAX_CHARS, text.length())), into);
    }

    @Override
    public void close() {
        llama.close();
    }
}
