package dev.puna.cli;

import java.util.List;

/**
 * A verb of the command line: its options are its fields, declared on {@link #options} when it is made; {@link #run} does
 * the work.
 */
abstract class Verb {
    final Terminal terminal;
    final Options options = new Options();

    Verb(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Does the work. What it throws becomes one line and an exit status in {@link Program}. */
    abstract void run() throws Exception;

    /** Examples for {@code --help}: whole commands. */
    abstract List<String> examples();
}
