package dev.puna.server;

import static dev.puna.server.Json.object;

import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Sampling;
import dev.puna.inference.TokenEvent;
import dev.puna.inference.Tool;
import dev.puna.inference.ToolCall;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Ollama's API, translated to the same requests as OpenAI's: one JSON object a line.
 *
 * @see <a href="https://github.com/ollama/ollama/blob/main/docs/api.md">its reference</a>
 */
final class OllamaApi {
    /** The version of the API that is spoken; some clients ask for one. */
    private static final String VERSION = "0.5.0";

    private final ServedModel model;
    private final String started = Instant.now().toString();

    OllamaApi(ServedModel model) {
        this.model = model;
    }

    Map<String, Object> version() {
        return object("version", VERSION);
    }

    Map<String, Object> tags() {
        List<Object> models = new ArrayList<>();
        for (String name : model.names()) {
            models.add(object(
                    "name",
                    name,
                    "model",
                    name,
                    "modified_at",
                    started,
                    "size",
                    0,
                    "digest",
                    "",
                    "details",
                    object("format", "", "family", "llama", "families", List.of("llama"))));
        }
        return object("models", models);
    }

    void chat(Exchange exchange) throws InterruptedException, IOException {
        Body body = exchange.body();
        ServedModel.Variant variant = variant(body);
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Body message : body.objects("messages")) {
            messages.add(message(message));
        }
        if (messages.isEmpty()) {
            throw ApiException.invalid("messages", "'messages' must be a list of messages.");
        }
        List<Tool> tools = new ArrayList<>();
        for (Body tool : body.objects("tools")) {
            tool.only("type", "function");
            Body function = Body.of(tool.place("function"), tool.value("function"));
            tools.add(OpenAiApi.tool(
                    function.requiredText("name"),
                    function.text("description", ""),
                    function.map("parameters"),
                    false));
            function.end();
            tool.end();
        }
        Chat chat = new Chat(
                variant,
                messages,
                tools,
                tools.isEmpty() ? new Chat.ToolChoice.None() : new Chat.ToolChoice.Auto(),
                true,
                format(body),
                options(body),
                1,
                exchange.client());
        boolean stream = body.flag("stream", true);
        end(body);
        answer(exchange, model.request(chat), chat, stream, true);
    }

    void generate(Exchange exchange) throws InterruptedException, IOException {
        Body body = exchange.body();
        ServedModel.Variant variant = variant(body);
        String prompt = body.text("prompt", "");
        String system = body.text("system", "");
        boolean raw = body.flag("raw", false) || !model.isChatModel();
        boolean stream = body.flag("stream", true);
        GenerationOptions options = options(body);
        Chat.Format format = format(body);
        end(body);
        if (prompt.isEmpty()) { // clients load a model so
            Map<String, Object> answer = frame(variant);
            answer.putAll(object("response", "", "done", true, "done_reason", "load"));
            exchange.send(answer);
            return;
        }
        List<Map<String, Object>> messages = new ArrayList<>();
        if (!system.isEmpty()) {
            messages.add(object("role", "system", "content", system));
        }
        messages.add(object("role", "user", "content", prompt));
        Chat chat = new Chat(
                variant, messages, List.of(), new Chat.ToolChoice.None(), true, format, options, 1, exchange.client());
        EngineRequest request = model.request(chat);
        if (raw) {
            if (!system.isEmpty()) {
                throw ApiException.unsupported("system", "a raw prompt, or a model without a template, has none.");
            }
            EngineRequest plain = variant.asked(
                    EngineRequest.of(model.engine.encodePrompt(prompt), options).withClient(exchange.client()));
            request = request.constraint().map(plain::withConstraint).orElse(plain);
        }
        answer(exchange, request, chat, stream, false);
    }

    private void answer(Exchange exchange, EngineRequest request, Chat chat, boolean stream, boolean isChat)
            throws InterruptedException, IOException {
        long start = System.nanoTime();
        try (Running running = Running.submit(model.engine, List.of(request))) {
            Answer answer = new Answer(chat);
            if (stream) {
                running.listen();
                exchange.stream("application/x-ndjson");
                for (Optional<Running.Event> next = running.next(exchange);
                        next.isPresent();
                        next = running.next(exchange)) {
                    TokenEvent event = next.get().token().orElseThrow();
                    String text = answer.accept(event.text());
                    if (!text.isEmpty()) {
                        exchange.write(Exchange.line(part(chat, text, List.of(), isChat)));
                    }
                }
            }
            EngineResult result = running.await(exchange).getFirst();
            String text = stream ? "" : answer.accept(result.first().text());
            Answer.End end = answer.end();
            Map<String, Object> last = part(chat, text + end.text(), end.calls(), isChat);
            last.put("done", true);
            last.putAll(figures(result, System.nanoTime() - start));
            if (stream) {
                exchange.write(Exchange.line(last));
                exchange.finish();
            } else {
                exchange.send(last);
            }
        }
    }

    private static Map<String, Object> frame(ServedModel.Variant variant) {
        return object("model", variant.name(), "created_at", Instant.now().toString());
    }

    private static Map<String, Object> part(Chat chat, String text, List<ToolCall> calls, boolean isChat) {
        Map<String, Object> part = frame(chat.variant());
        if (isChat) {
            Map<String, Object> message = object("role", "assistant", "content", text);
            if (!calls.isEmpty()) {
                List<Object> all = new ArrayList<>();
                for (ToolCall call : calls) {
                    all.add(object(
                            "function", object("name", call.name(), "arguments", Json.readObject(call.arguments()))));
                }
                message.put("tool_calls", all);
            }
            part.put("message", message);
        } else {
            part.put("response", text);
        }
        part.put("done", false);
        return part;
    }

    private static Map<String, Object> figures(EngineResult result, long nanos) {
        GenerationResult.Timings timings = result.first().timings();
        return object(
                "done_reason", OpenAiApi.reason(result.first().finishReason()),
                "total_duration", nanos,
                "load_duration", 0,
                "prompt_eval_count", timings.promptTokens(),
                "prompt_eval_duration", timings.prefill().toNanos(),
                "eval_count", timings.generatedTokens(),
                "eval_duration", timings.decode().toNanos());
    }

    /** Ollama calls every model without a tag {@code name:latest}. */
    private ServedModel.Variant variant(Body body) {
        String wanted = body.text("model", model.name);
        String latest = ":latest";
        return model.variant(wanted.endsWith(latest) ? wanted.substring(0, wanted.length() - latest.length()) : wanted);
    }

    private static Map<String, Object> message(Body message) {
        String role = message.text("role", "");
        if (!List.of("system", "user", "assistant", "tool").contains(role)) {
            throw message.invalid("role", "system, user, assistant or tool");
        }
        Map<String, Object> shown = object("role", role, "content", message.text("content", ""));
        List<Object> calls = new ArrayList<>();
        for (Body call : message.objects("tool_calls")) {
            Body function = Body.of(call.place("function"), call.value("function"));
            Map<?, ?> arguments = function.map("arguments");
            calls.add(object(
                    "type",
                    "function",
                    "function",
                    object(
                            "name",
                            function.requiredText("name"),
                            "arguments",
                            arguments == null ? Map.of() : arguments)));
            function.without("index").end();
            call.without("id", "type").end();
        }
        if (!calls.isEmpty()) {
            shown.put("tool_calls", calls);
        }
        String name = message.text("tool_name", "");
        if (!name.isEmpty()) {
            shown.put("name", name);
        }
        if (message.value("images") instanceof List<?> images && !images.isEmpty()) {
            throw ApiException.unsupported(message.place("images"));
        }
        message.end();
        return shown;
    }

    private static Chat.Format format(Body body) {
        return switch (body.value("format")) {
            case null -> new Chat.Format.Text();
            case String text when text.isEmpty() -> new Chat.Format.Text();
            case String text when text.equals("json") -> new Chat.Format.Schema(null);
            case Map<?, ?> schema -> new Chat.Format.Schema(schema);
            default -> throw body.invalid("format", "\"json\" or a schema");
        };
    }

    private static void end(Body body) {
        // The model stays as long as the server does.
        body.without("keep_alive").only("think", false).end();
    }

    /** Defaults are Ollama's own. */
    private GenerationOptions options(Body body) {
        Body given = body.object("options");
        Body options = given == null ? new Body(Map.of()) : given;
        int limit = options.count("num_predict", -1, -2, Integer.MAX_VALUE);
        int context = options.count("num_ctx", model.engine.contextLength(), 1, Integer.MAX_VALUE);
        if (context > model.engine.contextLength()) {
            throw ApiException.unsupported(
                    options.place("num_ctx"), "this model's context has " + model.engine.contextLength() + " tokens.");
        }
        int window = options.count("repeat_last_n", 64, -1, Integer.MAX_VALUE);
        Sampling sampling = Sampling.GREEDY
                .withTemperature(options.number("temperature", 0.8, 0, 100))
                .withTopK(options.count("top_k", 40, 0, Integer.MAX_VALUE))
                .withTopP(options.number("top_p", 0.9, Double.MIN_NORMAL, 1))
                .withMinP(options.number("min_p", 0, 0, 1))
                .withRepetitionPenalty(window == 0 ? 1 : options.number("repeat_penalty", 1.1, 0.01, 100))
                .withPresencePenalty(options.number("presence_penalty", 0, -100, 100))
                .withFrequencyPenalty(options.number("frequency_penalty", 0, -100, 100))
                .withPenaltyWindow(Math.max(window, 0))
                .withSeed(OpenAiApi.seed(options));
        List<String> stop = options.texts("stop");
        // How to compute is this server's business, and changes no answer.
        options.without("num_thread", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_keep", "numa")
                .end();
        return GenerationOptions.DEFAULT
                .withMaxTokens(limit < 0 ? Integer.MAX_VALUE : limit)
                .withSampling(sampling)
                .withStop(stop.toArray(String[]::new));
    }
}
