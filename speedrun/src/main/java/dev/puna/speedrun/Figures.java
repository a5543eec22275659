package dev.puna.speedrun;

import java.util.Locale;

/** Numbers as people read them. */
final class Figures {
    private Figures() {}

    /** {@code 512}, {@code 3.4 K}, {@code 12.1 M}. */
    static String count(double value) {
        double left = value;
        for (String unit : new String[] {"", " K", " M", " G", " T", " P"}) {
            if (left < 999.5 || unit.equals(" P")) {
                return String.format(
                        Locale.ROOT,
                        (unit.isEmpty() || left >= 99.95 ? "%.0f" : left >= 9.995 ? "%.1f" : "%.2f") + "%s",
                        left,
                        unit);
            }
            left /= 1000;
        }
        throw new AssertionError(value);
    }

    static String count(long value) {
        return count((double) value);
    }

    /** {@code 12.3 s}, {@code 9:05}. */
    static String seconds(double seconds) {
        return seconds < 99.95
                ? String.format(Locale.ROOT, "%.1f s", seconds)
                : String.format(Locale.ROOT, "%d:%02d", Math.round(seconds) / 60, Math.round(seconds) % 60);
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation is in no library here
    static String text(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
