package dev.puna.server;

import static dev.puna.server.Json.object;

import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.FinishReason;
import dev.puna.inference.GeneratedToken;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Pooling;
import dev.puna.inference.Sampling;
import dev.puna.inference.TokenEvent;
import dev.puna.inference.Tool;
import dev.puna.inference.ToolCall;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * OpenAI's API: chat, completions, embeddings, models.
 *
 * @see <a href="https://platform.openai.com/docs/api-reference">its reference</a>
 */
final class OpenAiApi {
    private static final int TOP_LOGPROBS = 20;
    private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant", "tool");

    private final ServedModel model;
    private final long created = Instant.now().getEpochSecond();

    OpenAiApi(ServedModel model) {
        this.model = model;
    }

    // ------------------------------------------------------------------------------------------------ models

    Map<String, Object> models() {
        return object(
                "object",
                "list",
                "data",
                model.names().stream().map(this::describe).toList());
    }

    Map<String, Object> model(String name) {
        return describe(model.variant(name).name());
    }

    /** An adapter says what it is added to. */
    private Map<String, Object> describe(String name) {
        Map<String, Object> described = object(
                "id",
                name,
                "object",
                "model",
                "created",
                created,
                "owned_by",
                "puna",
                "context_length",
                model.engine.contextLength(),
                "chat",
                model.isChatModel());
        if (!name.equals(model.name)) {
            described.put("parent", model.name);
        }
        return described;
    }

    // ------------------------------------------------------------------------------------------------ chat

    void chat(Exchange exchange) throws InterruptedException, IOException {
        Body body = exchange.body();
        ServedModel.Variant variant = model.variant(body);
        boolean logprobs = body.flag("logprobs", false);
        int top = body.count("top_logprobs", 0, 0, TOP_LOGPROBS);
        if (top > 0 && !logprobs) {
            throw ApiException.invalid("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.");
        }
        int limit = body.count("max_tokens", Integer.MAX_VALUE, 0, Integer.MAX_VALUE);
        limit = body.count("max_completion_tokens", limit, 0, Integer.MAX_VALUE);
        GenerationOptions options = options(body, limit);
        List<Tool> tools = tools(body);
        Chat chat = new Chat(
                variant,
                messages(body),
                tools,
                toolChoice(body, tools),
                body.flag("parallel_tool_calls", true),
                format(body),
                logprobs ? options.withLogProbabilities(top) : options,
                body.count("n", 1, 1, model.engine.options().maxSequences()),
                exchange.client());
        boolean stream = body.flag("stream", false);
        boolean usage = usageWanted(body, stream);
        body.only("modalities", List.of("text")).end();
        Frame frame = new Frame(
                "chatcmpl-" + UUID.randomUUID(), stream ? "chat.completion.chunk" : "chat.completion", variant.name());
        try (Running running = Running.submit(model.engine, List.of(model.request(chat)))) {
            if (stream) {
                streamChat(exchange, running, chat, frame, logprobs, usage);
            } else {
                EngineResult result = running.await(exchange).getFirst();
                List<Object> choices = new ArrayList<>();
                for (GenerationResult choice : result.choices()) {
                    choices.add(chatChoice(chat, choice, choices.size(), logprobs));
                }
                Map<String, Object> answer = frame.with(choices);
                answer.put("usage", usage(List.of(result)));
                exchange.send(answer);
            }
        }
    }

    private Map<String, Object> chatChoice(Chat chat, GenerationResult result, int index, boolean logprobs) {
        Answer.End answer = Answer.whole(chat, result.text());
        Map<String, Object> message = object(
                "role", "assistant", "content", answer.calls().isEmpty() ? answer.text() : null, "refusal", null);
        if (!answer.calls().isEmpty()) {
            List<Object> calls = new ArrayList<>();
            answer.calls().forEach(call -> calls.add(call(call)));
            message.put("tool_calls", calls);
        }
        return object(
                "index",
                index,
                "message",
                message,
                "logprobs",
                logprobs ? chatLogprobs(result.tokens()) : null,
                "finish_reason",
                answer.calls().isEmpty() ? reason(result.finishReason()) : "tool_calls");
    }

    private static Map<String, Object> call(ToolCall call) {
        return object(
                "id",
                "call_" + UUID.randomUUID().toString().replace("-", ""),
                "type",
                "function",
                "function",
                object("name", call.name(), "arguments", call.arguments()));
    }

    private void streamChat(Exchange exchange, Running running, Chat chat, Frame frame, boolean logprobs, boolean usage)
            throws InterruptedException, IOException {
        running.listen();
        exchange.stream("text/event-stream");
        Map<Integer, Answer> answers = new HashMap<>();
        for (Optional<Running.Event> next = running.next(exchange); next.isPresent(); next = running.next(exchange)) {
            TokenEvent event = next.get().token().orElseThrow();
            Optional<FinishReason> finish = event.finishReason();
            if (finish.equals(Optional.of(FinishReason.CANCELLED))) {
                break;
            }
            int index = event.choice();
            Answer answer = answers.get(index);
            Map<String, Object> delta = object();
            if (answer == null) {
                answer = new Answer(chat);
                answers.put(index, answer);
                delta.put("role", "assistant");
                delta.put("content", "");
            }
            String text = answer.accept(event.text());
            @Nullable String reason = finish.map(OpenAiApi::reason).orElse(null);
            if (finish.isPresent()) {
                Answer.End end = answer.end();
                text += end.text();
                if (!end.calls().isEmpty()) {
                    List<Object> calls = new ArrayList<>();
                    for (ToolCall call : end.calls()) {
                        Map<String, Object> one = object("index", calls.size());
                        one.putAll(call(call));
                        calls.add(one);
                    }
                    delta.put("tool_calls", calls);
                    reason = "tool_calls";
                }
            }
            if (!text.isEmpty()) {
                delta.put("content", text);
            }
            if (!delta.isEmpty() || finish.isPresent() || logprobs) {
                exchange.write(Exchange.event(frame.chunk(
                        object(
                                "index", index,
                                "delta", delta,
                                "logprobs", logprobs ? chatLogprobs(List.of(event.token())) : null,
                                "finish_reason", reason),
                        usage)));
            }
        }
        end(exchange, running, frame, usage);
    }

    /** The last parts of a stream. */
    private static void end(Exchange exchange, Running running, Frame frame, boolean usage)
            throws InterruptedException, IOException {
        List<EngineResult> results = running.await(exchange);
        if (usage) {
            Map<String, Object> last = frame.with(List.of());
            last.put("usage", usage(results));
            exchange.write(Exchange.event(last));
        }
        exchange.write("data: [DONE]\n\n");
        exchange.finish();
    }

    /**
     * What every answer, and every part of one, begins with.
     *
     * @param kind OpenAI's name for such an object
     * @param model as it was asked for
     */
    private record Frame(String id, String kind, String model) {
        Map<String, Object> with(List<Object> choices) {
            return object(
                    "id", id,
                    "object", kind,
                    "created", Instant.now().getEpochSecond(),
                    "model", model,
                    "choices", choices);
        }

        Map<String, Object> chunk(Object choice, boolean usage) {
            Map<String, Object> chunk = with(List.of(choice));
            if (usage) {
                chunk.putAll(object("usage", null));
            }
            return chunk;
        }
    }

    private static boolean usageWanted(Body body, boolean stream) {
        Body options = body.object("stream_options");
        if (options == null) {
            return false;
        }
        if (!stream) {
            throw ApiException.invalid("stream_options", "'stream_options' needs 'stream' to be true.");
        }
        boolean usage = options.flag("include_usage", false);
        options.only("include_obfuscation", false).end();
        return usage;
    }

    private static List<Map<String, Object>> messages(Body body) {
        List<Body> given = body.objects("messages");
        if (given.isEmpty()) {
            throw ApiException.invalid("messages", "'messages' must be a list of messages.");
        }
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Body message : given) {
            String role = message.text("role", "");
            if (!ROLES.contains(role)) {
                throw ApiException.invalid(
                        "messages", "'" + message.place("role") + "' must be one of " + String.join(", ", ROLES) + ".");
            }
            List<Body> calls = role.equals("assistant") ? message.objects("tool_calls") : List.of();
            String content = calls.isEmpty() || message.has("content") ? content(message, "content") : "";
            Map<String, Object> shown = object("role", role.equals("developer") ? "system" : role, "content", content);
            if (!calls.isEmpty()) {
                shown.put("tool_calls", calls.stream().map(OpenAiApi::pastCall).toList());
            }
            if (role.equals("tool")) {
                shown.put("tool_call_id", message.requiredText("tool_call_id"));
            }
            String name = message.text("name", "");
            if (!name.isEmpty()) {
                shown.put("name", name);
            }
            message.only("refusal", "").without("annotations").end();
            messages.add(shown);
        }
        return messages;
    }

    /** A call that the model asked for before, as templates read it: arguments are an object, not text. */
    private static Map<String, Object> pastCall(Body call) {
        call.only("type", "function").without("index");
        Body function = Body.of(call.place("function"), call.value("function"));
        String arguments = function.text("arguments", "{}");
        Map<String, Object> shown = object(
                "id", call.text("id", ""),
                "type", "function",
                "function", object("name", function.requiredText("name"), "arguments", arguments(function, arguments)));
        function.end();
        call.end();
        return shown;
    }

    private static Map<?, ?> arguments(Body function, String text) {
        try {
            return text.isBlank() ? Map.of() : Json.readObject(text);
        } catch (JacksonException e) {
            throw ApiException.invalid(
                    function.place("arguments"),
                    "'" + function.place("arguments") + "' must be a JSON object as text.");
        }
    }

    private static String content(Body message, String field) {
        Object value = message.value(field);
        if (value instanceof String text) {
            return text;
        }
        if (!(value instanceof List<?>)) {
            throw message.invalid(field, "a string or a list of text parts");
        }
        StringBuilder text = new StringBuilder();
        for (Body part : message.objects(field)) {
            if (!part.text("type", "").equals("text")) {
                throw ApiException.unsupported(part.place("type"), "only parts of type text are understood.");
            }
            text.append(part.requiredText("text"));
            part.end();
        }
        return text.toString();
    }

    private static List<Tool> tools(Body body) {
        List<Tool> tools = new ArrayList<>();
        for (Body tool : body.objects("tools")) {
            if (!tool.text("type", "").equals("function")) {
                throw ApiException.unsupported(tool.place("type"), "only functions are understood.");
            }
            Body function = Body.of(tool.place("function"), tool.value("function"));
            tools.add(tool(
                    function.requiredText("name"),
                    function.text("description", ""),
                    function.map("parameters"),
                    function.flag("strict", false)));
            function.end();
            tool.end();
        }
        return tools;
    }

    /** A tool of any API. */
    static Tool tool(String name, String description, @Nullable Map<?, ?> parameters, boolean strict) {
        if (!name.matches("[a-zA-Z0-9_-]{1,64}")) {
            throw ApiException.invalid(
                    "tools", "'" + name + "' is no name of a function: up to 64 letters, digits, _ and -.");
        }
        Map<String, @Nullable Object> schema = new LinkedHashMap<>();
        if (parameters != null) {
            parameters.forEach((key, value) -> schema.put(String.valueOf(key), value));
        }
        return new Tool(name, description, schema, strict);
    }

    private static Chat.ToolChoice toolChoice(Body body, List<Tool> tools) {
        return switch (body.value("tool_choice")) {
            case null -> tools.isEmpty() ? new Chat.ToolChoice.None() : new Chat.ToolChoice.Auto();
            case String word when word.equals("none") -> new Chat.ToolChoice.None();
            case String word when word.equals("auto") -> new Chat.ToolChoice.Auto();
            case String word when word.equals("required") -> new Chat.ToolChoice.Required();
            case Map<?, ?> map -> {
                Body named = Body.of("tool_choice", map);
                named.only("type", "function");
                Body function = Body.of("tool_choice.function", named.value("function"));
                String name = function.requiredText("name");
                function.end();
                named.end();
                yield new Chat.ToolChoice.Named(name);
            }
            default ->
                throw ApiException.invalid(
                        "tool_choice", "'tool_choice' must be none, auto, required, or name a function.");
        };
    }

    private static Chat.Format format(Body body) {
        Body format = body.object("response_format");
        if (format == null) {
            return new Chat.Format.Text();
        }
        Chat.Format wanted = switch (format.text("type", "")) {
            case "text" -> new Chat.Format.Text();
            case "json_object" -> new Chat.Format.Schema(null);
            case "json_schema" -> {
                Body described = Body.of("response_format.json_schema", format.value("json_schema"));
                Map<?, ?> schema = described.map("schema");
                if (schema == null) {
                    throw described.invalid("schema", "an object");
                }
                described.without("name", "description", "strict").end();
                yield new Chat.Format.Schema(schema);
            }
            default -> throw format.invalid("type", "text, json_object or json_schema");
        };
        format.end();
        return wanted;
    }

    /** What chat and completions have in common. */
    private static GenerationOptions options(Body body, int limit) {
        Map<Integer, Double> bias = new LinkedHashMap<>();
        Map<?, ?> biases = body.map("logit_bias");
        if (biases != null) {
            biases.forEach((id, value) -> {
                if (!String.valueOf(id).matches("[0-9]{1,9}")
                        || !(value instanceof Number number)
                        || !(Math.abs(number.doubleValue()) <= 100)) {
                    throw ApiException.invalid(
                            "logit_bias", "'logit_bias' maps token ids to numbers between -100 and 100.");
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
                .withSeed(seed(body))
                .withLogitBias(bias);
        List<String> stop = body.texts("stop");
        if (stop.size() > 16) {
            throw ApiException.invalid("stop", "'stop' may name up to 16 texts.");
        }
        // These name the caller or his bookkeeping; they change nothing in an answer.
        body.without("user", "safety_identifier", "prompt_cache_key", "metadata")
                .only("store", false)
                .only("service_tier", "auto", "default");
        return GenerationOptions.DEFAULT
                .withMaxTokens(limit)
                .withSampling(sampling)
                .withStop(stop.toArray(String[]::new));
    }

    static long seed(Body body) {
        return body.whole("seed", () -> ThreadLocalRandom.current().nextLong(), Long.MIN_VALUE, Long.MAX_VALUE);
    }

    // ------------------------------------------------------------------------------------------------ completions

    void completion(Exchange exchange) throws InterruptedException, IOException {
        Body body = exchange.body();
        ServedModel.Variant variant = model.variant(body);
        List<int[]> prompts = model.prompts(body.value("prompt"), "prompt");
        boolean echo = body.flag("echo", false);
        boolean logprobs = body.has("logprobs");
        int top = body.count("logprobs", 0, 0, TOP_LOGPROBS);
        GenerationOptions options = options(body, body.count("max_tokens", 16, 0, Integer.MAX_VALUE));
        int choices = body.count("n", 1, 1, model.engine.options().maxSequences());
        body.count("best_of", choices, choices, choices);
        boolean stream = body.flag("stream", false);
        boolean usage = usageWanted(body, stream);
        body.end();
        if (stream && echo && logprobs) {
            throw ApiException.unsupported("stream", "'echo' with 'logprobs' comes in one piece.");
        }
        List<EngineRequest> requests = new ArrayList<>();
        for (int[] prompt : prompts) {
            requests.add(variant.asked(EngineRequest.of(prompt, logprobs ? options.withLogProbabilities(top) : options)
                    .withChoices(choices)
                    .withPromptLogProbabilities(echo && logprobs)
                    .withClient(exchange.client())));
        }
        Frame frame = new Frame("cmpl-" + UUID.randomUUID(), "text_completion", variant.name());
        try (Running running = Running.submit(model.engine, requests)) {
            if (stream) {
                streamCompletion(exchange, running, requests, frame, echo, logprobs, usage);
            } else {
                List<EngineResult> results = running.await(exchange);
                List<Object> answers = new ArrayList<>();
                for (EngineResult result : results) {
                    for (GenerationResult choice : result.choices()) {
                        answers.add(object(
                                "index",
                                answers.size(),
                                "text",
                                (echo ? model.tokenizer.decode(choice.promptIds()) : "") + choice.text(),
                                "logprobs",
                                logprobs ? textLogprobs(echo, result, choice) : null,
                                "finish_reason",
                                reason(choice.finishReason())));
                    }
                }
                Map<String, Object> answer = frame.with(answers);
                answer.put("usage", usage(results));
                exchange.send(answer);
            }
        }
    }

    private void streamCompletion(
            Exchange exchange,
            Running running,
            List<EngineRequest> requests,
            Frame frame,
            boolean echo,
            boolean logprobs,
            boolean usage)
            throws InterruptedException, IOException {
        running.listen();
        exchange.stream("text/event-stream");
        Map<Integer, TextLogprobs> begun = new HashMap<>();
        for (Optional<Running.Event> next = running.next(exchange); next.isPresent(); next = running.next(exchange)) {
            TokenEvent event = next.get().token().orElseThrow();
            if (event.finishReason().equals(Optional.of(FinishReason.CANCELLED))) {
                break;
            }
            EngineRequest request = requests.get(next.get().prompt());
            int index = next.get().prompt() * request.choices() + event.choice();
            String text = event.text();
            TextLogprobs lines = begun.get(index);
            if (lines == null) {
                lines = new TextLogprobs();
                begun.put(index, lines);
                text = (echo ? model.tokenizer.decode(request.prompt()) : "") + text;
            }
            lines.clear();
            if (logprobs) {
                lines.add(event.token());
            }
            if (!text.isEmpty() || event.finishReason().isPresent() || logprobs) {
                exchange.write(Exchange.event(frame.chunk(
                        object(
                                "index",
                                index,
                                "text",
                                text,
                                "logprobs",
                                logprobs ? lines.shown() : null,
                                "finish_reason",
                                event.finishReason().map(OpenAiApi::reason).orElse(null)),
                        usage)));
            }
        }
        end(exchange, running, frame, usage);
    }

    static Map<String, Object> usage(List<EngineResult> results) {
        int prompt = 0;
        int cached = 0;
        int completion = 0;
        for (EngineResult result : results) {
            prompt += result.usage().promptTokens();
            cached += result.usage().cachedTokens();
            completion += result.usage().completionTokens();
        }
        return object(
                "prompt_tokens",
                prompt,
                "completion_tokens",
                completion,
                "total_tokens",
                prompt + completion,
                "prompt_tokens_details",
                object("cached_tokens", cached));
    }

    static String reason(FinishReason reason) {
        return switch (reason) {
            case STOP -> "stop";
            case LENGTH -> "length";
            case CANCELLED -> "cancelled"; // never said: what was cancelled is refused
        };
    }

    private Map<String, Object> chatLogprobs(List<GeneratedToken> tokens) {
        List<Object> content = new ArrayList<>();
        for (GeneratedToken token : tokens) {
            if (!model.isEnd(token.id())) {
                List<Object> top = new ArrayList<>();
                for (GeneratedToken.Alternative alternative : token.alternatives()) {
                    top.add(logprob(alternative.id(), alternative.logProbability()));
                }
                Map<String, Object> entry = logprob(token.id(), logProbability(token));
                entry.put("top_logprobs", top);
                content.add(entry);
            }
        }
        return object("content", content, "refusal", null);
    }

    private Map<String, Object> logprob(int id, double logProbability) {
        List<Integer> bytes = new ArrayList<>();
        for (byte b : model.bytes(id)) {
            bytes.add(b & 0xFF);
        }
        return object("token", model.name(id), "logprob", finite(logProbability), "bytes", bytes);
    }

    private static double logProbability(GeneratedToken token) {
        return finite(token.logProbability().orElse(Double.NaN));
    }

    /** JSON has no infinity; OpenAI's own value for it. */
    private static double finite(double logProbability) {
        return Math.max(logProbability, -9999);
    }

    private Map<String, Object> textLogprobs(boolean echo, EngineResult result, GenerationResult choice) {
        TextLogprobs lines = new TextLogprobs();
        if (echo) {
            lines.addFirst(choice.promptIds()[0]);
            result.promptTokens().forEach(lines::add);
        }
        choice.tokens().forEach(lines::add);
        return lines.shown();
    }

    /** Log-probabilities as the completions API writes them: four lists of equal length. */
    private final class TextLogprobs {
        private List<String> names = new ArrayList<>();
        private List<@Nullable Double> logprobs = new ArrayList<>();
        private List<@Nullable Object> top = new ArrayList<>();
        private List<Integer> offsets = new ArrayList<>();
        private int offset;

        /** The first token of a prompt: nothing stands before it. */
        void addFirst(int id) {
            add(id, null, null);
        }

        void add(GeneratedToken token) {
            Map<String, Double> alternatives = new LinkedHashMap<>();
            for (GeneratedToken.Alternative alternative : token.alternatives()) {
                alternatives.putIfAbsent(model.name(alternative.id()), finite(alternative.logProbability()));
            }
            add(token.id(), logProbability(token), alternatives);
        }

        private void add(int id, @Nullable Double logprob, @Nullable Object alternatives) {
            names.add(model.name(id));
            logprobs.add(logprob);
            top.add(alternatives);
            offsets.add(offset);
            offset += names.getLast().length();
        }

        /** Forgets what was shown; offsets go on. */
        void clear() {
            names = new ArrayList<>();
            logprobs = new ArrayList<>();
            top = new ArrayList<>();
            offsets = new ArrayList<>();
        }

        Map<String, Object> shown() {
            return object("tokens", names, "token_logprobs", logprobs, "top_logprobs", top, "text_offset", offsets);
        }
    }

    // ------------------------------------------------------------------------------------------------ embeddings

    void embeddings(Exchange exchange) {
        Body body = exchange.body();
        ServedModel.Variant variant = model.variant(body);
        List<int[]> inputs = model.prompts(body.value("input"), "input");
        String format = body.text("encoding_format", "float");
        if (!format.equals("float") && !format.equals("base64")) {
            throw body.invalid("encoding_format", "float or base64");
        }
        Pooling pooling = switch (body.text("pooling", "mean")) {
            case "mean" -> Pooling.MEAN;
            case "last" -> Pooling.LAST;
            default -> throw body.invalid("pooling", "mean or last");
        };
        body.without("user").only("dimensions", model.engine.config().width()).end();
        List<Object> data = new ArrayList<>();
        int count = 0;
        for (int[] input : inputs) {
            if (exchange.isAbandoned()) {
                throw new Running.AbandonedException();
            }
            float[] embedding = model.engine.embed(input, pooling, true, variant.adapter());
            data.add(object(
                    "object",
                    "embedding",
                    "index",
                    data.size(),
                    "embedding",
                    format.equals("float") ? embedding : base64(embedding)));
            count += input.length;
        }
        exchange.send(object(
                "object",
                "list",
                "data",
                data,
                "model",
                variant.name(),
                "usage",
                object("prompt_tokens", count, "total_tokens", count)));
    }

    private static String base64(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return Base64.getEncoder().encodeToString(bytes.array());
    }
}
