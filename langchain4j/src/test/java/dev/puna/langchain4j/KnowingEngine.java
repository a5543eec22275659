package dev.puna.langchain4j;

import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.puna.inference.Engine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Objects;

/**
 * The model for LangChain4j's suites that ask for the capital of Germany and the weather in Munich
 * (docs/decisions/0006-langchain4j-suites.md): one that knows, at the path that {@link #PATH} names. Loaded when the first
 * suite asks, and kept for the others.
 */
final class KnowingEngine {
    /** The environment variable. Without it these suites are skipped. */
    static final String PATH = "PUNA_CHAT_MODEL";

    static final String NAME = "llama";

    private static final class Loaded {
        static final Engine ENGINE = load();

        private static Engine load() {
            try {
                return Engine.load(Path.of(Objects.requireNonNull(System.getenv(PATH))));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private KnowingEngine() {}

    static Engine get() {
        return Loaded.ENGINE;
    }

    static String name(ChatRequestParameters parameters) {
        return Objects.requireNonNullElse(parameters.modelName(), NAME);
    }

    /** What an integration's own class of parameters would be: there is none. */
    static ChatRequestParameters parameters(int maxOutputTokens) {
        return ChatRequestParameters.builder().maxOutputTokens(maxOutputTokens).build();
    }
}
