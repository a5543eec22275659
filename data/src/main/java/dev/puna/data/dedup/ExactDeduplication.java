package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.LongRecordSort;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.UrlBlockList;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Iterator;
import java.util.Objects;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the first of documents with the same text, or with the same address. Digests of 16 bytes are sorted, in memory as
 * far as the given bytes reach and else on the disk (24 bytes for each document).
 */
public final class ExactDeduplication implements KeyedDeduplication {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final boolean byUrl;
    private final Path folder;
    private final long memoryBytes;
    private final ThreadLocal<MessageDigest> md5 = ThreadLocal.withInitial(ExactDeduplication::newMd5);
    private final LongRecordSort digests; // low, high, ordinal
    private @Nullable Duplicates duplicates;

    /**
     * @param byUrl true to compare addresses (as C4 normalizes them), false to compare texts
     * @param folder for temporary files
     * @param memoryBytes for what is sorted
     */
    public ExactDeduplication(boolean byUrl, Path folder, long memoryBytes) throws IOException {
        this.byUrl = byUrl;
        this.folder = folder;
        this.memoryBytes = memoryBytes;
        this.digests = new LongRecordSort(3, folder, "digests", Math.max(4096, memoryBytes / 2));
    }

    private static MessageDigest newMd5() {
        try {
            return MessageDigest.getInstance("MD5");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Runs that had to be written to disk. */
    public int runs() {
        return digests.runs();
    }

    @Override
    public String name() {
        return byUrl ? "url-dedup" : "exact-dedup";
    }

    @Override
    public Rule rule() {
        return new Rule.FirstOfKey();
    }

    private byte @Nullable [] digest(Document document) {
        String key = document.text();
        if (byUrl) {
            String url = document.string("url");
            if (url == null) {
                return null;
            }
            key = UrlBlockList.normalized(url);
        }
        return md5.get().digest(key.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void keys(Document document, KeySink sink) {
        byte[] digest = digest(document);
        if (digest != null) {
            sink.key((long) LONG.get(digest, 8), (long) LONG.get(digest, 0));
        }
    }

    @Override
    public void look(Document document, long ordinal) throws IOException {
        byte[] digest = digest(document);
        if (digest != null) {
            digests.add((long) LONG.get(digest, 0), (long) LONG.get(digest, 8), ordinal);
        }
    }

    @Override
    public void decide(Path state) throws IOException {
        try (LongRecordSort pairs = new LongRecordSort(2, folder, "pairs", Math.max(4096, memoryBytes / 4));
                LongRecordSort.Cursor cursor = digests.sorted()) {
            long low = 0;
            long high = 0;
            long first = -1;
            while (cursor.next()) {
                if (first >= 0 && cursor.first() == low && cursor.second() == high) {
                    pairs.add(cursor.third(), first);
                } else {
                    low = cursor.first();
                    high = cursor.second();
                    first = cursor.third();
                }
            }
            duplicates = Duplicates.write(pairs, state);
        }
        digests.close();
    }

    @Override
    public void write(Iterator<long[]> facts, Path state) throws IOException {
        Duplicates.write(facts, state);
    }

    @Override
    public void decided(Path state) throws IOException {
        duplicates = new Duplicates(state);
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        Duplicates known = Objects.requireNonNull(duplicates, "decide() comes before filter()");
        return new DocumentFilter() {
            @Override
            public String name() {
                return ExactDeduplication.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                OptionalLong kept = known.keptFor(ordinal);
                return kept.isEmpty()
                        ? new Verdict.Keep(document)
                        : new Verdict.Drop(
                                byUrl ? "address seen before" : "text seen before", "as document " + kept.getAsLong());
            }
        };
    }

    @Override
    public void close() throws IOException {
        digests.close();
        if (duplicates != null) {
            duplicates.close();
        }
    }
}
