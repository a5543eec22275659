package dev.puna.server;

import dev.puna.inference.ChatPrompt;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.Grammar;
import dev.puna.inference.JsonSchema;
import dev.puna.inference.Tool;
import dev.puna.inference.ToolCalling;
import dev.puna.model.LoraAdapter;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The model as all APIs see it: chats become requests to the engine. */
final class ServedModel {
    /** Constraints that are kept compiled. */
    private static final int CONSTRAINTS = 16;

    /** What a schema may become, in characters of grammar. */
    private static final int GRAMMAR_LIMIT = 1 << 20;

    final Engine engine;
    final Tokenizer tokenizer;
    final String name;
    private final ChatPrompt prompt;
    private final boolean showsTools;
    private final Map<String, Grammar> constraints = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Grammar> eldest) {
            return size() > CONSTRAINTS;
        }
    };

    ServedModel(Engine engine, String name) {
        this.engine = engine;
        this.tokenizer = engine.tokenizer();
        this.name = name;
        this.prompt = ChatPrompt.of(tokenizer);
        this.showsTools = prompt.showsTools();
        Thread.ofPlatform()
                .daemon()
                .name("puna-grammar")
                .start(() -> compile(JsonSchema.anyObject())
                        .start()
                        .allowed()); // what the first schema would otherwise wait for: the vocabulary as a trie
    }

    /** Whether the model came with a chat template of its own: a base model has none. */
    boolean isChatModel() {
        return tokenizer.chatTemplate().isPresent();
    }

    /**
     * The model, or the model with one of the engine's adapters.
     *
     * @param name as clients call it
     */
    record Variant(String name, Optional<LoraAdapter> adapter) {
        EngineRequest asked(EngineRequest request) {
            return adapter.map(request::withAdapter).orElse(request);
        }
    }

    /** All names that clients may ask for: the model's own, then its adapters'. */
    List<String> names() {
        List<String> names = new ArrayList<>(List.of(name));
        names.addAll(engine.adapterNames());
        return names;
    }

    /** @throws ApiException if there is none of that name */
    Variant variant(String wanted) {
        if (wanted.equals(name)) {
            return new Variant(name, Optional.empty());
        }
        Optional<LoraAdapter> adapter = engine.adapter(wanted);
        if (adapter.isPresent()) {
            return new Variant(wanted, adapter);
        }
        throw new ApiException(
                404,
                "invalid_request_error",
                "The model '" + wanted + "' does not exist; this server has '" + String.join("', '", names()) + "'.",
                "model",
                "model_not_found");
    }

    /** What a request's {@code model} names; the model itself where it names none. */
    Variant variant(Body body) {
        return variant(body.text("model", name));
    }

    /** The engine's request for a chat. */
    EngineRequest request(Chat chat) {
        List<Tool> tools = chat.callable();
        if (!tools.isEmpty() && !showsTools) {
            throw ApiException.unsupported("tools", "this model's chat template does not show tools to it.");
        }
        if (chat.choice() instanceof Chat.ToolChoice.Named(String wanted) && tools.isEmpty()) {
            throw ApiException.invalid("tool_choice", "'tool_choice' names '" + wanted + "', which is no tool.");
        }
        if (chat.choice() instanceof Chat.ToolChoice.Required && tools.isEmpty()) {
            throw ApiException.invalid("tool_choice", "'tool_choice' requires a call, and there are no tools.");
        }
        List<? extends Map<String, ?>> shown = tools.isEmpty()
                ? List.of()
                : tools.stream().map(Tool::forTemplate).toList();
        int[] ids = prompt.encode(chat.messages(), shown.isEmpty() ? null : shown);
        String gbnf = grammar(chat, tools);
        EngineRequest request = chat.variant()
                .asked(EngineRequest.of(ids, chat.options())
                        .withChoices(chat.choices())
                        .withClient(chat.client()));
        return gbnf.isEmpty() ? request : request.withConstraint(compile(gbnf));
    }

    private static String grammar(Chat chat, List<Tool> tools) {
        boolean mustCall =
                chat.choice() instanceof Chat.ToolChoice.Required || chat.choice() instanceof Chat.ToolChoice.Named;
        if (mustCall) {
            return ToolCalling.grammarOfCall(tools);
        }
        return switch (chat.format()) {
            case Chat.Format.Text _ ->
                tools.stream().anyMatch(Tool::strict) ? ToolCalling.grammarOfCallOrText(tools) : "";
            case Chat.Format.Schema(@Nullable Map<?, ?> schema) -> {
                if (!tools.isEmpty()) {
                    yield ToolCalling.grammarOfCallOr(tools, schema == null ? Map.of("type", "object") : schema);
                }
                yield schema == null ? JsonSchema.anyObject() : JsonSchema.grammar(schema);
            }
        };
    }

    private Grammar compile(String gbnf) {
        if (gbnf.length() > GRAMMAR_LIMIT) {
            throw ApiException.invalid("response_format", "This schema is too large.");
        }
        synchronized (constraints) {
            Grammar known = constraints.get(gbnf);
            if (known != null) {
                return known;
            }
        }
        Grammar compiled = Grammar.compile(gbnf, tokenizer, engine.config().vocabularySize());
        synchronized (constraints) {
            constraints.put(gbnf, compiled);
        }
        return compiled;
    }

    /** A string, ids, or a list of either. */
    List<int[]> prompts(@Nullable Object value, String field) {
        if (value instanceof String text) {
            return List.of(engine.encodePrompt(text));
        }
        if (value instanceof List<?> list && !list.isEmpty()) {
            if (list.stream().allMatch(Integer.class::isInstance)) {
                return List.of(list.stream().mapToInt(id -> (Integer) id).toArray());
            }
            List<int[]> prompts = new ArrayList<>();
            for (Object each : list) {
                if (each instanceof String || isIds(each)) {
                    prompts.addAll(prompts(each, field));
                } else {
                    throw ApiException.invalid(field, "'" + field + "' mixes texts, token ids and other things.");
                }
            }
            return prompts;
        }
        throw ApiException.invalid(field, "'" + field + "' must be a string, a list of token ids, or a list of these.");
    }

    private static boolean isIds(@Nullable Object value) {
        return value instanceof List<?> ids && !ids.isEmpty() && ids.stream().allMatch(Integer.class::isInstance);
    }

    /** The bytes of a token; none for control tokens and for ids that only pad the vocabulary. */
    byte[] bytes(int id) {
        return id < tokenizer.vocabularySize() ? tokenizer.bytes(id) : new byte[0];
    }

    /** How log-probabilities call a token: its text, or its name where it has none. */
    String name(int id) {
        byte[] bytes = bytes(id);
        boolean named = bytes.length == 0 && id < tokenizer.vocabularySize() && tokenizer.kind(id) != TokenKind.BYTE;
        return named ? tokenizer.piece(id) : new String(bytes, StandardCharsets.UTF_8);
    }

    boolean isEnd(int id) {
        return tokenizer.specialTokens().endsGeneration(id);
    }
}
