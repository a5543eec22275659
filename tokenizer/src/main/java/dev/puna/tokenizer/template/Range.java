package dev.puna.tokenizer.template;

/** Python's {@code range}, of at most 100,000 numbers as in jinja2's sandbox. */
record Range(long start, long stop, long step) {
    private static final int MAX_SIZE = 100_000;

    static Range of(long start, long stop, long step) {
        if (step == 0) {
            throw TemplateException.runtime("range() arg 3 must not be zero");
        }
        Range range = new Range(start, stop, step);
        double size = Math.ceil(((double) stop - (double) start) / step);
        if (size > MAX_SIZE) {
            throw TemplateException.limit("a range of " + size + " numbers; at most " + MAX_SIZE + " are allowed");
        }
        return range;
    }

    int size() {
        if (step > 0 ? stop <= start : stop >= start) {
            return 0;
        }
        return (int) ((stop - start + step + (step > 0 ? -1 : 1)) / step);
    }

    long get(int index) {
        return start + index * step;
    }

    @Override
    public String toString() {
        return "range(" + start + ", " + stop + (step == 1 ? "" : ", " + step) + ")";
    }
}
