package dev.puna.cli;

/** Where the program starts. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        // Plots are drawn into files: a DISPLAY that is gone, as in a session that was detached, must not matter.
        System.setProperty("java.awt.headless", "true");
        Terminal terminal = Terminal.ofProcess();
        int status = new Program(terminal).run(args);
        terminal.flush();
        System.exit(status);
    }
}
