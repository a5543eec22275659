package dev.puna.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers with units, as people read them. */
final class Quantity {
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,15}(?:\\.[0-9]{1,9})?) ?([kKmMgGtT]?)(?:i?[bB])?");

    private Quantity() {}

    /** {@code 1.3 GiB}. */
    static String bytes(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        String[] units = {"KiB", "MiB", "GiB", "TiB", "PiB"};
        double value = bytes / 1024.0;
        int unit = 0;
        while (value >= 1023.95 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(
                Locale.ROOT, value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    }

    /**
     * Bytes of {@code 4GiB}, {@code 512 MiB}, {@code 1.5g} or {@code 1073741824}; units are powers of 1024.
     *
     * @throws IllegalArgumentException if it is no size, or none at all
     */
    static long parseBytes(String text) {
        Matcher size = SIZE.matcher(text.strip());
        if (!size.matches()) {
            throw new IllegalArgumentException("must be a size such as 4GiB, found '" + text + "'");
        }
        int unit = " KMGT".indexOf(size.group(2).isEmpty() ? " " : size.group(2).toUpperCase(Locale.ROOT));
        double bytes = Double.parseDouble(size.group(1)) * Math.pow(1024, unit);
        if (bytes < 1) {
            throw new IllegalArgumentException("must be more than nothing, found '" + text + "'");
        }
        return (long) bytes;
    }

    /** {@code 1.24 B} parameters, {@code 512 M}. */
    static String count(long count) {
        double value = count;
        for (String unit : new String[] {"", " K", " M", " B", " T"}) {
            if (value < 999.5 || unit.equals(" T")) {
                return unit.isEmpty()
                        ? Long.toString(count)
                        : String.format(
                                Locale.ROOT, value < 10 ? "%.2f%s" : value < 100 ? "%.1f%s" : "%.0f%s", value, unit);
            }
            value /= 1000;
        }
        throw new AssertionError(count);
    }

    /** Three significant digits: {@code 0.123}, {@code 12.3}, {@code 1230}. */
    static String rate(double value) {
        return String.format(
                Locale.ROOT, value < 1 ? "%.3f" : value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
    }

    /** {@code 3.2 s}, {@code 4:05}, {@code 1:02:03}. */
    static String duration(double seconds) {
        if (seconds < 60) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long whole = Math.round(seconds);
        return whole < 3600
                ? String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
    }
}
