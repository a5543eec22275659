package dev.puna.langchain4j;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.common.AbstractChatModelIT;
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
 * LangChain4j's own suite, which asks for the capital of Germany and the weather in Munich: only with a model that knows,
 * whose path {@code PUNA_CHAT_MODEL} gives (docs/decisions/0006-langchain4j-suites.md).
 */
@EnabledIfEnvironmentVariable(named = "PUNA_CHAT_MODEL", matches = ".+")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PunaChatModelSuiteTest extends AbstractChatModelIT {
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
    protected List<ChatModel> models() {
        return List.of(PunaChatModel.of(engine, "llama"));
    }

    @Override
    protected String customModelName() {
        return "llama";
    }

    @Override
    protected ChatModel createModelWith(ChatRequestParameters parameters) {
        String name = parameters.modelName() == null ? "llama" : parameters.modelName();
        return new PunaChatModel(engine, name, parameters, List.of());
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
