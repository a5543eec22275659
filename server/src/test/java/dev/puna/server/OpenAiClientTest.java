package dev.puna.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.ResponseFormatJsonSchema;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** OpenAI's own client (com.openai:openai-java) against this server; what it cannot read, it refuses. */
@Timeout(400)
class OpenAiClientTest {
    @TempDir
    static Path directory;

    private static Engine engine;
    private static PunaServer server;
    private static OpenAIClient client;

    @BeforeAll
    static void start() throws IOException {
        engine = Engine.load(
                TinyModel.write(directory.resolve("random.gguf"), 4096),
                EngineOptions.defaults()
                        .withModel(LlamaOptions.defaults().withThreads(2))
                        .withPageLength(8));
        server = PunaServer.start(engine, ServerOptions.of("tiny").withPort(0).withApiKey("secret"));
        client = client("secret");
    }

    private static OpenAIClient client(String key) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(server.address() + "/v1")
                .apiKey(key)
                .maxRetries(0)
                .responseValidation(true) // what does not fit OpenAI's own schema throws
                .build();
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
        engine.close();
    }

    private static ChatCompletionCreateParams.Builder chat() {
        return ChatCompletionCreateParams.builder()
                .model("tiny")
                .addSystemMessage("the")
                .addUserMessage("a")
                .putAdditionalBodyProperty("seed", JsonValue.from(3))
                .maxCompletionTokens(20);
    }

    @Test
    void chatWholeAndStreamedAlike() {
        ChatCompletion whole = client.chat()
                .completions()
                .create(chat().n(2).logprobs(true).topLogprobs(3).build());
        assertThat(whole.choices()).hasSize(2);
        assertThat(whole.usage().orElseThrow().completionTokens()).isBetween(2L, 40L);
        assertThat(whole.choices()
                        .getFirst()
                        .logprobs()
                        .orElseThrow()
                        .content()
                        .orElseThrow()
                        .getFirst()
                        .topLogprobs())
                .hasSize(3);
        try (StreamResponse<ChatCompletionChunk> stream = client.chat()
                .completions()
                .createStreaming(chat().streamOptions(ChatCompletionStreamOptions.builder()
                                .includeUsage(true)
                                .build())
                        .build())) {
            List<ChatCompletionChunk> chunks = stream.stream().toList();
            String text = chunks.stream()
                    .flatMap(chunk -> chunk.choices().stream())
                    .map(choice -> choice.delta().content().orElse(""))
                    .collect(Collectors.joining());
            assertThat(text)
                    .isEqualTo(whole.choices().getFirst().message().content().orElseThrow());
            assertThat(chunks.getLast().usage().orElseThrow().promptTokens())
                    .isEqualTo(whole.usage().orElseThrow().promptTokens());
        }
    }

    private static FunctionDefinition weather() {
        return FunctionDefinition.builder()
                .name("weather")
                .description("Today's weather")
                .parameters(FunctionParameters.builder()
                        .putAdditionalProperty("type", JsonValue.from("object"))
                        .putAdditionalProperty(
                                "properties",
                                JsonValue.from(Map.of("unit", Map.of("type", "string", "enum", List.of("C", "F")))))
                        .putAdditionalProperty("required", JsonValue.from(List.of("unit")))
                        .build())
                .build();
    }

    @Test
    void aRequiredCallFitsItsSchemaAndItsResultComesBack() {
        ChatCompletion asked = client.chat()
                .completions()
                .create(chat().maxCompletionTokens(200)
                        .addFunctionTool(weather())
                        .toolChoice(ChatCompletionToolChoiceOption.Auto.REQUIRED)
                        .build());
        ChatCompletion.Choice choice = asked.choices().getFirst();
        assertThat(choice.finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.TOOL_CALLS);
        ChatCompletionMessageFunctionToolCall call =
                choice.message().toolCalls().orElseThrow().getFirst().asFunction();
        assertThat(call.function().name()).isEqualTo("weather");
        JsonNode arguments = JsonMapper.shared().readTree(call.function().arguments());
        assertThat(arguments.get("unit").asString()).isIn("C", "F");
        ChatCompletion told = client.chat()
                .completions()
                .create(chat().addFunctionTool(weather())
                        .toolChoice(ChatCompletionToolChoiceOption.Auto.NONE)
                        .addMessage(choice.message())
                        .addMessage(com.openai.models.chat.completions.ChatCompletionToolMessageParam.builder()
                                .toolCallId(call.id())
                                .content("19")
                                .build())
                        .build());
        assertThat(told.usage().orElseThrow().promptTokens())
                .isGreaterThan(asked.usage().orElseThrow().promptTokens() - 200);
        assertThat(told.choices().getFirst().message().toolCalls()).isEmpty();
    }

    @Test
    void answersFollowASchema() {
        ChatCompletion answer = client.chat()
                .completions()
                .create(chat().maxCompletionTokens(200)
                        .responseFormat(ResponseFormatJsonSchema.builder()
                                .jsonSchema(ResponseFormatJsonSchema.JsonSchema.builder()
                                        .name("n")
                                        .schema(ResponseFormatJsonSchema.JsonSchema.Schema.builder()
                                                .putAdditionalProperty("type", JsonValue.from("object"))
                                                .putAdditionalProperty(
                                                        "properties",
                                                        JsonValue.from(Map.of("b", Map.of("type", "boolean"))))
                                                .putAdditionalProperty("required", JsonValue.from(List.of("b")))
                                                .build())
                                        .build())
                                .build())
                        .build());
        JsonNode value = JsonMapper.shared()
                .readTree(answer.choices().getFirst().message().content().orElseThrow());
        assertThat(value.get("b").isBoolean()).isTrue();
    }

    @Test
    void completionsEmbeddingsModels() {
        Completion completion = client.completions()
                .create(CompletionCreateParams.builder()
                        .model("tiny")
                        .promptOfArrayOfTokens(List.of(1L, 260L, 261L))
                        .maxTokens(4)
                        .logprobs(2)
                        .seed(1)
                        .build());
        assertThat(completion
                        .choices()
                        .getFirst()
                        .logprobs()
                        .orElseThrow()
                        .tokens()
                        .orElseThrow())
                .hasSizeBetween(1, 4);
        CreateEmbeddingResponse embeddings = client.embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model("tiny")
                        .inputOfArrayOfStrings(List.of("the", "a he"))
                        .build());
        assertThat(embeddings.data()).hasSize(2);
        double squares = 0;
        for (float each : embeddings.data().getFirst().embedding()) {
            squares += each * each;
        }
        assertThat(squares).isCloseTo(1, org.assertj.core.api.Assertions.within(1e-5)); // of rounding to float
        assertThat(client.models().list().data().getFirst().id()).isEqualTo("tiny");
        assertThat(client.models().retrieve("tiny").id()).isEqualTo("tiny");
    }

    @Test
    void refusalsAreTheClientsOwnExceptions() {
        assertThatThrownBy(() ->
                        client.chat().completions().create(chat().model("gpt-5").build()))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("gpt-5");
        assertThatThrownBy(() -> client.chat()
                        .completions()
                        .create(chat().putAdditionalBodyProperty("wish", JsonValue.from(1))
                                .build()))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("wish");
        OpenAIClient stranger = client("wrong");
        assertThatThrownBy(() -> stranger.models().list()).isInstanceOf(UnauthorizedException.class);
        stranger.close();
    }
}
