package dev.puna.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.internal.JsonSchemaElementUtils;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.ChatResponseMetadata;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import dev.puna.inference.ChatPrompt;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.Generation;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Grammar;
import dev.puna.inference.JsonSchema;
import dev.puna.inference.Sampling;
import dev.puna.inference.Submission;
import dev.puna.inference.TokenConstraint;
import dev.puna.inference.Tool;
import dev.puna.inference.ToolCall;
import dev.puna.inference.ToolCalling;
import dev.puna.tensor.ConfigurationException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/** LangChain4j's requests as the engine's, and its results as LangChain4j's answers. For any number of threads. */
final class Conversation {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /** Compiled grammars that are kept. */
    private static final int GRAMMARS = 64;

    private final Engine engine;
    private final String modelName;
    private final ChatPrompt prompt;
    private final Map<String, TokenConstraint> grammars = new LinkedHashMap<>(16, 0.75f, true); // guarded by itself

    Conversation(Engine engine, String modelName) {
        this.engine = engine;
        this.modelName = modelName;
        this.prompt = ChatPrompt.of(engine.tokenizer());
    }

    /**
     * A request that the engine has taken.
     *
     * @param tools the functions that the answer may call
     * @param modelName what answers: the model, or one of its adapters
     */
    record Asked(Generation generation, List<Tool> tools, String modelName) {}

    /**
     * Hands a request to the engine.
     *
     * @throws ModelNotFoundException if it names a model that is neither this one nor an adapter of it
     * @throws UnsupportedFeatureException if it asks for what Puna does not do
     * @throws InvalidRequestException if a parameter has an impossible value, or the conversation fills the context
     * @throws RateLimitException if too many wait already
     */
    Asked ask(ChatRequest request) {
        String name = request.modelName() == null ? modelName : request.modelName();
        if (!name.equals(modelName) && engine.adapter(name).isEmpty()) {
            throw new ModelNotFoundException("there is no model " + name + "; there are " + modelName + " and its"
                    + " adapters " + engine.adapterNames());
        }
        List<Tool> tools = tools(request);
        try {
            int[] ids = prompt.encode(messages(request.messages()), tools.isEmpty() ? null : forTemplate(tools));
            EngineRequest asked = EngineRequest.of(ids, options(request));
            Optional<String> grammar = grammar(request, tools);
            if (grammar.isPresent()) {
                asked = asked.withConstraint(compiled(grammar.get()));
            }
            if (!name.equals(modelName)) {
                asked = asked.withAdapter(engine.adapter(name).orElseThrow());
            }
            return switch (engine.submit(asked)) {
                case Submission.Accepted(Generation generation) -> new Asked(generation, tools, name);
                case Submission.QueueFull(int limit, Duration retryAfter) ->
                    throw new RateLimitException(
                            limit + " requests wait already; try again in " + retryAfter.toSeconds() + " s");
            };
        } catch (ConfigurationException e) {
            throw new InvalidRequestException(String.valueOf(e.getMessage()), e);
        }
    }

    private static List<Map<String, ?>> forTemplate(List<Tool> tools) {
        List<Map<String, ?>> shown = new ArrayList<>();
        tools.forEach(tool -> shown.add(tool.forTemplate()));
        return shown;
    }

    private List<Tool> tools(ChatRequest request) {
        List<Tool> tools = new ArrayList<>();
        if (request.toolSpecifications() == null || request.toolChoice() == ToolChoice.NONE) {
            return tools;
        }
        for (ToolSpecification each : request.toolSpecifications()) {
            Map<String, ?> parameters = each.parameters() == null
                    ? Map.of("type", "object", "properties", Map.of())
                    : JsonSchemaElementUtils.toMap(each.parameters());
            String description = each.description() == null ? "" : each.description();
            tools.add(new Tool(each.name(), description, parameters, Boolean.TRUE.equals(each.strict())));
        }
        if (!tools.isEmpty() && !prompt.showsTools()) {
            throw new UnsupportedFeatureException("the chat template of " + modelName + " shows no tools to the model");
        }
        return tools;
    }

    private static List<Map<String, ?>> messages(List<ChatMessage> messages) {
        List<Map<String, ?>> all = new ArrayList<>();
        for (ChatMessage message : messages) {
            switch (message) {
                case SystemMessage system -> all.add(Map.of("role", "system", "content", system.text()));
                case UserMessage user -> all.add(Map.of("role", "user", "content", text(user.contents())));
                case ToolExecutionResultMessage result ->
                    all.add(Map.of("role", "tool", "name", result.toolName(), "content", text(result.contents())));
                case AiMessage answer -> {
                    Map<String, Object> said = new LinkedHashMap<>();
                    said.put("role", "assistant");
                    said.put("content", answer.text() == null ? "" : answer.text());
                    if (answer.hasToolExecutionRequests()) {
                        List<Map<String, ?>> calls = new ArrayList<>();
                        for (ToolExecutionRequest call : answer.toolExecutionRequests()) {
                            Map<String, ?> function =
                                    Map.of("name", call.name(), "arguments", object(call.arguments(), "arguments"));
                            calls.add(Map.of("type", "function", "function", function));
                        }
                        said.put("tool_calls", calls);
                    }
                    all.add(said);
                }
                default -> throw new UnsupportedFeatureException("messages of type " + message.type());
            }
        }
        return all;
    }

    private static String text(List<Content> contents) {
        StringBuilder text = new StringBuilder();
        for (Content content : contents) {
            if (!(content instanceof TextContent part)) {
                throw new UnsupportedFeatureException("a LLaMA reads text, no content of type " + content.type());
            }
            text.append(text.isEmpty() ? "" : "\n").append(part.text());
        }
        return text.toString();
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(@Nullable String json, String what) {
        if (json == null || json.isBlank()) {
            return Map.of();
        }
        try {
            return JSON.readValue(json, Map.class);
        } catch (JacksonException e) {
            throw new InvalidRequestException(what + " are no JSON object: " + json, e);
        }
    }

    private GenerationOptions options(ChatRequest request) {
        Sampling sampling = Sampling.DEFAULT;
        if (request.temperature() != null) {
            sampling = sampling.withTemperature(request.temperature());
        }
        if (request.topP() != null) {
            sampling = sampling.withTopP(request.topP());
        }
        if (request.topK() != null) {
            sampling = sampling.withTopK(request.topK());
        }
        if (request.frequencyPenalty() != null) {
            sampling = sampling.withFrequencyPenalty(request.frequencyPenalty());
        }
        if (request.presencePenalty() != null) {
            sampling = sampling.withPresencePenalty(request.presencePenalty());
        }
        GenerationOptions options = GenerationOptions.DEFAULT
                .withSampling(sampling)
                .withMaxTokens(request.maxOutputTokens() == null ? engine.contextLength() : request.maxOutputTokens());
        return request.stopSequences() == null
                ? options
                : options.withStop(request.stopSequences().toArray(new String[0]));
    }

    /** What the answer must look like. */
    private Optional<String> grammar(ChatRequest request, List<Tool> tools) {
        ResponseFormat format = request.responseFormat();
        boolean json = format != null && format.type() == ResponseFormatType.JSON;
        Map<String, ?> schema = json && format.jsonSchema() != null ? schema(format) : null;
        if (tools.isEmpty()) {
            return !json
                    ? Optional.empty()
                    : Optional.of(schema == null ? JsonSchema.anyObject() : JsonSchema.grammar(schema));
        }
        if (request.toolChoice() == ToolChoice.REQUIRED) {
            return Optional.of(ToolCalling.grammarOfCall(tools));
        }
        if (json) {
            return Optional.of(ToolCalling.grammarOfCallOr(tools, schema == null ? Map.of("type", "object") : schema));
        }
        return Optional.of(ToolCalling.grammarOfCallOrText(tools));
    }

    private static Map<String, ?> schema(ResponseFormat format) {
        return format.jsonSchema().rootElement() instanceof JsonRawSchema raw
                ? object(raw.schema(), "schemas")
                : JsonSchemaElementUtils.toMap(format.jsonSchema().rootElement());
    }

    private TokenConstraint compiled(String grammar) {
        synchronized (grammars) {
            TokenConstraint known = grammars.get(grammar);
            if (known == null) {
                known = Grammar.compile(
                        grammar, engine.tokenizer(), engine.config().vocabularySize());
                grammars.put(grammar, known);
                if (grammars.size() > GRAMMARS) {
                    grammars.remove(grammars.keySet().iterator().next());
                }
            }
            return known;
        }
    }

    /** What the engine said, in LangChain4j's words. */
    static ChatResponse answer(Asked asked, EngineResult result) {
        GenerationResult first = result.first();
        List<ToolExecutionRequest> calls = new ArrayList<>();
        if (!asked.tools().isEmpty()) {
            for (ToolCall call : ToolCalling.parse(first.text(), asked.tools())) {
                calls.add(ToolExecutionRequest.builder()
                        .id("call_" + UUID.randomUUID())
                        .name(call.name())
                        .arguments(call.arguments())
                        .build());
            }
        }
        AiMessage message = calls.isEmpty()
                ? AiMessage.from(first.text())
                : AiMessage.builder().toolExecutionRequests(calls).build();
        FinishReason reason = switch (first.finishReason()) {
            case STOP -> calls.isEmpty() ? FinishReason.STOP : FinishReason.TOOL_EXECUTION;
            case LENGTH -> FinishReason.LENGTH;
            case CANCELLED -> FinishReason.OTHER;
        };
        EngineResult.Usage usage = result.usage();
        return ChatResponse.builder()
                .aiMessage(message)
                .metadata(ChatResponseMetadata.builder()
                        .id("puna-" + UUID.randomUUID())
                        .modelName(asked.modelName())
                        .tokenUsage(new TokenUsage(usage.promptTokens(), usage.completionTokens()))
                        .finishReason(reason)
                        .build())
                .build();
    }
}
