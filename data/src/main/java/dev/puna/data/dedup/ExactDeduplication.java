package dev.puna.data.dedup;

import dev.puna.data.Document;
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
import java.util.concurrent.ConcurrentHashMap;

/**
 * Keeps the first of documents with the same text, or with the same address. 24 bytes and a map entry for each different
 * document.
 */
public final class ExactDeduplication implements CorpusDeduplication {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private record Digest(long low, long high) {}

    private final boolean byUrl;
    private final ConcurrentHashMap<Digest, Long> first = new ConcurrentHashMap<>();

    /** @param byUrl true to compare addresses (as C4 normalizes them), false to compare texts */
    public ExactDeduplication(boolean byUrl) {
        this.byUrl = byUrl;
    }

    @Override
    public String name() {
        return byUrl ? "url-dedup" : "exact-dedup";
    }

    private @org.jspecify.annotations.Nullable Digest digest(Document document) {
        String key = document.text();
        if (byUrl) {
            String url = document.string("url");
            if (url == null) {
                return null;
            }
            key = UrlBlockList.normalized(url);
        }
        try {
            byte[] md5 = MessageDigest.getInstance("MD5").digest(key.getBytes(StandardCharsets.UTF_8));
            return new Digest((long) LONG.get(md5, 0), (long) LONG.get(md5, 8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void look(Document document, long ordinal) {
        Digest digest = digest(document);
        if (digest != null) {
            first.merge(digest, ordinal, Math::min);
        }
    }

    @Override
    public void decide(Path state) {}

    @Override
    public DocumentFilter filter(long ordinal) {
        return new DocumentFilter() {
            @Override
            public String name() {
                return ExactDeduplication.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                Digest digest = digest(document);
                Long kept = digest == null ? null : first.get(digest);
                return kept == null || kept == ordinal
                        ? new Verdict.Keep(document)
                        : new Verdict.Drop(byUrl ? "address seen before" : "text seen before", "as document " + kept);
            }
        };
    }

    @Override
    public void close() throws IOException {
        first.clear();
    }
}
