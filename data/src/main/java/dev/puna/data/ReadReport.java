package dev.puna.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * What happened while reading: bytes, documents, what was left out and why, and which records were broken. Shared by
 * the threads that read; the first {@value #KEPT} broken records are kept with their places, the rest only counted.
 */
public final class ReadReport {
    /** How many broken records are kept with their places. */
    public static final int KEPT = 100;

    private final LongAdder bytes = new LongAdder();
    private final LongAdder documents = new LongAdder();
    private final LongAdder textBytes = new LongAdder();
    private final Map<String, Long> skipped = new TreeMap<>();
    private final List<BrokenRecord> broken = new ArrayList<>();
    private long brokenCount;

    /** Nothing has happened yet. */
    public ReadReport() {}

    /** Bytes of the (compressed) file that have been taken from the disk. */
    public void addBytes(long count) {
        bytes.add(count);
    }

    public void addDocument(Document document) {
        documents.increment();
        textBytes.add(document.utf8Length());
    }

    /** A document that is counted already becomes one more: its bytes stay the same. */
    public void addPiece() {
        documents.increment();
    }

    /** One record was well formed but is not wanted; {@code reason} is a short constant phrase. */
    public void skip(String reason) {
        skip(reason, 1);
    }

    public void skip(String reason, long count) {
        synchronized (skipped) {
            skipped.merge(reason, count, Long::sum);
        }
    }

    public void broken(Path file, long offset, String problem) {
        synchronized (broken) {
            brokenCount++;
            if (broken.size() < KEPT) {
                broken.add(new BrokenRecord(file, offset, problem));
            }
        }
    }

    public long bytes() {
        return bytes.sum();
    }

    public long documents() {
        return documents.sum();
    }

    public long textBytes() {
        return textBytes.sum();
    }

    public long brokenCount() {
        synchronized (broken) {
            return brokenCount;
        }
    }

    /** The first broken records. */
    public List<BrokenRecord> broken() {
        synchronized (broken) {
            return List.copyOf(broken);
        }
    }

    /** Why records were left out, and how many for each reason. */
    public Map<String, Long> skipped() {
        synchronized (skipped) {
            return Map.copyOf(skipped);
        }
    }

    /** Adds everything that {@code other} counted. */
    public void add(ReadReport other) {
        bytes.add(other.bytes());
        documents.add(other.documents());
        textBytes.add(other.textBytes());
        other.skipped().forEach(this::skip);
        List<BrokenRecord> theirs = other.broken();
        long more = other.brokenCount();
        synchronized (broken) {
            brokenCount += more;
            for (BrokenRecord record : theirs) {
                if (broken.size() < KEPT) {
                    broken.add(record);
                }
            }
        }
    }
}
