package dev.puna.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.Terminal.SignalHandler;
import org.jline.terminal.TerminalBuilder;

/** Where the messages of a chat come from. A line that ends in a backslash goes on in the next. */
sealed interface ChatPrompter extends AutoCloseable {
    /** The next message; empty at the end. */
    Optional<String> next() throws IOException;

    /** Runs {@code action} when Ctrl-C is pressed, until the result is closed. */
    Interruption onInterrupt(Runnable action);

    @Override
    void close() throws IOException;

    /** What is to be done for Ctrl-C for a while. */
    interface Interruption extends AutoCloseable {
        @Override
        void close();
    }

    /** With an editable line and a history on a terminal, else line by line. */
    static ChatPrompter open(Terminal terminal) throws IOException {
        return terminal.inInteractive() && terminal.outInteractive() ? OnTerminal.open() : new FromPipe(terminal);
    }

    /** jline: arrows, history in {@code ~/.puna_history}, search with Ctrl-R. */
    record OnTerminal(org.jline.terminal.Terminal screen, LineReader reader) implements ChatPrompter {
        static OnTerminal open() throws IOException {
            org.jline.terminal.Terminal screen = TerminalBuilder.builder()
                    .system(true)
                    .nativeSignals(true)
                    .signalHandler(SignalHandler.SIG_IGN)
                    .build();
            LineReader reader = LineReaderBuilder.builder()
                    .terminal(screen)
                    .appName("puna")
                    .variable(LineReader.HISTORY_FILE, Path.of(System.getProperty("user.home"), ".puna_history"))
                    .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                    .build();
            return new OnTerminal(screen, reader);
        }

        @Override
        public Optional<String> next() {
            StringBuilder message = new StringBuilder();
            String prompt = "> ";
            while (true) {
                try {
                    String line = reader.readLine(prompt);
                    if (!line.endsWith("\\")) {
                        return Optional.of(message.append(line).toString());
                    }
                    message.append(line, 0, line.length() - 1).append('\n');
                    prompt = ". ";
                } catch (UserInterruptException e) {
                    message.setLength(0); // Ctrl-C while typing: begin anew
                    prompt = "> ";
                } catch (EndOfFileException e) {
                    return Optional.empty();
                }
            }
        }

        @Override
        public Interruption onInterrupt(Runnable action) {
            SignalHandler before = screen.handle(Signal.INT, signal -> action.run());
            return () -> screen.handle(Signal.INT, before);
        }

        @Override
        public void close() throws IOException {
            screen.close();
        }
    }

    /** Lines of standard input. */
    record FromPipe(BufferedReader reader) implements ChatPrompter {
        FromPipe(Terminal terminal) {
            this(new BufferedReader(new InputStreamReader(terminal.in(), StandardCharsets.UTF_8)));
        }

        @Override
        public Optional<String> next() throws IOException {
            StringBuilder message = new StringBuilder();
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (!line.endsWith("\\")) {
                    return Optional.of(message.append(line).toString());
                }
                message.append(line, 0, line.length() - 1).append('\n');
            }
            return message.isEmpty() ? Optional.empty() : Optional.of(message.toString());
        }

        /** Nobody sits there: Ctrl-C ends the program as it ends every other. */
        @Override
        public Interruption onInterrupt(Runnable action) {
            return () -> {};
        }

        @Override
        public void close() {}
    }
}
