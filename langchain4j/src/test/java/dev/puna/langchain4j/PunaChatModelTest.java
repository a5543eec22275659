package dev.puna.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonBooleanSchema;
import dev.langchain4j.model.chat.request.json.JsonIntegerSchema;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What does not depend on what a model knows. */
@Timeout(60)
class PunaChatModelTest {
    private static final ChatModel MODEL =
            new PunaChatModel(EngineOfTests.ENGINE, EngineOfTests.NAME, EngineOfTests.SHORT, List.of());
    private static final PunaStreamingChatModel STREAMING =
            new PunaStreamingChatModel(EngineOfTests.ENGINE, EngineOfTests.NAME, EngineOfTests.SHORT, List.of());
    private static final ToolSpecification WEATHER = ToolSpecification.builder()
            .name("weather")
            .description("the weather of a day")
            .parameters(JsonObjectSchema.builder()
                    .addProperty("day", new JsonIntegerSchema())
                    .required("day")
                    .build())
            .build();

    @Test
    void answersWithinTheTokensThatWereAskedFor() {
        ChatResponse response = MODEL.chat(UserMessage.from("the"));
        assertThat(response.aiMessage().text()).isNotEmpty();
        assertThat(response.metadata().tokenUsage().outputTokenCount()).isEqualTo(12);
        assertThat(response.metadata().finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(response.metadata().modelName()).isEqualTo(EngineOfTests.NAME);
        ChatResponse five = MODEL.chat(ChatRequest.builder()
                .messages(SystemMessage.from("a"), UserMessage.from("the"), AiMessage.from("he"), UserMessage.from("a"))
                .maxOutputTokens(5)
                .build());
        assertThat(five.metadata().tokenUsage().outputTokenCount()).isEqualTo(5);
    }

    @Test
    void endsAtStopSequences() {
        ChatRequest request = ChatRequest.builder()
                .messages(UserMessage.from("the"))
                .temperature(0.0)
                .build();
        String text = MODEL.chat(request).aiMessage().text();
        String stop = text.substring(text.length() - 1);
        ChatResponse stopped =
                MODEL.chat(request.toBuilder().stopSequences(List.of(stop)).build());
        assertThat(stopped.aiMessage().text()).isEqualTo(text.substring(0, text.indexOf(stop)));
        assertThat(stopped.metadata().finishReason()).isEqualTo(FinishReason.STOP);
    }

    @Test
    void streamsWhatItAnswers() throws Exception {
        ChatRequest request = ChatRequest.builder()
                .messages(UserMessage.from("the"))
                .temperature(0.0)
                .maxOutputTokens(40)
                .build();
        Collector collector = new Collector(-1);
        STREAMING.chat(request, collector);
        ChatResponse whole = MODEL.chat(request);
        ChatResponse streamed = collector.complete.get(20, TimeUnit.SECONDS);
        assertThat(String.join("", collector.parts)).isEqualTo(whole.aiMessage().text());
        assertThat(streamed.aiMessage()).isEqualTo(whole.aiMessage());
        assertThat(streamed.metadata().tokenUsage()).isEqualTo(whole.metadata().tokenUsage());
    }

    @Test
    void cancellingAStreamStopsTheEngine() throws Exception {
        Collector collector = new Collector(3);
        long before = EngineOfTests.ENGINE.counters().cancelled();
        STREAMING.chat(
                ChatRequest.builder()
                        .messages(UserMessage.from("the"))
                        .maxOutputTokens(400)
                        .build(),
                collector);
        for (int i = 0; i < 200 && EngineOfTests.ENGINE.counters().cancelled() == before; i++) {
            Thread.sleep(50);
        }
        assertThat(EngineOfTests.ENGINE.counters().cancelled()).isEqualTo(before + 1);
        assertThat(collector.complete).isNotDone();
        assertThat(collector.parts).hasSize(3);
    }

    @Test
    void schemasHold() {
        ResponseFormat format = ResponseFormat.builder()
                .type(ResponseFormatType.JSON)
                .jsonSchema(JsonSchema.builder()
                        .name("x")
                        .rootElement(JsonObjectSchema.builder()
                                .addProperty("n", new JsonIntegerSchema())
                                .addProperty("b", new JsonBooleanSchema())
                                .required("n", "b")
                                .build())
                        .build())
                .build();
        String text = MODEL.chat(ChatRequest.builder()
                        .messages(UserMessage.from("a"))
                        .responseFormat(format)
                        .maxOutputTokens(300)
                        .build())
                .aiMessage()
                .text();
        JsonNode value = JsonMapper.shared().readTree(text);
        assertThat(value.get("n").isIntegralNumber()).isTrue();
        assertThat(value.get("b").isBoolean()).isTrue();
    }

    @Test
    void aRequiredToolIsCalledWithArgumentsThatFit() throws Exception {
        ChatRequest request = ChatRequest.builder()
                .messages(UserMessage.from("a"))
                .toolSpecifications(WEATHER)
                .toolChoice(ToolChoice.REQUIRED)
                .maxOutputTokens(400)
                .build();
        ChatResponse response = MODEL.chat(request);
        assertThat(response.metadata().finishReason()).isEqualTo(FinishReason.TOOL_EXECUTION);
        ToolExecutionRequest call = response.aiMessage().toolExecutionRequests().getFirst();
        assertThat(call.name()).isEqualTo("weather");
        assertThat(JsonMapper.shared().readTree(call.arguments()).get("day").isIntegralNumber())
                .isTrue();
        // its result goes back to the model
        ChatResponse after = MODEL.chat(ChatRequest.builder()
                .messages(UserMessage.from("a"), response.aiMessage(), ToolExecutionResultMessage.from(call, "rain"))
                .toolSpecifications(WEATHER)
                .toolChoice(ToolChoice.NONE)
                .build());
        assertThat(after.aiMessage().hasToolExecutionRequests()).isFalse();
        Collector collector = new Collector(-1);
        STREAMING.chat(request, collector);
        assertThat(collector.complete.get(20, TimeUnit.SECONDS).aiMessage().hasToolExecutionRequests())
                .isTrue();
        assertThat(collector.calls).hasSize(1);
        assertThat(collector.parts).isEmpty();
    }

    @Test
    void refusesWhatItDoesNotDo() {
        assertThatThrownBy(() -> MODEL.chat(ChatRequest.builder()
                        .messages(UserMessage.from("a"))
                        .modelName("gpt")
                        .build()))
                .isInstanceOf(ModelNotFoundException.class)
                .hasMessageContaining("gpt");
        assertThatThrownBy(() -> MODEL.chat(UserMessage.from(ImageContent.from("http://127.0.0.1/cat.png"))))
                .isInstanceOf(UnsupportedFeatureException.class);
        assertThatThrownBy(() -> MODEL.chat(ChatRequest.builder()
                        .messages(UserMessage.from("a"))
                        .temperature(-1.0)
                        .build()))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("temperature");
        assertThatThrownBy(() -> MODEL.chat(UserMessage.from("the".repeat(2000))))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("context");
    }

    /** Notes what it hears, and cancels after some parts. */
    private static final class Collector implements StreamingChatResponseHandler {
        final List<String> parts = new ArrayList<>();
        final List<CompleteToolCall> calls = new ArrayList<>();
        final CompletableFuture<ChatResponse> complete = new CompletableFuture<>();
        private final int cancelAt;

        Collector(int cancelAt) {
            this.cancelAt = cancelAt;
        }

        @Override
        public void onPartialResponse(PartialResponse part, PartialResponseContext context) {
            parts.add(Objects.requireNonNull(part.text()));
            if (parts.size() == cancelAt) {
                context.streamingHandle().cancel();
            }
        }

        @Override
        public void onCompleteToolCall(CompleteToolCall call) {
            calls.add(call);
        }

        @Override
        public void onCompleteResponse(ChatResponse response) {
            complete.complete(response);
        }

        @Override
        public void onError(Throwable error) {
            complete.completeExceptionally(error);
        }
    }
}
