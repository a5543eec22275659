package dev.puna.tokenizer.template;

import java.time.Clock;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A chat template: compiled once, it renders any number of conversations, from any number of threads.
 *
 * <p>The text is the same to the byte as {@code apply_chat_template(…, tokenize=False)} of transformers gives. Messages,
 * tools and variables are plain Java values: {@code Map} with string keys, {@code List}, {@code String}, whole and
 * floating-point numbers, {@code Boolean} and null. They are copied on entry, and their text is never read as template
 * source.
 *
 * <pre>{@code
 * ChatTemplate template = ChatTemplate.compile(StandardTemplate.LLAMA_3.source());
 * String prompt = template.render(
 *         List.of(Map.of("role", "user", "content", "Hello")), null, null, true, Map.of("bos_token", "<|begin_of_text|>"));
 * }</pre>
 */
public final class ChatTemplate {
    private final String source;
    private final Parser.Program program;
    private final TemplateLimits limits;
    private final Clock clock;

    private ChatTemplate(String source, Parser.Program program, TemplateLimits limits, Clock clock) {
        this.source = source;
        this.program = program;
        this.limits = limits;
        this.clock = clock;
    }

    /**
     * Compiles a template.
     *
     * @throws TemplateException of kind {@code SYNTAX} or {@code LIMIT}, with the line, if it is not valid
     */
    public static ChatTemplate compile(String source) {
        return new ChatTemplate(
                source, Parser.parse(source), TemplateLimits.DEFAULT, Clock.system(ZoneId.systemDefault()));
    }

    /** The same template under other limits. */
    public ChatTemplate withLimits(TemplateLimits other) {
        return new ChatTemplate(source, program, other, clock);
    }

    /** The same template with another answer to {@code strftime_now}; the clock's zone counts. */
    public ChatTemplate withClock(Clock other) {
        return new ChatTemplate(source, program, limits, other);
    }

    /** The Jinja source. */
    public String source() {
        return source;
    }

    /** Whether the template says with {@code {% generation %}} which text is the model's own. */
    public boolean marksGeneration() {
        return program.marksGeneration();
    }

    /**
     * Renders a conversation.
     *
     * @param messages each with {@code role} and {@code content}, and whatever else the template knows
     * @param tools JSON schemas of the functions that the model may call; null for none
     * @param documents for templates that know them, each with {@code title} and {@code text}; null for none
     * @param addGenerationPrompt whether the text ends with the beginning of the model's answer
     * @param variables what else the template reads: {@code bos_token}, {@code eos_token}, {@code date_string} …
     * @throws TemplateException if the template refuses the conversation, fails on it, or exceeds its limits
     */
    public String render(
            List<? extends Map<String, ?>> messages,
            @Nullable List<?> tools,
            @Nullable List<?> documents,
            boolean addGenerationPrompt,
            Map<String, ?> variables) {
        return run(conversation(messages, tools, documents, addGenerationPrompt, variables), false)
                .text();
    }

    /**
     * Renders a conversation and tells which parts of the text the model said, for training on these parts only.
     *
     * @throws TemplateException as {@link #render}, and if a generation block stands where its place is not known
     */
    public RenderedChat renderMarked(
            List<? extends Map<String, ?>> messages,
            @Nullable List<?> tools,
            @Nullable List<?> documents,
            boolean addGenerationPrompt,
            Map<String, ?> variables) {
        return run(conversation(messages, tools, documents, addGenerationPrompt, variables), true);
    }

    /** Renders with these variables and no others; for templates that are no chats. */
    public String render(Map<String, ?> variables) {
        return run(imported(variables), false).text();
    }

    private static Dict imported(Map<String, ?> variables) {
        Dict dict = new Dict(variables.size() + 4);
        for (Map.Entry<String, ?> variable : variables.entrySet()) {
            dict.put(variable.getKey(), Values.imported(variable.getValue()));
        }
        return dict;
    }

    private static Dict conversation(
            List<? extends Map<String, ?>> messages,
            @Nullable List<?> tools,
            @Nullable List<?> documents,
            boolean addGenerationPrompt,
            Map<String, ?> variables) {
        Dict all = imported(variables);
        all.put("messages", Values.imported(messages));
        all.put("tools", Values.imported(tools));
        all.put("documents", Values.imported(documents));
        all.put("add_generation_prompt", addGenerationPrompt);
        return all;
    }

    private RenderedChat run(Dict variables, boolean marking) {
        Rendering r = new Rendering(limits, variables, clock, marking);
        try {
            Activation a = new Activation(program.function(), null);
            program.entrance().enter(r, a);
            program.body().execute(r, a);
            return r.result();
        } catch (TemplateException failure) {
            throw failure.at(r.line);
        } catch (StackOverflowError deep) {
            throw new TemplateException(
                    TemplateException.Kind.LIMIT, r.line, "the calling thread has too small a stack for this template");
        }
    }
}
