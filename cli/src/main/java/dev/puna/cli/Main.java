package dev.puna.cli;

/** Where the program starts. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        Terminal terminal = Terminal.ofProcess();
        int status = new Program(terminal).run(args);
        terminal.flush();
        System.exit(status);
    }
}
