package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a stage took in, gave out and dropped, with examples; safe for all threads. */
public final class FilterCounters {
    /**
     * Something that was dropped.
     *
     * @param id of the document
     * @param reason why
     * @param evidence what was found
     * @param beginning the first characters of its text
     */
    public record Example(String id, String reason, String evidence, String beginning) {}

    private static final int EXAMPLES = 5;

    private final String name;
    private final Map<String, Long> dropped = new TreeMap<>();
    private final Map<String, List<Example>> examples = new LinkedHashMap<>();
    private long in;
    private long out;
    private long bytesIn;
    private long bytesOut;

    public FilterCounters(String name) {
        this.name = name;
    }

    /** Applies the filter and counts; the document to go on with, or null. */
    public @org.jspecify.annotations.Nullable Document apply(DocumentFilter filter, Document document) {
        long bytes = document.utf8Length();
        return switch (filter.apply(document)) {
            case Verdict.Keep keep -> {
                Document kept = keep.document();
                kept(bytes, kept.text().equals(document.text()) ? bytes : kept.utf8Length());
                yield kept;
            }
            case Verdict.Drop drop -> {
                dropped(document, drop, bytes);
                yield null;
            }
        };
    }

    /** Counts a document that stays: bytes of its text in UTF-8 before and after. */
    private synchronized void kept(long before, long after) {
        in++;
        out++;
        bytesIn += before;
        bytesOut += after;
    }

    private synchronized void dropped(Document document, Verdict.Drop drop, long bytes) {
        in++;
        bytesIn += bytes;
        dropped.merge(drop.reason(), 1L, Long::sum);
        List<Example> list = examples.computeIfAbsent(drop.reason(), r -> new ArrayList<>());
        if (list.size() < EXAMPLES) {
            String text = document.text();
            list.add(new Example(
                    document.id(), drop.reason(), drop.evidence(), text.substring(0, Math.min(200, text.length()))));
        }
    }

    /** Adds counts that another run or thread has made. */
    public synchronized void add(
            long moreIn, long moreOut, long moreBytesIn, long moreBytesOut, Map<String, Long> why) {
        in += moreIn;
        out += moreOut;
        bytesIn += moreBytesIn;
        bytesOut += moreBytesOut;
        why.forEach((reason, count) -> dropped.merge(reason, count, Long::sum));
    }

    public String name() {
        return name;
    }

    public synchronized long in() {
        return in;
    }

    public synchronized long out() {
        return out;
    }

    public synchronized long bytesIn() {
        return bytesIn;
    }

    public synchronized long bytesOut() {
        return bytesOut;
    }

    /** How many went, by reason. */
    public synchronized Map<String, Long> dropped() {
        return new TreeMap<>(dropped);
    }

    /** What {@code show} prints: for each reason a few documents and what was found in them. */
    public synchronized String show() {
        StringBuilder out = new StringBuilder();
        for (Map.Entry<String, List<Example>> entry : examples.entrySet()) {
            out.append(name)
                    .append(": ")
                    .append(entry.getKey())
                    .append(" (")
                    .append(dropped.getOrDefault(entry.getKey(), 0L))
                    .append(" documents)\n");
            for (Example example : entry.getValue()) {
                out.append("  ")
                        .append(example.id())
                        .append("  ")
                        .append(example.evidence())
                        .append("\n    ")
                        .append(example.beginning().replace("\n", "\n    "))
                        .append('\n');
            }
        }
        return out.toString();
    }
}
