package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.AddedToken;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Encoder;
import dev.puna.tokenizer.TokenBuffer;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.template.ChatTemplate;
import dev.puna.tokenizer.template.StandardTemplate;
import dev.puna.tokenizer.template.TemplateException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Conversations as the ids that a model was trained to answer: a chat template renders them, and the tokenizer finds the
 * control tokens in what the template wrote. Where a message itself contains the text of a control token, that text
 * stays text: nobody can end his own turn or speak as the system.
 */
public final class ChatPrompt {
    /** Marks of Unicode's private use area: letters to no template. */
    private static final String FIRST = "\uE001";

    private static final String REST = "\uE000";

    private final Tokenizer tokenizer;
    private final ChatTemplate template;

    public ChatPrompt(Tokenizer tokenizer, ChatTemplate template) {
        this.tokenizer = tokenizer;
        this.template = template;
    }

    /**
     * With the template that lies beside the model; without one, the standard template whose tokens the vocabulary has:
     * Llama-3's, ChatML's, else Llama-2's.
     */
    public static ChatPrompt of(Tokenizer tokenizer) {
        String source = tokenizer.chatTemplate().orElseGet(() -> {
            if (tokenizer.idOf("<|start_header_id|>").isPresent()) {
                return StandardTemplate.LLAMA_3.source();
            }
            return tokenizer.idOf("<|im_start|>").isPresent()
                    ? StandardTemplate.CHATML.source()
                    : StandardTemplate.LLAMA_2.source();
        });
        return new ChatPrompt(tokenizer, ChatTemplate.compile(source));
    }

    public ChatTemplate template() {
        return template;
    }

    /** Whether the template shows the model the functions that it may call. */
    public boolean showsTools() {
        List<Map<String, String>> question = List.of(Map.of("role", "user", "content", "?"));
        Map<String, Object> function = Map.of("name", "f", "description", "", "parameters", Map.of());
        try {
            String with = render(question, List.of(Map.of("type", "function", "function", function)));
            return !with.equals(render(question, null));
        } catch (TemplateException e) {
            return false;
        }
    }

    /** The text of a conversation that waits for the assistant. */
    public String render(List<ChatMessage> messages) {
        return render(plain(messages), null);
    }

    /**
     * The text of a conversation that waits for the assistant.
     *
     * @param messages as the template reads them: {@code role}, {@code content}, {@code tool_calls} …
     * @param tools the functions that the model may call, as the template reads them: {@code type}, {@code function};
     *     null for none
     * @throws TemplateException if the template refuses the conversation
     */
    public String render(List<? extends Map<String, ?>> messages, @Nullable List<?> tools) {
        Map<String, String> variables = new HashMap<>();
        piece(tokenizer.specialTokens().bos(), "bos_token", variables);
        piece(tokenizer.specialTokens().eos(), "eos_token", variables);
        return template.render(messages, tools, null, true, variables);
    }

    private static List<Map<String, String>> plain(List<ChatMessage> messages) {
        List<Map<String, String>> values = new ArrayList<>();
        for (ChatMessage message : messages) {
            values.add(Map.of("role", message.role(), "content", message.content()));
        }
        return values;
    }

    private void piece(OptionalInt id, String name, Map<String, String> variables) {
        variables.put(name, id.isPresent() ? tokenizer.piece(id.getAsInt()) : "");
    }

    /** The ids of a conversation that waits for the assistant. */
    public int[] encode(List<ChatMessage> messages) {
        return encode(plain(messages), null);
    }

    /** The ids of a conversation that waits for the assistant, as {@link #render(List, List)} writes it. */
    public int[] encode(List<? extends Map<String, ?>> messages, @Nullable List<?> tools) {
        String text = render(messages, tools);
        TokenBuffer ids = new TokenBuffer();
        Encoder encoder = tokenizer.encoder();
        int from = 0;
        for (int cut : cuts(text, messages, tools)) {
            encoder.encode(text.substring(from, cut), options(from), ids);
            from = cut;
        }
        encoder.encode(text.substring(from), options(from), ids);
        return ids.toArray();
    }

    private static EncodeOptions options(int from) {
        return from == 0 ? EncodeOptions.TEMPLATE : new EncodeOptions(false, false, true, true);
    }

    /**
     * Places inside the texts of control tokens that stand in messages or tools: encoded apart, the halves are plain
     * text. They are found by rendering the conversation once more with marks in their place.
     */
    private SortedSet<Integer> cuts(String text, List<? extends Map<String, ?>> messages, @Nullable List<?> tools) {
        TreeSet<Integer> cuts = new TreeSet<>();
        List<String> control = tokenizer.addedTokens().stream()
                .filter(token -> tokenizer.kind(token.id()) == TokenKind.CONTROL)
                .map(AddedToken::content)
                .filter(content -> content.length() > 1)
                .toList();
        List<Map<String, ?>> marked = new ArrayList<>();
        for (Map<String, ?> message : messages) {
            marked.add(markedMap(message, control));
        }
        List<?> markedTools = tools == null ? null : (List<?>) marked(tools, control);
        if (marked.equals(messages) && Objects.equals(tools, markedTools)) {
            return cuts;
        }
        String rendered = render(marked, markedTools);
        if (rendered.length() != text.length()) {
            throw new ConfigurationException(
                    "message",
                    "(contains the text of a control token)",
                    "this model's chat template treats such a text specially; leave it out");
        }
        for (int at = rendered.indexOf(FIRST); at >= 0; at = rendered.indexOf(FIRST, at + 1)) {
            cuts.add(at + 1);
        }
        return cuts;
    }

    /** The value with marks in place of control tokens; roles choose how a template writes a message, and stay. */
    private static @Nullable Object marked(@Nullable Object value, List<String> control) {
        return switch (value) {
            case String text -> {
                String content = text;
                for (String token : control) {
                    content = content.replace(token, FIRST + REST.repeat(token.length() - 1));
                }
                yield content;
            }
            case List<?> list -> {
                List<@Nullable Object> all = new ArrayList<>();
                list.forEach(each -> all.add(marked(each, control)));
                yield all;
            }
            case Map<?, ?> map -> markedMap(map, control);
            case null, default -> value;
        };
    }

    private static Map<String, ?> markedMap(Map<?, ?> map, List<String> control) {
        Map<String, @Nullable Object> all = new LinkedHashMap<>();
        map.forEach((key, each) -> all.put(
                String.valueOf(marked(String.valueOf(key), control)),
                key.equals("role") && each instanceof String role ? role : marked(each, control)));
        return all;
    }
}
