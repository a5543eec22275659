package dev.puna.data.shard;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Split;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Encoder;
import dev.puna.tokenizer.TokenBuffer;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Documents to a token shard with all cores: one thread reads and writes, the others encode batches, and the shard holds
 * the documents in the order of the input whatever the number of threads. Memory: at most three batches of
 * {@value #BATCH_CHARS} characters (and one document) for each thread.
 *
 * @param tokenizer the vocabulary
 * @param options whether each document gets {@code bos} and {@code eos}
 * @param threads how many encode
 */
public record TokenizeStage(Tokenizer tokenizer, EncodeOptions options, int threads) {
    static final int BATCH_CHARS = 1 << 20;

    /**
     * What came of it.
     *
     * @param documents documents in the shard
     * @param tokens ids in the shard
     * @param utf8Bytes bytes of their text
     */
    public record Result(long documents, long tokens, long utf8Bytes) {}

    /** Told after each batch that was written. */
    @FunctionalInterface
    public interface Progress {
        void written(long documents, long tokens);
    }

    private record Batch(int[] ids, int[] ends, long utf8Bytes) {}

    public TokenizeStage {
        if (threads < 1) {
            throw new dev.puna.tensor.ConfigurationException("threads", threads, "use at least 1");
        }
    }

    /**
     * Reads {@code inputs} with {@code source} and writes {@code prefix.bin} and {@code prefix.idx}. On failure nothing
     * appears under these names.
     */
    public Result run(DocumentSource source, List<Path> inputs, Path prefix, ReadReport report, Progress progress)
            throws IOException {
        try (Run run = new Run(prefix, progress)) {
            for (Path input : inputs) {
                for (Split split : source.splits(input)) {
                    source.read(split, run::accept, report);
                }
            }
            return run.finish();
        }
    }

    /** One shard being written. */
    private final class Run implements AutoCloseable {
        private final TokenShardWriter writer;
        private final Progress progress;
        private final ExecutorService pool;
        private final ThreadLocal<Encoder> encoders = ThreadLocal.withInitial(tokenizer::encoder);
        private final ArrayDeque<Future<Batch>> inFlight = new ArrayDeque<>();
        private List<String> texts = new ArrayList<>();
        private int chars;
        private long utf8Bytes;

        Run(Path prefix, Progress progress) throws IOException {
            this.writer = new TokenShardWriter(prefix, tokenizer.vocabularySize());
            this.progress = progress;
            this.pool = Executors.newFixedThreadPool(
                    threads, Thread.ofPlatform().daemon().name("tokenize-", 0).factory());
        }

        void accept(Document document) throws IOException {
            texts.add(document.text());
            chars += document.text().length();
            if (chars >= BATCH_CHARS) {
                submit();
                while (inFlight.size() > 2 * threads) {
                    write(inFlight.removeFirst());
                }
            }
        }

        private void submit() {
            List<String> batch = texts;
            inFlight.add(pool.submit(() -> encode(batch)));
            texts = new ArrayList<>();
            chars = 0;
        }

        private Batch encode(List<String> batch) {
            Encoder encoder = encoders.get();
            TokenBuffer buffer = new TokenBuffer(BATCH_CHARS / 3);
            int[] ends = new int[batch.size()];
            long bytes = 0;
            for (int i = 0; i < ends.length; i++) {
                byte[] utf8 = batch.get(i).getBytes(java.nio.charset.StandardCharsets.UTF_8);
                encoder.encode(utf8, 0, utf8.length, options, buffer);
                ends[i] = buffer.size();
                bytes += utf8.length;
            }
            return new Batch(buffer.toArray(), ends, bytes);
        }

        private void write(Future<Batch> future) throws IOException {
            Batch batch;
            try {
                batch = future.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new java.io.InterruptedIOException("tokenization was interrupted");
            } catch (ExecutionException e) {
                switch (e.getCause()) {
                    case RuntimeException r -> throw r;
                    case Error error -> throw error;
                    case null, default -> throw new UncheckedIOException(new IOException(e));
                }
            }
            int from = 0;
            for (int end : batch.ends()) {
                writer.add(batch.ids(), from, end);
                from = end;
            }
            utf8Bytes += batch.utf8Bytes();
            progress.written(writer.documents(), writer.tokens());
        }

        Result finish() throws IOException {
            if (!texts.isEmpty()) {
                submit();
            }
            while (!inFlight.isEmpty()) {
                write(inFlight.removeFirst());
            }
            writer.close();
            return new Result(writer.documents(), writer.tokens(), utf8Bytes);
        }

        @Override
        public void close() throws IOException {
            pool.shutdownNow();
            writer.abandon();
        }
    }
}
