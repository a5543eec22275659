package dev.puna.data.shard;

import dev.puna.data.GuardedSink;
import dev.puna.data.PartPool;
import dev.puna.data.ReadReport;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Split;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/**
 * Documents to a token shard with all cores: each thread reads and encodes a part of the input into a shard of its own
 * (or, where there are fewer parts than threads, has others that encode for it), and the shards are joined in the order of the input, so that the result does not depend on the number of threads. A
 * run that was killed goes on with the parts that are not complete. Memory: three batches of a million characters, or
 * the longest document, for each thread; for a while the disk holds the ids twice.
 *
 * @param tokenizer the vocabulary
 * @param options whether each document gets {@code bos} and {@code eos}
 * @param threads how many work
 */
public record TokenizeStage(Tokenizer tokenizer, EncodeOptions options, int threads) {
    /**
     * What came of it.
     *
     * @param documents documents in the shard
     * @param tokens ids in the shard
     * @param utf8Bytes bytes of their text
     * @param brokenFiles files whose rest could not be read, and why
     */
    public record Result(long documents, long tokens, long utf8Bytes, List<String> brokenFiles) {}

    /** Told after each document, from any thread. */
    @FunctionalInterface
    public interface Progress {
        void read(long bytes, long documents);
    }

    public TokenizeStage {
        if (threads < 1) {
            throw new ConfigurationException("threads", threads, "use at least 1");
        }
    }

    /**
     * Reads {@code inputs} with {@code source} and writes {@code prefix.bin} and {@code prefix.idx}. On failure nothing
     * appears under these names, and {@code prefix.parts} holds what another run goes on with.
     */
    public Result run(DocumentSource source, List<Path> inputs, Path prefix, ReadReport report, Progress progress)
            throws IOException {
        List<Split> splits = new ArrayList<>();
        for (Path input : inputs) {
            if (!Files.exists(input)) {
                throw new NoSuchFileException(input.toString());
            }
            splits.addAll(source.splits(input));
        }
        Path parts = prefix.resolveSibling(prefix.getFileName() + ".parts");
        prepare(parts, splits);
        List<Path> prefixes = new ArrayList<>();
        for (int i = 0; i < splits.size(); i++) {
            prefixes.add(parts.resolve("part-" + i));
        }
        LongAdder documents = new LongAdder();
        int helpers = splits.size() >= threads ? 0 : threads / Math.max(1, splits.size());
        try (PartPool pool = new PartPool(threads)) {
            pool.forEach(splits.size(), part -> {
                if (Files.exists(counts(prefixes.get(part)))) {
                    return;
                }
                long utf8Bytes;
                String failure = "";
                TokenShardWriter writer = new TokenShardWriter(prefixes.get(part), tokenizer.vocabularySize());
                try (OrderedEncoder encoder = new OrderedEncoder(tokenizer, options, writer, helpers)) {
                    GuardedSink sink = new GuardedSink(document -> {
                        encoder.accept(document.text());
                        documents.increment();
                        progress.read(report.bytes(), documents.sum());
                        pool.check();
                    });
                    try {
                        source.read(splits.get(part), sink, report);
                    } catch (CorruptFileException | FileSystemException e) {
                        sink.check();
                        failure = String.valueOf(e.getMessage());
                    }
                    utf8Bytes = encoder.finish();
                    writer.close();
                } finally {
                    writer.abandon();
                }
                // Last, so that a part with this file is complete.
                AtomicFile.write(counts(prefixes.get(part)), utf8Bytes + "\n" + failure);
            });
        }
        long utf8Bytes = 0;
        List<String> broken = new ArrayList<>();
        for (Path part : prefixes) {
            String text = Files.readString(counts(part));
            int end = text.indexOf('\n');
            utf8Bytes += Long.parseLong(text.substring(0, end));
            if (end + 1 < text.length()) {
                broken.add(text.substring(end + 1));
            }
        }
        TokenShardWriter.join(prefixes, prefix, tokenizer.vocabularySize());
        delete(parts);
        try (TokenShard shard = TokenShard.open(prefix)) {
            return new Result(shard.documentCount(), shard.tokenCount(), utf8Bytes, broken);
        }
    }

    private static Path counts(Path part) {
        return part.resolveSibling(part.getFileName() + ".counts");
    }

    /** Parts of another run, on other inputs or with another vocabulary, are of no use. */
    private void prepare(Path parts, List<Split> splits) throws IOException {
        StringBuilder what = new StringBuilder();
        what.append(tokenizer.vocabularySize()).append(' ').append(options).append('\n');
        for (int id = 0; id < tokenizer.vocabularySize(); id += 1 + tokenizer.vocabularySize() / 500) {
            what.append(tokenizer.piece(id)).append(' ');
        }
        for (Split split : splits) {
            what.append('\n').append(split);
            if (Files.isRegularFile(split.path())) {
                what.append(' ')
                        .append(Files.size(split.path()))
                        .append(' ')
                        .append(Files.getLastModifiedTime(split.path()));
            }
        }
        Path mark = parts.resolve("run");
        if (Files.exists(mark) && Files.readString(mark).contentEquals(what)) {
            return;
        }
        delete(parts);
        Files.createDirectories(parts);
        AtomicFile.write(mark, what);
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            List<Path> all;
            try (Stream<Path> walk = Files.walk(folder)) {
                all = walk.sorted(Comparator.reverseOrder()).toList();
            }
            for (Path path : all) {
                Files.delete(path);
            }
        }
    }
}
