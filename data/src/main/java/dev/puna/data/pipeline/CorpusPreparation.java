package dev.puna.data.pipeline;

import dev.puna.data.ReadReport;
import dev.puna.data.shard.TokenShard;
import dev.puna.data.shard.TokenizeStage;
import dev.puna.data.source.JsonlSource;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that a recipe asks for, from dumps to what a trainer reads:
 *
 * <pre>
 * OUT/documents/part-NNNNN.jsonl.zst     what the stages left
 * OUT/held-out/part-NNNNN.jsonl.zst      what was set aside, with {@code held_out}
 * OUT/report.txt, OUT/report.png         what happened at each stage
 * OUT/tokenizer/                         the vocabulary, with {@code tokens: {train: …}}
 * OUT/tokens/train.bin, train.idx        the documents as ids, with {@code tokens}
 * OUT/tokens/held-out.bin, .idx          the others
 * </pre>
 *
 * What is complete is not done again: a run that was killed goes on where it was.
 */
public final class CorpusPreparation {
    private final Recipe recipe;
    private final Path out;
    private final int threads;
    private final Progress progress;

    /** Prepares a run of the recipe into {@code out} with this many threads. */
    public CorpusPreparation(Recipe recipe, Path out, int threads, Progress progress) {
        this.recipe = recipe;
        this.out = out;
        this.threads = threads;
        this.progress = progress;
    }

    /**
     * What came of it.
     *
     * @param report what the pipeline did
     * @param tokenizer file or folder of the vocabulary, or null when the recipe makes no tokens
     * @param train shard of the documents, or null
     * @param heldOut shard of what was set aside, or null
     */
    public record Result(
            PipelineReport report,
            @Nullable Path tokenizer,
            @Nullable Shard train,
            @Nullable Shard heldOut) {}

    /**
     * A shard.
     *
     * @param prefix path of {@code .bin} and {@code .idx} without their endings
     * @param documents in it
     * @param tokens in it
     */
    public record Shard(Path prefix, long documents, long tokens) {}

    /** Does what is not done yet. */
    public Result run() throws IOException {
        PipelineReport report = new Pipeline(recipe, out, threads, progress).run();
        Recipe.Tokens tokens = recipe.tokens();
        if (tokens == null) {
            return new Result(report, null, null, null);
        }
        Path vocabulary = switch (tokens.vocabulary()) {
            case Recipe.Vocabulary.Opened opened -> opened.path();
            case Recipe.Vocabulary.Trained trained -> train(trained.training(), report);
        };
        Tokenizer tokenizer = Tokenizer.open(vocabulary);
        EncodeOptions options = new EncodeOptions(tokens.bos(), tokens.eos(), false, false);
        Shard train = shard("train", report.outputs(), tokenizer, options);
        Shard heldOut = recipe.heldOut() == null ? null : shard("held-out", report.heldOut(), tokenizer, options);
        return new Result(report, vocabulary, train, heldOut);
    }

    private Path train(VocabularyTraining training, PipelineReport report) throws IOException {
        Path folder = out.resolve("tokenizer");
        if (!Files.isDirectory(folder)) {
            ReadReport read = new ReadReport();
            long total = bytes(report.outputs());
            training.train(
                    new JsonlSource("unknown"),
                    report.outputs(),
                    folder,
                    threads,
                    read,
                    () -> progress.update("counting words", 1, 1, read.bytes(), total, read.documents()));
        }
        return folder;
    }

    private Shard shard(String name, List<Path> documents, Tokenizer tokenizer, EncodeOptions options)
            throws IOException {
        Path prefix = out.resolve("tokens").resolve(name);
        if (!Files.exists(prefix.resolveSibling(name + ".idx"))) {
            long total = bytes(documents);
            new TokenizeStage(tokenizer, options, threads)
                    .run(
                            new JsonlSource("unknown"),
                            documents,
                            prefix,
                            new ReadReport(),
                            (bytes, count) -> progress.update("to tokens: " + name, 1, 1, bytes, total, count));
        }
        try (TokenShard shard = TokenShard.open(prefix)) {
            return new Shard(prefix, shard.documentCount(), shard.tokenCount());
        }
    }

    private static long bytes(List<Path> files) throws IOException {
        List<Long> sizes = new ArrayList<>();
        for (Path file : files) {
            sizes.add(Files.size(file));
        }
        return sizes.stream().mapToLong(Long::longValue).sum();
    }
}
