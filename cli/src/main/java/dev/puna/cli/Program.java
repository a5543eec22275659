package dev.puna.cli;

import dev.puna.kernels.KernelsChoice;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tokenizer.template.TemplateException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import tools.jackson.core.exc.JacksonIOException;

/** Takes the arguments to a verb, and what a verb throws to one line and an exit status. */
final class Program {
    static final String VERSION = "0.1.0";

    static final int OK = 0;
    /** It failed. */
    static final int FAILED = 1;
    /** Something impossible was asked for. */
    static final int IMPOSSIBLE = 2;

    private final Terminal terminal;

    Program(Terminal terminal) {
        this.terminal = terminal;
    }

    int run(String... args) {
        List<String> words = Arrays.asList(args);
        if (words.isEmpty()) {
            terminal.err().print(help(""));
            return IMPOSSIBLE;
        }
        return switch (words.getFirst()) {
            case "--version" -> print("puna " + VERSION + " (Java " + Runtime.version() + ")\n");
            case "--help", "-h", "help" -> print(help(""));
            // The next three are for the launcher and for .ci/run.
            case "--tier" ->
                print(KernelsChoice.onThisMachine(KernelsChoice.AUTO).chosen().name() + "\n");
            case "--rehearse" -> Rehearsal.run();
            case "--tiny" -> writeTinyModel(words);
            default -> runVerb(words);
        };
    }

    private int print(String text) {
        terminal.out().print(text);
        return OK;
    }

    private int writeTinyModel(List<String> words) {
        if (words.size() != 2) {
            error("--tiny: needs the name of one file");
            return IMPOSSIBLE;
        }
        try {
            Rehearsal.writeTinyModel(Path.of(words.get(1)));
            return OK;
        } catch (IOException e) {
            return report("--tiny", e);
        }
    }

    private int runVerb(List<String> words) {
        for (VerbEntry entry : VerbEntry.ALL) {
            List<String> name = entry.wordList();
            if (words.size() >= name.size() && words.subList(0, name.size()).equals(name)) {
                return runVerb(entry, words.subList(name.size(), words.size()));
            }
        }
        String first = words.getFirst();
        if (VerbEntry.ALL.stream().anyMatch(entry -> entry.words().startsWith(first + " "))) {
            boolean helpWanted = words.size() > 1
                    && (words.get(1).equals("--help") || words.get(1).equals("-h"));
            (helpWanted ? terminal.out() : terminal.err()).print(help(first + " "));
            return helpWanted ? OK : IMPOSSIBLE;
        }
        List<String> known = new ArrayList<>();
        for (VerbEntry entry : VerbEntry.ALL) {
            known.add(entry.wordList().getFirst());
        }
        error((first.startsWith("-") ? "unknown option '" : "unknown verb '") + first + "'" + Similar.hint(first, known)
                + " (puna --help lists them)");
        return IMPOSSIBLE;
    }

    private int runVerb(VerbEntry entry, List<String> words) {
        Verb verb = entry.maker().apply(terminal);
        try {
            verb.options.parse(words);
            if (verb.options.helpWanted()) {
                terminal.out().print(help(entry, verb));
            } else {
                verb.run();
            }
            return OK;
        } catch (Exception e) {
            return report(entry.words(), e);
        } catch (OutOfMemoryError e) {
            error("out of memory: the heap may take "
                    + Quantity.bytes(Runtime.getRuntime().maxMemory())
                    + "; give it more with PUNA_JAVA_OPTS=-Xmx…, or use a smaller model or context");
            return FAILED;
        }
    }

    /** The verbs whose words begin with {@code prefix}. */
    private String help(String prefix) {
        StringBuilder text = new StringBuilder();
        text.append("Usage: puna ").append(prefix).append("VERB\n\n");
        if (prefix.isEmpty()) {
            text.append("The LLaMA stack for the JVM.\n\n");
        }
        for (VerbEntry entry : VerbEntry.ALL) {
            if (entry.words().startsWith(prefix)) {
                text.append(String.format(Locale.ROOT, "  %-18s %s%n", entry.words(), entry.summary()));
            }
        }
        text.append("\n  puna VERB --help   options and examples of a verb\n");
        if (prefix.isEmpty()) {
            text.append("  puna --version     the versions of Puna and of Java\n\n");
            text.append("MODEL is a Hugging Face directory, a .gguf file, a directory of Meta's, or owner/name\n");
            text.append("on the Hugging Face hub.\n");
        }
        return text.toString();
    }

    private String help(VerbEntry entry, Verb verb) {
        StringBuilder text = new StringBuilder();
        text.append(verb.options.usage(entry.words())).append("\n\n");
        text.append(entry.summary().substring(0, 1).toUpperCase(Locale.ROOT))
                .append(entry.summary().substring(1))
                .append(".\n\n");
        text.append(verb.options.table(Math.clamp(terminal.columns(), 60, 100)));
        text.append("\nExamples:\n");
        for (String example : verb.examples()) {
            text.append("  ").append(example).append('\n');
        }
        return text.toString();
    }

    private int report(String verb, Exception failure) {
        debug(failure);
        return switch (failure) {
            case UsageException e ->
                refused(IMPOSSIBLE, verb + ": " + message(e) + " (see 'puna " + verb + " --help')");
            case ConfigurationException e -> refused(IMPOSSIBLE, message(e));
            case TemplateException e ->
                refused(e.kind() == TemplateException.Kind.RAISED ? IMPOSSIBLE : FAILED, message(e));
            case CorruptFileException e -> refused(FAILED, message(e));
            case NoSuchFileException e -> refused(IMPOSSIBLE, e.getFile() + ": no such file or directory");
            case AccessDeniedException e -> refused(IMPOSSIBLE, e.getFile() + ": permission denied");
            case FileAlreadyExistsException e ->
                refused(IMPOSSIBLE, e.getFile() + ": exists already; choose another name, or --force to replace it");
            case FileSystemException e ->
                refused(FAILED, e.getFile() + ": " + Objects.requireNonNullElse(e.getReason(), "cannot be used"));
            case UncheckedIOException e when e.getCause() != null -> report(verb, e.getCause());
            case JacksonIOException e when e.getCause() != null -> report(verb, e.getCause());
            case IOException e -> refused(FAILED, message(e));
            default -> refused(FAILED, "internal error: " + failure + " (PUNA_DEBUG=1 shows where)");
        };
    }

    private static String message(Exception failure) {
        return Objects.requireNonNullElse(
                failure.getMessage(), failure.getClass().getSimpleName());
    }

    private int refused(int status, String message) {
        error(message);
        return status;
    }

    private void error(String message) {
        terminal.out().flush();
        terminal.err().println(terminal.errColor(Terminal.Color.RED, "puna:") + " " + message.strip());
    }

    private void debug(Exception failure) {
        String wanted = System.getenv("PUNA_DEBUG");
        if (wanted != null && !wanted.isEmpty() && !wanted.equals("0")) {
            failure.printStackTrace(terminal.err());
        }
    }
}
