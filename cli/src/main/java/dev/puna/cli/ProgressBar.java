package dev.puna.cli;

import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * How far something is, how fast and how long still. On a terminal one line that is written over, ten times a second at
 * most; elsewhere a plain line every ten seconds, and one at the end of what took longer than that.
 */
final class ProgressBar implements AutoCloseable {
    private static final long REDRAW_NANOS = 100_000_000L;
    private static final long LINE_NANOS = 10_000_000_000L;
    private static final int NAME_COLUMNS = 28;

    /** How amounts are written. */
    enum Unit {
        BYTES,
        TOKENS;

        private String amount(long amount) {
            return switch (this) {
                case BYTES -> Quantity.bytes(amount);
                case TOKENS -> Quantity.count(amount) + " tokens";
            };
        }
    }

    private final Terminal terminal;
    private final String name;
    private final Unit unit;
    private final LongSupplier nanoTime;
    private final long begin;
    private long lastShown;
    private boolean drawn;
    private long firstDone = -1;
    private String lastWhat = "";
    private long lastDone;
    private long lastTotal;
    private boolean isLastShown = true;

    ProgressBar(Terminal terminal, String name, Unit unit) {
        this(terminal, name, unit, System::nanoTime);
    }

    ProgressBar(Terminal terminal, String name, Unit unit, LongSupplier nanoTime) {
        this.terminal = terminal;
        this.name = name;
        this.unit = unit;
        this.nanoTime = nanoTime;
        this.begin = nanoTime.getAsLong();
        this.lastShown = begin;
    }

    /** The same, with a count of {@code things} behind: {@code 12 K documents}. */
    void show(long count, String things, long done, long total) {
        long now = nanoTime.getAsLong();
        if (now - lastShown >= (terminal.errInteractive() ? REDRAW_NANOS : LINE_NANOS)) {
            show(Quantity.count(count) + " " + things, done, total);
        }
    }

    /**
     * So much is done.
     *
     * @param what what is being worked on, shown behind; may be empty
     * @param done so far; what was there at the first call (a resumed download) does not count for the rate
     * @param total 0 if unknown
     */
    void show(String what, long done, long total) {
        long now = nanoTime.getAsLong();
        if (firstDone < 0) {
            firstDone = done;
        }
        lastWhat = what;
        lastDone = done;
        lastTotal = total;
        isLastShown = false;
        if (terminal.errInteractive() ? now - lastShown < REDRAW_NANOS && done < total : now - lastShown < LINE_NANOS) {
            return;
        }
        lastShown = now;
        isLastShown = true;
        drawn = true;
        String text = line(what, done, total, (now - begin) / 1e9);
        if (terminal.errInteractive()) {
            int width = Math.max(10, terminal.columns() - 1);
            String cut = text.length() > width ? text.substring(0, width) : text;
            terminal.err().print("\r" + cut + "\u001b[K");
            terminal.err().flush();
        } else {
            terminal.err().println(text);
        }
    }

    /** {@code converting [#######........] 45 %  1.2 GiB of 2.6 GiB  310 MiB/s  4.6 s left}. */
    private String line(String what, long done, long total, double seconds) {
        double rate = seconds > 0 ? (done - firstDone) / seconds : 0;
        StringBuilder text = new StringBuilder(name);
        if (total > 0) {
            double fraction = Math.clamp((double) done / total, 0, 1);
            int filled = (int) (fraction * 20);
            text.append(" [").repeat("#", filled).repeat(".", 20 - filled).append(']');
            text.append(String.format(Locale.ROOT, "%4d %%", (int) (100 * fraction)));
            text.append("  ").append(unit.amount(done)).append(" of ").append(unit.amount(total));
        } else {
            text.append("  ").append(unit.amount(done));
        }
        if (rate > 0) {
            text.append("  ").append(unit.amount((long) rate)).append("/s");
            if (total > done) {
                text.append("  ")
                        .append(Quantity.duration((total - done) / rate))
                        .append(" left");
            }
        }
        if (!what.isEmpty()) {
            text.append("  ")
                    .append(
                            what.length() > NAME_COLUMNS
                                    ? "…" + what.substring(what.length() - NAME_COLUMNS + 1)
                                    : what);
        }
        return text.toString();
    }

    /** Takes the bar away; what comes next begins on a clean line. Of plain lines the last says how it ended. */
    @Override
    public void close() {
        if (drawn && !terminal.errInteractive() && !isLastShown) {
            isLastShown = true;
            terminal.err().println(line(lastWhat, lastDone, lastTotal, (nanoTime.getAsLong() - begin) / 1e9));
        }
        if (drawn && terminal.errInteractive()) {
            terminal.err().print("\r\u001b[K");
            terminal.err().flush();
        }
    }
}
