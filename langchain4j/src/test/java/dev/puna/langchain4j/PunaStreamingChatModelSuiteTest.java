package dev.puna.langchain4j;

import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.common.AbstractStreamingChatModelIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.puna.inference.Engine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * LangChain4j's own suite for streams, which asks for the capital of Germany and the weather in Munich: only with a model that knows,
 * whose path {@code PUNA_CHAT_MODEL} gives (docs/decisions/0006-langchain4j-suites.md).
 */
@EnabledIfEnvironmentVariable(named = "PUNA_CHAT_MODEL", matches = ".+")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PunaStreamingChatModelSuiteTest extends AbstractStreamingChatModelIT {
    private Engine engine;

    @BeforeAll
    void load() throws IOException {
        engine = Engine.load(Path.of(Objects.requireNonNull(System.getenv("PUNA_CHAT_MODEL"))));
    }

    @AfterAll
    void close() {
        engine.close();
    }

    @Override
    protected List<StreamingChatModel> models() {
        return List.of(PunaStreamingChatModel.of(engine, "llama"));
    }

    @Override
    protected String customModelName() {
        return "llama";
    }

    @Override
    protected StreamingChatModel createModelWith(ChatRequestParameters parameters) {
        String name = parameters.modelName() == null ? "llama" : parameters.modelName();
        return new PunaStreamingChatModel(engine, name, parameters, List.of());
    }

    @Override
    public StreamingChatModel createModelWith(ChatModelListener listener) {
        return new PunaStreamingChatModel(
                engine, "llama", ChatRequestParameters.builder().build(), List.of(listener));
    }

    @Override
    protected ChatRequestParameters createIntegrationSpecificParameters(int maxOutputTokens) {
        return ChatRequestParameters.builder().maxOutputTokens(maxOutputTokens).build();
    }

    @Override
    protected boolean supportsSingleImageInputAsBase64EncodedString() {
        return false;
    }

    @Override
    protected boolean supportsMultipleImageInputsAsBase64EncodedStrings() {
        return false;
    }

    @Override
    protected boolean supportsSingleImageInputAsPublicURL() {
        return false;
    }

    @Override
    protected boolean supportsMultipleImageInputsAsPublicURLs() {
        return false;
    }
}
