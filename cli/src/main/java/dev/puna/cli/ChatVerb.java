package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.Cancellation;
import dev.puna.inference.ChatMessage;
import dev.puna.inference.ChatPrompt;
import dev.puna.inference.ChatSession;
import dev.puna.inference.FinishReason;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Llama;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.template.TemplateException;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * {@code puna chat}: a conversation. On a terminal with an editable prompt and a history; from a pipe every line is a
 * message. Ctrl-C stops the answer and not the program.
 */
final class ChatVerb extends Verb {
    private static final String HELP = """
            /reset          forget the conversation
            /system TEXT    say what the model is; without TEXT, take that away
            /save FILE      write the conversation as JSON
            /help           this
            /exit           end (so does Ctrl-D)
            A line that ends in a backslash goes on in the next one. Ctrl-C stops an answer.
            """;

    private final ModelOption model = new ModelOption(terminal, options);
    private final Value<String> system = options.text("--system", "TEXT", "A system message to begin with.");
    private final Value<Boolean> json = options.flag(
            "--json", "Print every answer as one line of JSON: {\"role\",\"content\",\"finish_reason\",\"tokens\"}.");
    private final SamplingOptions sampling = new SamplingOptions(options, 1024);
    private final ModelOption.CacheOptions cache = new ModelOption.CacheOptions(options);
    private final ComputeOptions compute = new ComputeOptions(options);

    ChatVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna chat Llama-3.2-1B-Instruct-Q8_0.gguf",
                "puna chat meta-llama/Llama-3.2-1B-Instruct --system 'You answer in rhymes.'",
                "echo 'Why is the sky blue?' | puna chat ./Llama-3.2-1B-Instruct --temperature 0");
    }

    record Said(String role, String content, String finishReason, int tokens) {}

    /** A conversation on disk, in the shape of OpenAI's API and of fine-tuning data. */
    record Saved(List<ChatMessage> messages) {}

    @Override
    void run() throws IOException {
        GenerationOptions wanted = sampling.toGenerationOptions();
        try (Llama llama = model.open(compute, cache);
                ChatPrompter prompter = ChatPrompter.open(terminal)) {
            ChatSession session = llama.chat(ChatPrompt.of(llama.tokenizer()), system.value());
            if (terminal.inInteractive()) {
                terminal.err()
                        .println(terminal.errColor(
                                Terminal.Color.FAINT, model.text() + ". /help shows the commands, Ctrl-D ends."));
            }
            for (Optional<String> line = prompter.next(); line.isPresent(); line = prompter.next()) {
                String message = line.get().strip();
                if (message.equals("/exit") || message.equals("/quit")) {
                    return;
                }
                if (message.startsWith("/")) {
                    command(session, message);
                } else if (!message.isEmpty()) {
                    answer(session, prompter, message, wanted);
                }
            }
        }
    }

    private void answer(ChatSession session, ChatPrompter prompter, String message, GenerationOptions wanted) {
        Cancellation cancellation = new Cancellation();
        try (ChatPrompter.Interruption _ = prompter.onInterrupt(cancellation::cancel)) {
            GenerationResult result = session.send(
                    message,
                    wanted,
                    (token, piece) -> {
                        if (!json.isGiven()) {
                            terminal.out().print(piece);
                            terminal.out().flush();
                        }
                    },
                    cancellation);
            terminal.out()
                    .println(
                            json.isGiven()
                                    ? Json.write(new Said(
                                            "assistant",
                                            result.text(),
                                            result.finishReason().name().toLowerCase(Locale.ROOT),
                                            result.tokens().size()))
                                    : "");
            if (result.finishReason() == FinishReason.CANCELLED) {
                terminal.err().println(terminal.errColor(Terminal.Color.FAINT, "[stopped]"));
            } else if (result.finishReason() == FinishReason.LENGTH) {
                terminal.err()
                        .println(terminal.errColor(
                                Terminal.Color.FAINT,
                                "[cut after " + result.tokens().size()
                                        + " tokens: --max-tokens, or the context is full]"));
            }
            if (terminal.inInteractive()) {
                terminal.err()
                        .println(terminal.errColor(
                                Terminal.Color.FAINT,
                                String.format(
                                        Locale.ROOT,
                                        "[%d tokens, %s/s]",
                                        result.timings().generatedTokens(),
                                        Quantity.rate(result.timings().decodeTokensPerSecond()))));
            }
        } catch (ConfigurationException | TemplateException e) {
            // A message that does not fit, or that the template refuses, is no reason to lose the conversation.
            complain(String.valueOf(e.getMessage()));
        }
        terminal.flush();
    }

    private void command(ChatSession session, String line) throws IOException {
        int space = line.indexOf(' ');
        String name = space < 0 ? line : line.substring(0, space);
        String argument = space < 0 ? "" : line.substring(space + 1).strip();
        switch (name) {
            case "/reset" -> {
                session.reset();
                say("[forgotten]");
            }
            case "/system" -> {
                session.system(argument);
                say(argument.isEmpty() ? "[no system message]" : "[system message set]");
            }
            case "/save" -> save(session, argument);
            case "/help" -> terminal.err().print(HELP);
            default ->
                complain("unknown command " + name
                        + Similar.hint(name, List.of("/reset", "/system", "/save", "/help", "/exit")));
        }
    }

    private void save(ChatSession session, String file) {
        if (file.isEmpty()) {
            complain("/save needs the name of a file");
            return;
        }
        try {
            AtomicFile.write(Path.of(file), Json.writePretty(new Saved(session.messages())) + "\n");
            say("[" + session.messages().size() + " messages in " + file + "]");
        } catch (IOException | InvalidPathException e) {
            complain("cannot write " + file + ": " + e.getMessage());
        }
    }

    private void say(String text) {
        terminal.err().println(terminal.errColor(Terminal.Color.FAINT, text));
    }

    private void complain(String text) {
        terminal.err().println(terminal.errColor(Terminal.Color.RED, "puna:") + " " + text);
    }
}
