package dev.puna.cli;

import dev.puna.speedrun.SpeedrunListener;
import dev.puna.speedrun.Stage;
import java.util.Locale;

/**
 * A line for each stage that is done; on a terminal the one at work below it, written over; elsewhere plain lines now and
 * then, some forty in a long run.
 */
final class SpeedrunView implements SpeedrunListener, AutoCloseable {
    private static final long REDRAW_NANOS = 200_000_000L;
    private static final double LEAST_LINE_SECONDS = 15;
    private static final int LINES = 40;
    private static final int BAR = 16;

    /** Where the text of a line begins: behind the stage, its time and its share. */
    private static final int TEXT_COLUMN = 25;

    private final Terminal terminal;
    private final double seconds;
    private final boolean quiet;
    private final long everyNanos;
    private final long began = System.nanoTime();
    private double before;
    private long shown = began;
    private boolean drawn;

    /** @param quiet whether to show nothing but a bar on a terminal */
    SpeedrunView(Terminal terminal, double minutes, boolean quiet) {
        this.terminal = terminal;
        this.seconds = 60 * minutes;
        this.quiet = quiet;
        this.everyNanos =
                terminal.errInteractive() ? REDRAW_NANOS : (long) (1e9 * Math.max(LEAST_LINE_SECONDS, seconds / LINES));
    }

    @Override
    public synchronized void begins(Stage stage) {
        progress(stage, 0, stage.description());
    }

    @Override
    public synchronized void progress(Stage stage, double fraction, String text) {
        long now = System.nanoTime();
        if (now - shown < everyNanos) {
            return;
        }
        shown = now;
        double left = Math.max(0, seconds - before - (now - began) / 1e9);
        if (terminal.errInteractive()) {
            terminal.err().print("\r" + working(stage, fraction, text, left, terminal.columns() - 1) + "\u001b[K");
            terminal.err().flush();
            drawn = true;
        } else if (!quiet) {
            terminal.err().println(working(stage, fraction, text, left, Integer.MAX_VALUE));
        }
    }

    /** The stage at work in at most {@code width} columns: where these are few, without a bar, then cut. */
    static String working(Stage stage, double fraction, String text, double left, int width) {
        int filled = (int) (Math.clamp(fraction, 0, 1) * BAR);
        String bar = "[" + "#".repeat(filled) + ".".repeat(BAR - filled) + "] ";
        String name = String.format(Locale.ROOT, "%-9s ", stage.title());
        String rest =
                String.format(Locale.ROOT, "%3.0f %%  %s  %s left", 100 * fraction, text, Quantity.duration(left));
        String line = name + bar + rest;
        if (line.length() > width) {
            line = name + rest;
        }
        return line.length() > width ? line.substring(0, Math.max(0, width)) : line;
    }

    @Override
    public synchronized void done(Stage stage, double took, String summary, boolean earlier) {
        if (earlier) {
            before += took;
        }
        note(String.format(
                Locale.ROOT,
                "%-9s %7s %3.0f %%  %s%s",
                stage.title(),
                Quantity.duration(took),
                100 * took / seconds,
                summary,
                earlier ? " (before)" : ""));
    }

    @Override
    public synchronized void note(String line) {
        clear();
        if (!quiet) {
            terminal.err().println(terminal.errInteractive() ? wrapped(line, terminal.columns(), TEXT_COLUMN) : line);
        }
    }

    /** A line in pieces of at most {@code width} columns, broken at spaces; those after the first begin further in. */
    static String wrapped(String line, int width, int indent) {
        if (line.length() <= width || width <= 2 * indent) {
            return line;
        }
        int cut = line.lastIndexOf(' ', width);
        if (cut <= indent) {
            return line;
        }
        String rest = " ".repeat(indent) + line.substring(cut + 1).strip();
        return line.substring(0, cut).stripTrailing() + System.lineSeparator() + wrapped(rest, width, indent);
    }

    synchronized void clear() {
        if (drawn) {
            terminal.err().print("\r\u001b[K");
            terminal.err().flush();
            drawn = false;
        }
    }

    @Override
    public synchronized void close() {
        clear();
    }
}
