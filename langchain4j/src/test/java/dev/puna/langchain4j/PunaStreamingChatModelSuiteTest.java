package dev.puna.langchain4j;

import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.common.AbstractStreamingChatModelIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.util.List;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** LangChain4j's own suite for streams, with the {@link KnowingEngine}. */
@EnabledIfEnvironmentVariable(named = KnowingEngine.PATH, matches = ".+")
class PunaStreamingChatModelSuiteTest extends AbstractStreamingChatModelIT {
    @Override
    protected List<StreamingChatModel> models() {
        return List.of(PunaStreamingChatModel.of(KnowingEngine.get(), KnowingEngine.NAME));
    }

    @Override
    protected String customModelName() {
        return KnowingEngine.NAME;
    }

    @Override
    protected StreamingChatModel createModelWith(ChatRequestParameters parameters) {
        return new PunaStreamingChatModel(KnowingEngine.get(), KnowingEngine.name(parameters), parameters, List.of());
    }

    @Override
    public StreamingChatModel createModelWith(ChatModelListener listener) {
        return new PunaStreamingChatModel(
                KnowingEngine.get(),
                KnowingEngine.NAME,
                ChatRequestParameters.builder().build(),
                List.of(listener));
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
