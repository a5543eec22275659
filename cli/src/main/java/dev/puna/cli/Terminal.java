package dev.puna.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Where a verb reads and writes, and which of these three a person looks at. Text is UTF-8 whatever the locale says.
 *
 * @param columns width of the terminal; 80 where there is none
 */
record Terminal(
        InputStream in,
        PrintStream out,
        PrintStream err,
        boolean inInteractive,
        boolean outInteractive,
        boolean errInteractive,
        int columns) {

    /**
     * The process's own streams. The launcher says which are terminals: {@code -Dpuna.terminal=ioe}. One that cannot move
     * its cursor ({@code TERM=dumb}) is written to as a file is.
     */
    static Terminal ofProcess() {
        String interactive = System.getProperty("puna.terminal", "");
        boolean moves = !"dumb".equals(System.getenv("TERM"));
        return new Terminal(
                new FileInputStream(FileDescriptor.in),
                new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8),
                new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
                interactive.contains("i"),
                moves && interactive.contains("o"),
                moves && interactive.contains("e"),
                Math.max(20, Integer.getInteger("puna.columns", 80)));
    }

    /** {@code text} in a colour when standard output is a terminal and NO_COLOR is not set. */
    String color(Color color, String text) {
        return outInteractive && colorWanted() ? color.paint(text) : text;
    }

    /** The same for standard error. */
    String errColor(Color color, String text) {
        return errInteractive && colorWanted() ? color.paint(text) : text;
    }

    void flush() {
        out.flush();
        err.flush();
    }

    private static boolean colorWanted() {
        return System.getenv("NO_COLOR") == null;
    }

    /** The few colours in use; each is its ANSI code. */
    enum Color {
        BOLD("1"),
        FAINT("2"),
        RED("31"),
        GREEN("32");

        private final String code;

        Color(String code) {
            this.code = code;
        }

        String paint(String text) {
            return "\u001b[" + code + "m" + text + "\u001b[0m";
        }
    }
}
