package dev.puna.data.shard;

import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Encoder;
import dev.puna.tokenizer.TokenBuffer;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Encodes texts into a shard in their order. Without helpers the caller's thread does it; with some, they encode batches
 * of about a million characters, at most three for each helper at a time, while the caller reads on.
 */
final class OrderedEncoder implements AutoCloseable {
    private static final int BATCH_CHARS = 1 << 20;

    private record Batch(int[] ids, int[] ends, long utf8Bytes) {}

    private final TokenShardWriter writer;
    private final EncodeOptions options;
    private final int helpers;
    private final ExecutorService pool;
    private final ThreadLocal<Encoder> encoders;
    private final TokenBuffer buffer = new TokenBuffer(1 << 16);
    private final ArrayDeque<Future<Batch>> inFlight = new ArrayDeque<>();
    private List<String> texts = new ArrayList<>();
    private int chars;
    private long utf8Bytes;

    OrderedEncoder(Tokenizer tokenizer, EncodeOptions options, TokenShardWriter writer, int helpers) {
        this.writer = writer;
        this.options = options;
        this.helpers = helpers;
        this.encoders = ThreadLocal.withInitial(tokenizer::encoder);
        this.pool = Executors.newFixedThreadPool(
                Math.max(1, helpers),
                Thread.ofPlatform().daemon().name("tokenize-", 0).factory()); // starts no thread before it is used
    }

    void accept(String text) throws IOException {
        if (helpers == 0) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            buffer.clear();
            encoders.get().encode(utf8, 0, utf8.length, options, buffer);
            writer.add(buffer.array(), 0, buffer.size());
            utf8Bytes += utf8.length;
            return;
        }
        texts.add(text);
        chars += text.length();
        if (chars >= BATCH_CHARS) {
            submit();
            while (inFlight.size() > 2 * helpers) {
                write(inFlight.removeFirst());
            }
        }
    }

    /** Writes what is still on its way; bytes of all texts in UTF-8. */
    long finish() throws IOException {
        if (!texts.isEmpty()) {
            submit();
        }
        while (!inFlight.isEmpty()) {
            write(inFlight.removeFirst());
        }
        return utf8Bytes;
    }

    private void submit() {
        List<String> batch = texts;
        inFlight.add(pool.submit(() -> encode(batch)));
        texts = new ArrayList<>();
        chars = 0;
    }

    private Batch encode(List<String> batch) {
        Encoder encoder = encoders.get();
        TokenBuffer ids = new TokenBuffer(BATCH_CHARS / 3);
        int[] ends = new int[batch.size()];
        long bytes = 0;
        for (int i = 0; i < ends.length; i++) {
            byte[] utf8 = batch.get(i).getBytes(StandardCharsets.UTF_8);
            encoder.encode(utf8, 0, utf8.length, options, ids);
            ends[i] = ids.size();
            bytes += utf8.length;
        }
        return new Batch(ids.toArray(), ends, bytes);
    }

    private void write(Future<Batch> future) throws IOException {
        Batch batch;
        try {
            batch = future.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("tokenization was interrupted");
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException r -> throw r;
                case Error error -> throw error;
                case null, default -> throw new IOException(e);
            }
        }
        int from = 0;
        for (int end : batch.ends()) {
            writer.add(batch.ids(), from, end);
            from = end;
        }
        utf8Bytes += batch.utf8Bytes();
    }

    @Override
    public void close() {
        pool.shutdownNow();
    }
}
