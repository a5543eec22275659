package dev.puna.data.pipeline;

import dev.puna.data.Document;
import dev.puna.data.PartPool;
import dev.puna.data.ReadReport;
import dev.puna.data.dedup.CorpusDeduplication;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Download;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Split;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/**
 * Runs a recipe. The documents come to {@code OUT/documents/part-NNNNN.jsonl.zst}, the report to {@code OUT/report.txt}
 * and {@code OUT/report.png}.
 *
 * <p>A run that was killed finds what is complete ({@link RunFolder}) and goes on; the result is the same, byte for byte,
 * as that of a run that was not, for any number of threads.
 */
public final class Pipeline {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Recipe recipe;
    private final Path out;
    private final int threads;
    private final Progress progress;

    /** Prepares a run of the recipe into {@code out} with this many threads. */
    public Pipeline(Recipe recipe, Path out, int threads, Progress progress) {
        if (threads < 1) {
            throw new ConfigurationException("threads", threads, "use at least 1");
        }
        this.recipe = recipe;
        this.out = out;
        this.threads = threads;
        this.progress = progress;
    }

    /**
     * The parts of the recipe's inputs, in order; what is named by an address is fetched first.
     *
     * @param files where it is fetched to
     */
    public static List<Split> parts(Recipe recipe, RunFolder files, Progress progress) throws IOException {
        List<Split> parts = new ArrayList<>();
        for (Path input : recipe.inputs()) {
            parts.addAll(recipe.source().splits(input));
        }
        for (URI address : recipe.addresses()) {
            Path fetched = new Download()
                    .fetch(
                            address,
                            files.out().resolve("downloads"),
                            (bytes, all) -> progress.update("fetching " + address, 1, 1, bytes, all, 0));
            parts.addAll(recipe.source().splits(fetched));
        }
        return parts;
    }

    /**
     * Runs what is not done yet.
     *
     * @throws ConfigurationException when {@code out} holds the run of another recipe, or a stage is unknown
     */
    public PipelineReport run() throws IOException {
        List<Pass> passes = Pass.of(recipe);
        RunFolder files = new RunFolder(out, passes.size());
        files.begin(recipe);
        List<Split> parts = parts(recipe, files, progress);
        RunFolder.delete(files.scratch());
        DocumentSource source = recipe.source().within(files.scratch(), recipe.memoryBytes() / threads);
        RunCounts total = new RunCounts();
        CorpusDeduplication deciding = null; // of this pass; it has seen all documents in the pass before
        try (PartPool pool = new PartPool(threads)) {
            for (int p = 0; p < passes.size(); p++) {
                Pass pass = passes.get(p);
                Files.createDirectories(files.folder(p));
                CorpusDeduplication next = null;
                if (p + 1 < passes.size() && !files.allComplete(p + 1, parts.size())) {
                    Path temporary = files.deduplication(p + 1);
                    RunFolder.delete(temporary);
                    Files.createDirectories(temporary);
                    next = Objects.requireNonNull(passes.get(p + 1).deduplication())
                            .maker()
                            .make(temporary);
                }
                try {
                    runPass(pass, p, files, source, parts, deciding, next, pool);
                    if (next != null) {
                        next.decide(files.deduplication(p + 1).resolve("decided.bin"));
                    }
                } finally {
                    if (deciding != null) {
                        deciding.close();
                        RunFolder.delete(files.deduplication(p));
                    }
                    deciding = next;
                }
                total.collect(pass, p, files, parts.size());
                parts = files.written(p, parts.size());
                source = new JsonlSource("unknown");
            }
        } finally {
            if (deciding != null) {
                deciding.close();
            }
        }
        PipelineReport report = total.report(
                recipe.name(), parts.stream().map(Split::path).toList(), files.heldOut(recipe, parts.size()));
        AtomicFile.write(out.resolve("report.txt"), report.table());
        report.plot(out.resolve("report.png"));
        files.tidy(parts.size());
        RunFolder.delete(files.scratch());
        return report;
    }

    private void runPass(
            Pass pass,
            int number,
            RunFolder files,
            DocumentSource source,
            List<Split> parts,
            @Nullable CorpusDeduplication deciding,
            @Nullable CorpusDeduplication next,
            PartPool pool)
            throws IOException {
        ReadReport all = new ReadReport();
        LongAdder documents = new LongAdder();
        long totalBytes = bytes(parts);
        PartRun run = new PartRun(recipe, files, pass, number);
        pool.forEach(parts.size(), part -> {
            if (files.complete(number, part)) {
                if (next != null) {
                    look(files.documents(number, part), part, next, pool);
                }
                return;
            }
            run.run(part, source, parts.get(part), deciding, new PartRun.Watcher() {
                private long told;

                @Override
                public void kept(Document document, long ordinal) throws IOException {
                    if (next != null) {
                        next.look(document, ordinal);
                    }
                }

                @Override
                public void read(ReadReport report) {
                    all.addBytes(report.bytes() - told);
                    told = report.bytes();
                    documents.increment();
                    pool.check();
                    progress.update(pass.title(), number + 1, files.passes(), all.bytes(), totalBytes, documents.sum());
                }
            });
        });
    }

    /** Shows the documents of a part that an earlier run has written to the next pass's deduplication. */
    private static void look(Path written, int part, CorpusDeduplication next, PartPool pool) throws IOException {
        long[] index = new long[1];
        new JsonlSource("unknown")
                .read(
                        Split.whole(written),
                        document -> {
                            next.look(document, RunFolder.ordinal(part, index[0]++));
                            pool.check();
                        },
                        new ReadReport());
    }

    private static long bytes(List<Split> parts) throws IOException {
        long total = 0;
        for (Split part : parts) {
            if (part.to() != Long.MAX_VALUE) {
                total += part.to() - part.from();
            } else if (Files.isRegularFile(part.path())) {
                total += Files.size(part.path());
            }
        }
        return total;
    }

    /** Examples of what a stage of a finished run dropped, or of all stages when {@code stage} is empty. */
    public static String show(Path out, String stage) throws IOException {
        StringBuilder text = new StringBuilder();
        List<Path> files;
        try (Stream<Path> walk = Files.walk(out)) {
            files = walk.filter(p -> p.getFileName().toString().matches("part-\\d+\\.json"))
                    .sorted()
                    .toList();
        }
        for (Path file : files) {
            for (JsonNode node : JSON.readTree(Files.readAllBytes(file)).path("stages")) {
                if (stage.isEmpty() || stage.equals(node.path("name").asString(""))) {
                    text.append(node.path("show").asString(""));
                }
            }
        }
        return text.toString();
    }
}
