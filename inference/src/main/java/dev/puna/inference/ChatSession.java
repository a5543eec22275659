package dev.puna.inference;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A conversation with a model. Each turn renders all of it anew; of that, the model computes only what it does not have
 * in its cache, which is the new message.
 *
 * <p>Not for concurrent use.
 */
public final class ChatSession {
    private final Llama llama;
    private final ChatPrompt prompt;
    private final List<ChatMessage> messages = new ArrayList<>();
    private Optional<String> system;

    ChatSession(Llama llama, ChatPrompt prompt, Optional<String> system) {
        this.llama = llama;
        this.prompt = prompt;
        this.system = system;
    }

    /** What was said so far; a system message comes first. */
    public List<ChatMessage> messages() {
        List<ChatMessage> all = new ArrayList<>();
        system.ifPresent(text -> all.add(ChatMessage.system(text)));
        all.addAll(messages);
        return List.copyOf(all);
    }

    /** Forgets what was said; the system message stays. */
    public void reset() {
        messages.clear();
    }

    /** Another system message; empty for none. What was said stays. */
    public void system(String text) {
        system = text.isBlank() ? Optional.empty() : Optional.of(text);
    }

    /** Says something and hears the answer. */
    public GenerationResult send(String message, GenerationOptions options) {
        return send(message, options, GenerationListener.NONE, new Cancellation());
    }

    /**
     * Says something and hears the answer, token by token. Both join the conversation, an answer that was cancelled as
     * far as it came; when this throws, neither does.
     *
     * @throws dev.puna.tensor.ConfigurationException if the conversation fills the context
     * @throws dev.puna.tokenizer.template.TemplateException if the template refuses the conversation
     */
    public GenerationResult send(
            String message, GenerationOptions options, GenerationListener listener, Cancellation cancellation) {
        List<ChatMessage> conversation = new ArrayList<>(messages());
        conversation.add(ChatMessage.user(message));
        GenerationResult result = llama.generate(prompt.encode(conversation), options, listener, cancellation);
        messages.add(ChatMessage.user(message));
        messages.add(ChatMessage.assistant(result.text().strip()));
        return result;
    }
}
