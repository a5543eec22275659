package dev.puna.langchain4j;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.common.AbstractChatModelIT;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.util.List;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** LangChain4j's own suite, with the {@link KnowingEngine}. */
@EnabledIfEnvironmentVariable(named = KnowingEngine.PATH, matches = ".+")
class PunaChatModelSuiteTest extends AbstractChatModelIT {
    @Override
    protected List<ChatModel> models() {
        return List.of(PunaChatModel.of(KnowingEngine.get(), KnowingEngine.NAME));
    }

    @Override
    protected String customModelName() {
        return KnowingEngine.NAME;
    }

    @Override
    protected ChatModel createModelWith(ChatRequestParameters parameters) {
        return new PunaChatModel(KnowingEngine.get(), KnowingEngine.name(parameters), parameters, List.of());
    }

    @Override
    protected ChatRequestParameters createIntegrationSpecificParameters(int maxOutputTokens) {
        return KnowingEngine.parameters(maxOutputTokens);
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
