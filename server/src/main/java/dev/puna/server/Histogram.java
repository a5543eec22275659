package dev.puna.server;

import java.util.Locale;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;

/** How often values fell below fixed bounds, in Prometheus' text format 0.0.4. For any number of threads. */
final class Histogram {
    private final String name;
    private final String help;
    private final double[] bounds;
    private final LongAdder[] counts;
    private final DoubleAdder sum = new DoubleAdder();

    /** @param bounds upper bounds, ascending */
    Histogram(String name, String help, double... bounds) {
        this.name = name;
        this.help = help;
        this.bounds = bounds;
        this.counts = new LongAdder[bounds.length + 1];
        for (int i = 0; i < counts.length; i++) {
            counts[i] = new LongAdder();
        }
    }

    void record(double value) {
        int bucket = 0;
        while (bucket < bounds.length && value > bounds[bucket]) {
            bucket++;
        }
        counts[bucket].increment();
        sum.add(value);
    }

    void write(StringBuilder out) {
        Metrics.head(out, name, help, "histogram");
        long reached = 0;
        for (int i = 0; i < counts.length; i++) {
            reached += counts[i].sum();
            String bound = i < bounds.length ? String.format(Locale.ROOT, "%s", bounds[i]) : "+Inf";
            out.append("puna_")
                    .append(name)
                    .append("_bucket{le=\"")
                    .append(bound)
                    .append("\"} ");
            out.append(reached).append('\n');
        }
        out.append("puna_").append(name).append("_sum ").append(sum.sum()).append('\n');
        out.append("puna_").append(name).append("_count ").append(reached).append('\n');
    }
}
