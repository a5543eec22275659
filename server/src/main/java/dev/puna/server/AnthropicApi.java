package dev.puna.server;

import static dev.puna.server.Json.object;

import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.FinishReason;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Sampling;
import dev.puna.inference.TokenEvent;
import dev.puna.inference.Tool;
import dev.puna.inference.ToolCall;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * Anthropic's messages, translated to the same chats as OpenAI's.
 *
 * @see <a href="https://docs.anthropic.com/en/api/messages">its reference</a>
 */
final class AnthropicApi {
    private final ServedModel model;

    AnthropicApi(ServedModel model) {
        this.model = model;
    }

    void messages(Exchange exchange) throws InterruptedException, IOException {
        Body body = exchange.body();
        if (!body.has("max_tokens")) {
            throw ApiException.invalid("max_tokens", "'max_tokens' is missing.");
        }
        List<String> stop = body.texts("stop_sequences");
        GenerationOptions options = GenerationOptions.DEFAULT
                .withMaxTokens(body.count("max_tokens", 1, 1, Integer.MAX_VALUE))
                .withSampling(Sampling.GREEDY
                        .withTemperature(body.number("temperature", 1, 0, 1))
                        .withTopP(body.number("top_p", 1, Double.MIN_NORMAL, 1))
                        .withTopK(body.count("top_k", 0, 0, Integer.MAX_VALUE))
                        .withSeed(ThreadLocalRandom.current().nextLong()))
                .withStop(stop.toArray(String[]::new));
        boolean stream = body.flag("stream", false);
        Chat chat = chat(body, options, exchange.client());
        body.only("service_tier", "auto", "standard_only").without("metadata").end();
        EngineRequest request = model.request(chat);
        String id = "msg_" + UUID.randomUUID().toString().replace("-", "");
        try (Running running = Running.submit(model.engine, List.of(request))) {
            if (stream) {
                stream(exchange, running, chat, request, id);
            } else {
                EngineResult result = running.await(exchange).getFirst();
                Answer.End answer = Answer.whole(chat, result.first().text());
                List<Object> content = new ArrayList<>();
                if (!answer.text().isEmpty() || answer.calls().isEmpty()) {
                    content.add(object("type", "text", "text", answer.text()));
                }
                for (ToolCall call : answer.calls()) {
                    Map<String, Object> use = toolUse(call);
                    use.put("input", input(call));
                    content.add(use);
                }
                Map<String, Object> message = message(chat, id, content);
                message.putAll(ending(result.first(), stop, !answer.calls().isEmpty()));
                message.put("usage", usage(result));
                exchange.send(message);
            }
        }
    }

    void countTokens(Exchange exchange) {
        Body body = exchange.body();
        Chat chat = chat(body, GenerationOptions.DEFAULT, exchange.client());
        body.end();
        exchange.send(object("input_tokens", model.request(chat).prompt().length));
    }

    private Chat chat(Body body, GenerationOptions options, String client) {
        ServedModel.Variant variant = model.variant(body);
        List<Map<String, Object>> messages = new ArrayList<>();
        if (body.has("system")) {
            messages.add(object("role", "system", "content", texts(body, "system")));
        }
        List<Body> turns = body.objects("messages");
        if (turns.isEmpty()) {
            throw ApiException.invalid("messages", "'messages' must be a list of messages.");
        }
        for (Body turn : turns) {
            addTurn(turn, messages);
        }
        if ("assistant".equals(messages.getLast().get("role"))) {
            throw ApiException.unsupported("messages", "the last message must be the user's.");
        }
        List<Tool> tools = new ArrayList<>();
        for (Body tool : body.objects("tools")) {
            tool.only("type", "custom").without("cache_control");
            tools.add(OpenAiApi.tool(
                    tool.requiredText("name"),
                    tool.text("description", ""),
                    tool.map("input_schema"),
                    tool.flag("strict", false)));
            tool.end();
        }
        boolean parallel = true;
        Chat.ToolChoice choice = tools.isEmpty() ? new Chat.ToolChoice.None() : new Chat.ToolChoice.Auto();
        Body wanted = body.object("tool_choice");
        if (wanted != null) {
            choice = switch (wanted.text("type", "")) {
                case "none" -> new Chat.ToolChoice.None();
                case "auto" -> new Chat.ToolChoice.Auto();
                case "any" -> new Chat.ToolChoice.Required();
                case "tool" -> new Chat.ToolChoice.Named(wanted.requiredText("name"));
                default -> throw wanted.invalid("type", "auto, any, tool or none");
            };
            parallel = !wanted.flag("disable_parallel_tool_use", false);
            wanted.end();
        }
        Body thinking = body.object("thinking");
        if (thinking != null) {
            thinking.only("type", "disabled").end();
        }
        return new Chat(variant, messages, tools, choice, parallel, new Chat.Format.Text(), options, 1, client);
    }

    /** A turn holds texts, calls and results; a chat template wants results as messages of their own. */
    private static void addTurn(Body turn, List<Map<String, Object>> messages) {
        String role = turn.text("role", "");
        if (!role.equals("user") && !role.equals("assistant")) {
            throw turn.invalid("role", "user or assistant");
        }
        if (turn.value("content") instanceof String text) {
            turn.end();
            messages.add(object("role", role, "content", text));
            return;
        }
        StringBuilder text = new StringBuilder();
        List<Object> calls = new ArrayList<>();
        for (Body block : turn.objects("content")) {
            block.without("cache_control", "citations");
            String type = block.text("type", "");
            if (type.equals("text")) {
                text.append(block.requiredText("text"));
            } else if (type.equals("tool_use") && role.equals("assistant")) {
                Map<?, ?> input = block.map("input");
                calls.add(object(
                        "id", block.requiredText("id"),
                        "type", "function",
                        "function",
                                object(
                                        "name",
                                        block.requiredText("name"),
                                        "arguments",
                                        input == null ? Map.of() : input)));
            } else if (type.equals("tool_result") && role.equals("user")) {
                block.flag("is_error", false);
                messages.add(object(
                        "role",
                        "tool",
                        "tool_call_id",
                        block.requiredText("tool_use_id"),
                        "content",
                        block.has("content") ? texts(block, "content") : ""));
            } else {
                throw ApiException.unsupported(
                        block.place("type"), "texts, calls of tools and their results are understood.");
            }
            block.end();
        }
        turn.end();
        if (!text.isEmpty() || !calls.isEmpty()) {
            Map<String, Object> message = object("role", role, "content", text.toString());
            if (!calls.isEmpty()) {
                message.put("tool_calls", calls);
            }
            messages.add(message);
        }
    }

    private static String texts(Body body, String field) {
        if (body.value(field) instanceof String text) {
            return text;
        }
        StringBuilder text = new StringBuilder();
        for (Body block : body.objects(field)) {
            block.only("type", "text").without("cache_control", "citations");
            text.append(block.requiredText("text"));
            block.end();
        }
        return text.toString();
    }

    private void stream(Exchange exchange, Running running, Chat chat, EngineRequest request, String id)
            throws InterruptedException, IOException {
        running.listen();
        exchange.stream("text/event-stream");
        Map<String, Object> message = message(chat, id, List.of());
        message.putAll(object("stop_reason", null, "stop_sequence", null));
        message.put("usage", object("input_tokens", request.prompt().length, "output_tokens", 0));
        send(exchange, "message_start", "message", message);
        Answer answer = new Answer(chat);
        boolean open = false;
        for (Optional<Running.Event> next = running.next(exchange); next.isPresent(); next = running.next(exchange)) {
            TokenEvent event = next.get().token().orElseThrow();
            String text = answer.accept(event.text());
            if (event.finishReason().isPresent()) {
                text += answer.end().text();
            }
            if (!text.isEmpty()) {
                if (!open) {
                    open = true;
                    send(
                            exchange,
                            "content_block_start",
                            "index",
                            0,
                            "content_block",
                            object("type", "text", "text", ""));
                }
                send(exchange, "content_block_delta", "index", 0, "delta", object("type", "text_delta", "text", text));
            }
        }
        EngineResult result = running.await(exchange).getFirst();
        int blocks = 0;
        if (open) {
            send(exchange, "content_block_stop", "index", blocks++);
        }
        List<ToolCall> calls = Answer.whole(chat, result.first().text()).calls();
        for (ToolCall call : calls) {
            Map<String, Object> use = toolUse(call);
            use.put("input", Map.of());
            send(exchange, "content_block_start", "index", blocks, "content_block", use);
            send(
                    exchange,
                    "content_block_delta",
                    "index",
                    blocks,
                    "delta",
                    object("type", "input_json_delta", "partial_json", call.arguments()));
            send(exchange, "content_block_stop", "index", blocks++);
        }
        send(
                exchange,
                "message_delta",
                "delta",
                ending(result.first(), chat.options().stop(), !calls.isEmpty()),
                "usage",
                usage(result));
        send(exchange, "message_stop");
        exchange.finish();
    }

    private static void send(Exchange exchange, String type, Object... more) throws IOException {
        Map<String, Object> event = object("type", type);
        event.putAll(object(more));
        exchange.write(Exchange.event(type, event));
    }

    private static Map<String, Object> message(Chat chat, String id, List<Object> content) {
        return object(
                "id",
                id,
                "type",
                "message",
                "role",
                "assistant",
                "model",
                chat.variant().name(),
                "content",
                content);
    }

    private static Map<String, Object> toolUse(ToolCall call) {
        return object(
                "type",
                "tool_use",
                "id",
                "toolu_" + UUID.randomUUID().toString().replace("-", ""),
                "name",
                call.name());
    }

    private static Map<?, ?> input(ToolCall call) {
        try {
            return Json.readObject(call.arguments());
        } catch (JacksonException e) {
            return new LinkedHashMap<>(); // a call was parsed before: its arguments are an object
        }
    }

    private Map<String, Object> ending(GenerationResult result, List<String> stop, boolean calls) {
        @Nullable String ended = stopThatEnded(result, stop);
        String reason = calls
                ? "tool_use"
                : result.finishReason() == FinishReason.LENGTH
                        ? "max_tokens"
                        : ended != null ? "stop_sequence" : "end_turn";
        return object("stop_reason", reason, "stop_sequence", ended);
    }

    /** Which stop text it was; null if the model ended by itself. */
    private @Nullable String stopThatEnded(GenerationResult result, List<String> stop) {
        if (result.finishReason() != FinishReason.STOP
                || stop.isEmpty()
                || model.isEnd(result.tokens().getLast().id())) {
            return null;
        }
        String all = model.tokenizer.decode(result.ids());
        int first = Integer.MAX_VALUE;
        @Nullable String found = null;
        for (String text : stop) {
            int at = all.indexOf(text);
            if (at >= 0 && at < first) {
                first = at;
                found = text;
            }
        }
        return found;
    }

    private static Map<String, Object> usage(EngineResult result) {
        int cached = result.usage().cachedTokens();
        return object(
                "input_tokens",
                result.usage().promptTokens() - cached,
                "cache_read_input_tokens",
                cached,
                "output_tokens",
                result.usage().completionTokens());
    }
}
