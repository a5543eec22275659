package dev.puna.langchain4j;

import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.TinyModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** One engine with a tiny random model for all tests of this module. */
final class EngineOfTests {
    static final String NAME = "tiny";
    static final Engine ENGINE = load();

    /** Random weights never end an answer by themselves. */
    static final ChatRequestParameters SHORT =
            ChatRequestParameters.builder().maxOutputTokens(12).build();

    private EngineOfTests() {}

    private static Engine load() {
        try {
            Path file = Files.createTempFile("tiny", ".gguf");
            try {
                TinyModel.write(file, 512);
                return Engine.load(
                        file,
                        EngineOptions.defaults()
                                .withModel(LlamaOptions.defaults().withThreads(1))
                                .withMaxSequences(8));
            } finally {
                Files.delete(file); // it stays mapped
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
