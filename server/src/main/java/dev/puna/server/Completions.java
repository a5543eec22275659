package dev.puna.server;

import dev.puna.inference.ChatMessage;
import dev.puna.inference.ChatPrompt;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.FinishReason;
import dev.puna.inference.GeneratedToken;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Grammar;
import dev.puna.inference.JsonSchema;
import dev.puna.inference.Sampling;
import dev.puna.inference.TokenConstraint;
import dev.puna.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/** Translates between OpenAI's completions and the engine's requests. */
final class Completions {
    /** Constraints that are kept compiled. */
    private static final int CONSTRAINTS = 64;

    private final Engine engine;
    private final Tokenizer tokenizer;
    private final Optional<ChatPrompt> chat;
    private final String model;
    private final Map<String, Grammar> constraints = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Grammar> eldest) {
            return size() > CONSTRAINTS;
        }
    };

    Completions(Engine engine, String model) {
        this.engine = engine;
        this.tokenizer = engine.tokenizer();
        this.model = model;
        this.chat = Optional.of(ChatPrompt.of(tokenizer));
    }

    /**
     * A request that was read.
     *
     * @param requests one for each prompt
     * @param stream whether tokens are sent as they come
     * @param usage whether the stream ends with the usage
     * @param echo whether the prompt is part of the text
     * @param logprobs whether log-probabilities are part of the answer
     */
    record Wanted(
            List<EngineRequest> requests,
            boolean stream,
            boolean usage,
            boolean echo,
            boolean logprobs,
            boolean isChat) {}

    void requireModel(Body body) {
        String wanted = body.text("model", model);
        if (!wanted.equals(model)) {
            throw new ApiException(
                    404,
                    "invalid_request_error",
                    "The model '" + wanted + "' does not exist; this server has '" + model + "'.",
                    "model",
                    "model_not_found");
        }
    }

    Wanted chat(Body body, String client) {
        requireModel(body);
        int[] prompt = chat.orElseThrow().encode(messages(body.value("messages")));
        int limit = body.count("max_tokens", Integer.MAX_VALUE, 0, Integer.MAX_VALUE);
        limit = body.count("max_completion_tokens", limit, 0, Integer.MAX_VALUE);
        boolean logprobs = body.flag("logprobs");
        int top = body.count("top_logprobs", 0, 0, 20);
        if (top > 0 && !logprobs) {
            throw ApiException.invalid("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.");
        }
        GenerationOptions options = options(body, limit);
        Optional<TokenConstraint> constraint = format(body);
        EngineRequest request = new EngineRequest(
                prompt,
                logprobs ? options.withLogProbabilities(top) : options,
                body.count("n", 1, 1, engine.options().maxSequences()),
                false,
                constraint,
                client);
        Wanted wanted = new Wanted(List.of(request), body.flag("stream"), usage(body), false, logprobs, true);
        body.end();
        return wanted;
    }

    Wanted completion(Body body, String client) {
        requireModel(body);
        List<int[]> prompts = prompts(body.value("prompt"), "prompt");
        boolean echo = body.flag("echo");
        boolean logprobs = body.value("logprobs") != null;
        int top = body.count("logprobs", 0, 0, 20);
        GenerationOptions options = options(body, body.count("max_tokens", 16, 0, Integer.MAX_VALUE));
        int choices = body.count("n", 1, 1, engine.options().maxSequences());
        body.count("best_of", choices, choices, choices);
        boolean stream = body.flag("stream");
        if (stream && prompts.size() > 1) {
            throw ApiException.invalid("stream", "One prompt at a time can be streamed.");
        }
        if (stream && echo) {
            throw ApiException.invalid("echo", "'echo' cannot be streamed.");
        }
        List<EngineRequest> requests = new ArrayList<>();
        for (int[] prompt : prompts) {
            requests.add(new EngineRequest(
                    prompt,
                    logprobs ? options.withLogProbabilities(top) : options,
                    choices,
                    echo && logprobs,
                    Optional.empty(),
                    client));
        }
        Wanted wanted = new Wanted(requests, stream, usage(body), echo, logprobs, false);
        body.end();
        return wanted;
    }

    private boolean usage(Body body) {
        Map<?, ?> options = body.object("stream_options");
        if (options == null) {
            return false;
        }
        Body inner = new Body(options);
        boolean usage = inner.flag("include_usage");
        inner.end();
        return usage;
    }

    private GenerationOptions options(Body body, int limit) {
        body.text("user", "");
        Map<Integer, Double> bias = new LinkedHashMap<>();
        Map<?, ?> biases = body.object("logit_bias");
        if (biases != null) {
            biases.forEach((id, value) -> {
                if (!String.valueOf(id).matches("[0-9]{1,9}") || !(value instanceof Number number)) {
                    throw ApiException.invalid("logit_bias", "'logit_bias' maps token ids to numbers.");
                }
                bias.put(Integer.valueOf(String.valueOf(id)), number.doubleValue());
            });
        }
        Sampling sampling = Sampling.GREEDY
                .withTemperature(body.number("temperature", 1, 0, 2))
                .withTopP(body.number("top_p", 1, Double.MIN_NORMAL, 1))
                .withTopK(body.count("top_k", 0, 0, Integer.MAX_VALUE))
                .withMinP(body.number("min_p", 0, 0, 1))
                .withRepetitionPenalty(body.number("repetition_penalty", 1, 0.01, 100))
                .withPresencePenalty(body.number("presence_penalty", 0, -2, 2))
                .withFrequencyPenalty(body.number("frequency_penalty", 0, -2, 2))
                .withSeed(body.whole(
                        "seed", () -> ThreadLocalRandom.current().nextLong(), Long.MIN_VALUE, Long.MAX_VALUE))
                .withLogitBias(bias);
        return GenerationOptions.DEFAULT
                .withMaxTokens(limit)
                .withSampling(sampling)
                .withStop(body.texts("stop").toArray(String[]::new));
    }

    private Optional<TokenConstraint> format(Body body) {
        Map<?, ?> format = body.object("response_format");
        if (format == null) {
            return Optional.empty();
        }
        Body inner = new Body(format);
        String gbnf = switch (inner.text("type", "")) {
            case "text" -> "";
            case "json_object" -> JsonSchema.anyObject();
            case "json_schema" -> {
                Map<?, ?> described = inner.object("json_schema");
                if (described == null || !(described.get("schema") instanceof Map<?, ?> schema)) {
                    throw ApiException.invalid("response_format", "'json_schema.schema' must be an object.");
                }
                yield JsonSchema.grammar(schema);
            }
            default ->
                throw ApiException.invalid("response_format", "'type' must be text, json_object or json_schema.");
        };
        inner.end();
        if (gbnf.isEmpty()) {
            return Optional.empty();
        }
        synchronized (constraints) {
            return Optional.of(constraints.computeIfAbsent(
                    gbnf,
                    text -> Grammar.compile(text, tokenizer, engine.config().vocabularySize())));
        }
    }

    private static List<ChatMessage> messages(@Nullable Object value) {
        if (!(value instanceof List<?> list) || list.isEmpty()) {
            throw ApiException.invalid("messages", "'messages' must be a list of messages.");
        }
        List<ChatMessage> messages = new ArrayList<>();
        for (Object each : list) {
            if (!(each instanceof Map<?, ?> map)) {
                throw ApiException.invalid("messages", "A message must be an object.");
            }
            Body message = new Body(map);
            String role = message.text("role", "");
            if (!Set.of("system", "developer", "user", "assistant").contains(role)) {
                throw ApiException.invalid("messages", "'role' must be system, developer, user or assistant.");
            }
            messages.add(
                    new ChatMessage(role.equals("developer") ? "system" : role, content(message.value("content"))));
            message.text("name", "");
            message.end();
        }
        return messages;
    }

    private static String content(@Nullable Object value) {
        if (value instanceof String text) {
            return text;
        }
        if (!(value instanceof List<?> parts)) {
            throw ApiException.invalid("messages", "'content' must be a string or a list of text parts.");
        }
        StringBuilder text = new StringBuilder();
        for (Object part : parts) {
            if (part instanceof Map<?, ?> map
                    && "text".equals(map.get("type"))
                    && map.get("text") instanceof String piece) {
                text.append(piece);
            } else {
                throw ApiException.invalid("messages", "Only parts of type text are supported.");
            }
        }
        return text.toString();
    }

    /** A string, ids, or a list of either. */
    List<int[]> prompts(@Nullable Object value, String name) {
        if (value instanceof String text) {
            return List.of(engine.encodePrompt(text));
        }
        if (value instanceof List<?> list && !list.isEmpty()) {
            if (list.stream().allMatch(Integer.class::isInstance)) {
                return List.of(list.stream().mapToInt(id -> (Integer) id).toArray());
            }
            List<int[]> prompts = new ArrayList<>();
            for (Object each : list) {
                if (each instanceof List<?> || each instanceof String) {
                    prompts.addAll(prompts(each, name));
                } else {
                    throw ApiException.invalid(name, "'" + name + "' mixes texts and token ids.");
                }
            }
            return prompts;
        }
        throw ApiException.invalid(name, "'" + name + "' must be a string, a list of token ids, or a list of these.");
    }

    Map<String, Object> usage(List<EngineResult> results) {
        int prompt = 0;
        int cached = 0;
        int completion = 0;
        for (EngineResult result : results) {
            prompt += result.usage().promptTokens();
            cached += result.usage().cachedTokens();
            completion += result.usage().completionTokens();
        }
        return ordered(
                "prompt_tokens",
                prompt,
                "completion_tokens",
                completion,
                "total_tokens",
                prompt + completion,
                "prompt_tokens_details",
                Map.of("cached_tokens", cached));
    }

    Map<String, Object> answer(Wanted wanted, List<EngineResult> results, String id, long created) {
        List<Object> choices = new ArrayList<>();
        for (EngineResult result : results) {
            for (GenerationResult choice : result.choices()) {
                choices.add(
                        wanted.isChat
                                ? ordered(
                                        "index",
                                        choices.size(),
                                        "message",
                                        ordered("role", "assistant", "content", choice.text()),
                                        "logprobs",
                                        wanted.logprobs ? chatLogprobs(choice.tokens()) : null,
                                        "finish_reason",
                                        reason(choice.finishReason()))
                                : ordered(
                                        "index",
                                        choices.size(),
                                        "text",
                                        (wanted.echo ? tokenizer.decode(choice.promptIds()) : "") + choice.text(),
                                        "logprobs",
                                        wanted.logprobs ? textLogprobs(wanted.echo, result, choice) : null,
                                        "finish_reason",
                                        reason(choice.finishReason())));
            }
        }
        return ordered(
                "id",
                id,
                "object",
                wanted.isChat ? "chat.completion" : "text_completion",
                "created",
                created,
                "model",
                model,
                "choices",
                choices,
                "usage",
                usage(results));
    }

    static @Nullable String reason(FinishReason reason) {
        return switch (reason) {
            case STOP -> "stop";
            case LENGTH -> "length";
            case CANCELLED -> "cancelled";
        };
    }

    Map<String, Object> chatLogprobs(List<GeneratedToken> tokens) {
        List<Object> content = new ArrayList<>();
        for (GeneratedToken token : tokens) {
            if (!isEnd(token.id())) {
                List<Object> top = new ArrayList<>();
                for (GeneratedToken.Alternative alternative : token.alternatives()) {
                    top.add(logprob(alternative.id(), alternative.logProbability()));
                }
                Map<String, Object> entry =
                        logprob(token.id(), token.logProbability().orElse(Double.NaN));
                entry.put("top_logprobs", top);
                content.add(entry);
            }
        }
        return ordered("content", content);
    }

    private Map<String, Object> logprob(int id, double logProbability) {
        List<Integer> bytes = new ArrayList<>();
        for (byte b : bytes(id)) {
            bytes.add(b & 0xFF);
        }
        return ordered("token", name(id), "logprob", finite(logProbability), "bytes", bytes);
    }

    /** JSON has no infinity. */
    private static double finite(double logProbability) {
        return Math.max(logProbability, -9999);
    }

    private byte[] bytes(int id) {
        return id < tokenizer.vocabularySize() ? tokenizer.bytes(id) : new byte[0];
    }

    private boolean isEnd(int id) {
        return tokenizer.specialTokens().endsGeneration(id);
    }

    private String name(int id) {
        byte[] bytes = bytes(id);
        return bytes.length == 0 && id < tokenizer.vocabularySize()
                ? tokenizer.piece(id)
                : new String(bytes, StandardCharsets.UTF_8);
    }

    private Map<String, Object> textLogprobs(boolean echo, EngineResult result, GenerationResult choice) {
        List<String> names = new ArrayList<>();
        List<@Nullable Double> logprobs = new ArrayList<>();
        List<@Nullable Object> top = new ArrayList<>();
        List<Integer> offsets = new ArrayList<>();
        int offset = 0;
        if (echo) {
            names.add(name(choice.promptIds()[0]));
            logprobs.add(null);
            top.add(null);
            offsets.add(0);
            offset = names.getFirst().length();
        }
        List<GeneratedToken> tokens = new ArrayList<>(echo ? result.promptTokens() : List.of());
        tokens.addAll(choice.tokens());
        for (GeneratedToken token : tokens) {
            names.add(name(token.id()));
            logprobs.add(finite(token.logProbability().orElse(Double.NaN)));
            Map<String, Double> alternatives = new LinkedHashMap<>();
            for (GeneratedToken.Alternative alternative : token.alternatives()) {
                alternatives.putIfAbsent(name(alternative.id()), finite(alternative.logProbability()));
            }
            top.add(alternatives);
            offsets.add(offset);
            offset += names.getLast().length();
        }
        return ordered("tokens", names, "token_logprobs", logprobs, "top_logprobs", top, "text_offset", offsets);
    }

    static Map<String, Object> ordered(@Nullable Object... namesAndValues) {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            map.put(String.valueOf(namesAndValues[i]), namesAndValues[i + 1]);
        }
        return cast(map);
    }

    @SuppressWarnings({"unchecked", "NullAway"}) // a JSON object may hold null
    private static Map<String, Object> cast(Map<String, ?> map) {
        return (Map<String, Object>) map;
    }
}
