package dev.puna.data.bench;

/**
 * One thing measured once.
 *
 * @param what was done
 * @param perSecond how much of it in a second
 * @param unit of {@code perSecond}, and whether a second of one thread's processor time or of the clock is meant
 * @param detail sizes and results: what the figure is of
 */
public record Figure(String what, double perSecond, String unit, String detail) {
    static final String MB_PER_CORE = "MB/s per core";
}
