package dev.puna.langchain4j;

import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.common.AbstractChatModelListenerIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.util.List;

/** LangChain4j's own suite. */
class PunaChatModelListenerSuiteTest extends AbstractChatModelListenerIT {
    @Override
    protected ChatModel createModel(ChatModelListener listener) {
        ChatRequestParameters parameters = ChatRequestParameters.builder()
                .temperature(temperature())
                .topP(topP())
                .maxOutputTokens(maxTokens())
                .build();
        return new PunaChatModel(EngineOfTests.ENGINE, modelName(), parameters, List.of(listener));
    }

    @Override
    protected String modelName() {
        return EngineOfTests.NAME;
    }

    @Override
    protected ChatModel createFailingModel(ChatModelListener listener) {
        ChatRequestParameters parameters =
                ChatRequestParameters.builder().modelName("none").build();
        return new PunaChatModel(EngineOfTests.ENGINE, modelName(), parameters, List.of(listener));
    }

    @Override
    protected Class<? extends Exception> expectedExceptionClass() {
        return ModelNotFoundException.class;
    }

    @Override
    protected boolean assertFinishReason() {
        return false; // random weights end nothing by themselves: the reason is the number of tokens
    }
}
