package dev.puna.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import dev.puna.inference.Engine;
import dev.puna.inference.Generation;
import dev.puna.inference.TokenEvent;
import dev.puna.inference.ToolCalling;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Flow;

/**
 * LangChain4j's streaming chat model over an engine, which it borrows. A handler is called on a virtual thread of its
 * own, at its own pace; cancelling its handle stops the computation. Calls of tools are streamed when they are complete.
 */
public final class PunaStreamingChatModel implements StreamingChatModel {
    private final Conversation conversation;
    private final ChatRequestParameters defaults;
    private final List<ChatModelListener> listeners;

    /**
     * @param modelName what requests and answers call the model
     * @param defaults for what a request does not say
     * @throws dev.puna.tensor.ConfigurationException if the model has no tokenizer
     */
    public PunaStreamingChatModel(
            Engine engine, String modelName, ChatRequestParameters defaults, List<ChatModelListener> listeners) {
        this.conversation = new Conversation(engine, modelName);
        this.defaults = PunaChatModel.named(modelName, defaults);
        this.listeners = List.copyOf(listeners);
    }

    /** With the parameters that Meta recommends. */
    public static PunaStreamingChatModel of(Engine engine, String modelName) {
        return new PunaStreamingChatModel(
                engine, modelName, ChatRequestParameters.builder().build(), List.of());
    }

    @Override
    public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
        Conversation.Asked asked;
        try {
            asked = conversation.ask(request);
        } catch (RuntimeException e) {
            handler.onError(e);
            return;
        }
        asked.generation().tokens().subscribe(new Listening(asked, handler));
    }

    /** Tells a handler what the engine says. */
    private static final class Listening implements Flow.Subscriber<TokenEvent> {
        private final Conversation.Asked asked;
        private final StreamingChatResponseHandler handler;
        private final StringBuilder held = new StringBuilder();
        private final PartialResponseContext context;
        private boolean holds;

        Listening(Conversation.Asked asked, StreamingChatResponseHandler handler) {
            this.asked = asked;
            this.handler = handler;
            this.holds = !asked.tools().isEmpty();
            this.context = new PartialResponseContext(new Handle(asked.generation()));
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(TokenEvent event) {
            held.append(event.text());
            holds = holds && ToolCalling.mayBegin(held.toString());
            if (!holds) {
                flush();
            }
        }

        private void flush() {
            if (!held.isEmpty() && !asked.generation().isCancelled()) {
                String text = held.toString();
                held.setLength(0);
                try {
                    handler.onPartialResponse(new PartialResponse(text), context);
                } catch (RuntimeException e) {
                    failed(e);
                }
            }
        }

        /** A handler's own exception goes to its own error method, and the stream goes on. */
        private void failed(RuntimeException e) {
            try {
                handler.onError(e);
            } catch (RuntimeException again) {
                e.addSuppressed(again);
            }
        }

        @Override
        public void onError(Throwable thrown) {
            handler.onError(thrown);
        }

        @Override
        public void onComplete() {
            if (asked.generation().isCancelled()) {
                return; // who cancelled hears no more
            }
            ChatResponse response =
                    Conversation.answer(asked, asked.generation().await());
            List<ToolExecutionRequest> calls = response.aiMessage().toolExecutionRequests();
            if (calls.isEmpty()) {
                flush();
            }
            try {
                for (int i = 0; i < calls.size(); i++) {
                    handler.onCompleteToolCall(new CompleteToolCall(i, calls.get(i)));
                }
            } catch (RuntimeException e) {
                failed(e);
            }
            try {
                handler.onCompleteResponse(response);
            } catch (RuntimeException e) {
                failed(e);
            }
        }
    }

    private record Handle(Generation generation) implements StreamingHandle {
        @Override
        public void cancel() {
            generation.cancel();
        }

        @Override
        public boolean isCancelled() {
            return generation.isCancelled();
        }
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
