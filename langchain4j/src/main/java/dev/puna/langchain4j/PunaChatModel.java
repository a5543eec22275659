package dev.puna.langchain4j;

import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.puna.inference.Engine;
import java.util.List;
import java.util.Set;

/**
 * LangChain4j's chat model over an engine, which it borrows.
 *
 * <pre>{@code
 * try (Engine engine = Engine.load(Path.of("Llama-3.2-1B-Instruct-Q8_0.gguf"))) {
 *     ChatModel model = PunaChatModel.of(engine, "llama-3.2-1b");
 *     System.out.println(model.chat("Hello!"));
 * }
 * }</pre>
 *
 * <p>Blocking costs nothing on virtual threads; who is interrupted while waiting cancels the computation. A request may
 * name an adapter of the engine as its model.
 */
public final class PunaChatModel implements ChatModel {
    private final Conversation conversation;
    private final ChatRequestParameters defaults;
    private final List<ChatModelListener> listeners;

    /**
     * @param modelName what requests and answers call the model
     * @param defaults for what a request does not say
     * @throws dev.puna.tensor.ConfigurationException if the model has no tokenizer
     */
    public PunaChatModel(
            Engine engine, String modelName, ChatRequestParameters defaults, List<ChatModelListener> listeners) {
        this.conversation = new Conversation(engine, modelName);
        this.defaults = named(modelName, defaults);
        this.listeners = List.copyOf(listeners);
    }

    /** With the parameters that Meta recommends. */
    public static PunaChatModel of(Engine engine, String modelName) {
        return new PunaChatModel(
                engine, modelName, ChatRequestParameters.builder().build(), List.of());
    }

    static ChatRequestParameters named(String modelName, ChatRequestParameters parameters) {
        return ChatRequestParameters.builder().modelName(modelName).build().overrideWith(parameters);
    }

    @Override
    public ChatResponse doChat(ChatRequest request) {
        Conversation.Asked asked = conversation.ask(request);
        return Conversation.answer(asked, asked.generation().await());
    }

    @Override
    public ChatRequestParameters defaultRequestParameters() {
        return defaults;
    }

    @Override
    public List<ChatModelListener> listeners() {
        return listeners;
    }

    @Override
    public Set<Capability> supportedCapabilities() {
        return Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA);
    }
}
