package dev.puna.data.pipeline;

import dev.puna.data.BrokenRecord;
import dev.puna.data.Document;
import dev.puna.data.JsonlWriter;
import dev.puna.data.ReadReport;
import dev.puna.data.dedup.CorpusDeduplication;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.FilterCounters;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Split;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/**
 * Runs a recipe. The documents come to {@code OUT/documents/part-NNNNN.jsonl.zst}, the report to {@code OUT/report.txt}
 * and {@code OUT/report.png}.
 *
 * <p>Each pass writes one file for each part of its input, beside it what was counted ({@code part-NNNNN.json}), which
 * appears last: a part with that file is complete. A run that was killed finds them and goes on; the result is the same,
 * byte for byte, as that of a run that was not, for any number of threads.
 */
public final class Pipeline {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int ORDINAL_BITS = 36; // documents in one part, at most

    private final Recipe recipe;
    private final Path out;
    private final int threads;
    private final Progress progress;
    private volatile boolean stopped;

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

    /** One pass: read, deduplicate by what the last pass has shown, filter, write. */
    private record Pass(Stage.@Nullable Deduplication deduplication, List<DocumentFilter> filters) {
        String title() {
            List<String> names = new ArrayList<>();
            if (deduplication != null) {
                names.add(deduplication.name());
            }
            filters.forEach(f -> names.add(f.name()));
            return names.isEmpty() ? "read" : String.join(" + ", names);
        }

        int stages() {
            return filters.size() + (deduplication == null ? 0 : 1);
        }
    }

    /**
     * Runs what is not done yet.
     *
     * @throws ConfigurationException when {@code out} holds the run of another recipe, or a stage is unknown
     */
    public PipelineReport run() throws IOException {
        stopped = false;
        List<Pass> passes = passes();
        Files.createDirectories(out);
        Path mark = out.resolve("recipe.used");
        if (Files.exists(mark)) {
            if (!Files.readString(mark).equals(recipe.text())) {
                throw new ConfigurationException(
                        "out", out, "it holds the run of another recipe or of other inputs: use another folder");
            }
        } else {
            Files.writeString(mark, recipe.text());
        }
        List<Split> parts = new ArrayList<>();
        for (Path input : recipe.inputs()) {
            parts.addAll(recipe.source().splits(input));
        }
        DocumentSource source = recipe.source();
        Total total = new Total();
        ExecutorService pool = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().daemon().name("data-", 0).factory());
        try {
            for (int p = 0; p < passes.size(); p++) {
                Pass pass = passes.get(p);
                boolean last = p == passes.size() - 1;
                Path folder = last ? out.resolve("documents") : out.resolve("pass-" + p);
                Files.createDirectories(folder);
                try (Deciding deciding = decide(pass, p, passes.size(), source, parts, folder, pool)) {
                    runPass(pass, p, passes.size(), source, parts, folder, deciding, pool);
                }
                total.collect(pass, p, folder, parts.size());
                List<Split> next = new ArrayList<>();
                for (int i = 0; i < parts.size(); i++) {
                    next.add(Split.whole(folder.resolve(partName(i) + ".jsonl.zst")));
                }
                parts = next;
                source = new JsonlSource("unknown");
            }
        } finally {
            stopped = true;
            pool.shutdown();
            awaitEnd(pool);
        }
        PipelineReport report =
                total.report(recipe.name(), parts.stream().map(Split::path).toList());
        Files.writeString(out.resolve("report.txt"), report.table());
        report.plot(out.resolve("report.png"));
        for (int p = 0; p < passes.size() - 1; p++) {
            for (int i = 0; i < parts.size(); i++) { // the counts stay: they say that the pass is done
                Files.deleteIfExists(out.resolve("pass-" + p).resolve(partName(i) + ".jsonl.zst"));
            }
        }
        return report;
    }

    private List<Pass> passes() throws IOException {
        List<Pass> passes = new ArrayList<>();
        Stage.Deduplication deduplication = null;
        List<DocumentFilter> filters = new ArrayList<>();
        for (JsonNode node : recipe.stages()) {
            switch (Stage.of(node, recipe)) {
                case Stage.Filter filter -> filters.add(filter.filter());
                case Stage.Deduplication next -> {
                    passes.add(new Pass(deduplication, filters));
                    deduplication = next;
                    filters = new ArrayList<>();
                }
            }
        }
        passes.add(new Pass(deduplication, filters));
        return passes;
    }

    private static String partName(int part) {
        return String.format(java.util.Locale.ROOT, "part-%05d", part);
    }

    private static boolean complete(Path folder, int part) {
        return Files.exists(folder.resolve(partName(part) + ".json"));
    }

    /** What a deduplication decided, for as long as its pass lasts. */
    private record Deciding(@Nullable CorpusDeduplication deduplication, Path folder) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            if (deduplication != null) {
                deduplication.close();
                delete(folder);
            }
        }
    }

    private Deciding decide(
            Pass pass,
            int number,
            int passes,
            DocumentSource source,
            List<Split> parts,
            Path folder,
            ExecutorService pool)
            throws IOException {
        Path temporary = out.resolve("dedup-" + number);
        Stage.Deduplication wanted = pass.deduplication();
        boolean done = true;
        for (int i = 0; i < parts.size(); i++) {
            done &= complete(folder, i);
        }
        if (wanted == null || done) {
            return new Deciding(null, temporary);
        }
        delete(temporary);
        Files.createDirectories(temporary);
        CorpusDeduplication deduplication = wanted.maker().make(temporary);
        ReadReport report = new ReadReport();
        long totalBytes = bytes(parts);
        forEachPart(parts, pool, part -> {
            long[] index = new long[1];
            source.read(
                    parts.get(part),
                    document -> {
                        deduplication.look(document, ordinal(part, index[0]++));
                        tell("looking for duplicates: " + wanted.name(), number, passes, report, totalBytes);
                    },
                    report);
        });
        deduplication.decide(temporary.resolve("decided.bin"));
        return new Deciding(deduplication, temporary);
    }

    private static long ordinal(int part, long index) {
        return ((long) part << ORDINAL_BITS) + index;
    }

    private void runPass(
            Pass pass,
            int number,
            int passes,
            DocumentSource source,
            List<Split> parts,
            Path folder,
            Deciding deciding,
            ExecutorService pool)
            throws IOException {
        ReadReport all = new ReadReport();
        long totalBytes = bytes(parts);
        forEachPart(parts, pool, part -> {
            if (complete(folder, part)) {
                return;
            }
            List<FilterCounters> counters = new ArrayList<>();
            if (pass.deduplication() != null) {
                counters.add(new FilterCounters(pass.deduplication().name()));
            }
            pass.filters().forEach(f -> counters.add(new FilterCounters(f.name())));
            ReadReport report = new ReadReport();
            String failure = null;
            Path target = folder.resolve(partName(part) + ".jsonl.zst");
            JsonlWriter writer = new JsonlWriter(target);
            try {
                long[] index = new long[1];
                LongAdder told = new LongAdder();
                try {
                    source.read(
                            parts.get(part),
                            document -> {
                                long ordinal = ordinal(part, index[0]++);
                                Document kept = filtered(document, ordinal, pass, deciding, counters);
                                if (kept != null) {
                                    writer.accept(kept);
                                }
                                all.addBytes(report.bytes() - told.sum());
                                told.add(report.bytes() - told.sum());
                                all.addDocument(document);
                                tell(pass.title(), number, passes, all, totalBytes);
                            },
                            report);
                } catch (CorruptFileException | java.nio.file.FileSystemException e) {
                    failure = String.valueOf(e.getMessage());
                }
                writer.close();
            } finally {
                writer.abandon();
            }
            writeCounts(folder.resolve(partName(part) + ".json"), report, counters, failure);
        });
    }

    private static @Nullable Document filtered(
            Document document, long ordinal, Pass pass, Deciding deciding, List<FilterCounters> counters) {
        Document kept = document;
        int at = 0;
        if (deciding.deduplication() != null) {
            kept = counters.get(at++).apply(deciding.deduplication().filter(ordinal), kept);
        }
        for (DocumentFilter filter : pass.filters()) {
            if (kept == null) {
                return null;
            }
            kept = counters.get(at++).apply(filter, kept);
        }
        return kept;
    }

    /** Parts that are being worked on notice at their next document. */
    private static void awaitEnd(ExecutorService pool) {
        boolean interrupted = false;
        while (true) {
            try {
                if (pool.awaitTermination(1, TimeUnit.HOURS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void tell(String title, int number, int passes, ReadReport report, long totalBytes) {
        if (stopped) {
            throw new CancellationException("the pipeline has been stopped");
        }
        progress.update(title, number + 1, passes, report.bytes(), totalBytes, report.documents());
    }

    @FunctionalInterface
    private interface PartTask {
        void run(int part) throws IOException;
    }

    private void forEachPart(List<Split> parts, ExecutorService pool, PartTask task) throws IOException {
        List<Future<?>> futures = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            int part = i;
            futures.add(pool.submit(() -> {
                task.run(part);
                return null;
            }));
        }
        try {
            for (Future<?> future : futures) {
                future.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("the pipeline was interrupted");
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException r -> throw r;
                case Error error -> throw error;
                case null, default -> throw new IllegalStateException(e);
            }
        } finally {
            futures.forEach(f -> f.cancel(false)); // an interrupt would look like a broken file
        }
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

    private static void writeCounts(
            Path file, ReadReport report, List<FilterCounters> counters, @Nullable String failure) throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("bytes", report.bytes());
        root.put("documents", report.documents());
        root.put("chars", report.textChars());
        root.put("skipped", new TreeMap<>(report.skipped()));
        root.put("brokenCount", report.brokenCount());
        List<Map<String, Object>> broken = new ArrayList<>();
        for (BrokenRecord b : report.broken()) {
            broken.add(Map.of("file", b.file().toString(), "offset", b.offset(), "problem", b.problem()));
        }
        root.put("broken", broken);
        if (failure != null) {
            root.put("failure", failure);
        }
        List<Map<String, Object>> stages = new ArrayList<>();
        for (FilterCounters c : counters) {
            Map<String, Object> stage = new LinkedHashMap<>();
            stage.put("name", c.name());
            stage.put("in", c.in());
            stage.put("out", c.out());
            stage.put("charsIn", c.charsIn());
            stage.put("charsOut", c.charsOut());
            stage.put("dropped", c.dropped());
            stage.put("show", c.show());
            stages.add(stage);
        }
        root.put("stages", stages);
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        Files.write(partial, JSON.writeValueAsBytes(root));
        Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /** What all parts of all passes counted. */
    private static final class Total {
        private long bytes;
        private long documents;
        private long chars;
        private long brokenCount;
        private final Map<String, Long> skipped = new TreeMap<>();
        private final List<BrokenRecord> broken = new ArrayList<>();
        private final List<String> failures = new ArrayList<>();
        private final List<FilterCounters> stages = new ArrayList<>();

        void collect(Pass pass, int number, Path folder, int parts) throws IOException {
            int first = stages.size();
            for (int i = 0; i < pass.stages(); i++) {
                String name = i == 0 && pass.deduplication() != null
                        ? pass.deduplication().name()
                        : pass.filters()
                                .get(pass.deduplication() == null ? i : i - 1)
                                .name();
                stages.add(new FilterCounters(name));
            }
            for (int part = 0; part < parts; part++) {
                JsonNode root = JSON.readTree(Files.readAllBytes(folder.resolve(partName(part) + ".json")));
                if (number == 0) {
                    bytes += root.path("bytes").asLong();
                    documents += root.path("documents").asLong();
                    chars += root.path("chars").asLong();
                    addTo(skipped, root.path("skipped"));
                }
                brokenCount += root.path("brokenCount").asLong();
                for (JsonNode b : root.path("broken")) {
                    if (broken.size() < ReadReport.KEPT) {
                        broken.add(new BrokenRecord(
                                Path.of(b.path("file").asString("")),
                                b.path("offset").asLong(),
                                b.path("problem").asString("")));
                    }
                }
                if (root.has("failure")) {
                    failures.add(root.path("failure").asString(""));
                }
                int at = first;
                for (JsonNode stage : root.path("stages")) {
                    Map<String, Long> dropped = new TreeMap<>();
                    addTo(dropped, stage.path("dropped"));
                    stages.get(at++)
                            .add(
                                    stage.path("in").asLong(),
                                    stage.path("out").asLong(),
                                    stage.path("charsIn").asLong(),
                                    stage.path("charsOut").asLong(),
                                    dropped);
                }
            }
        }

        private static void addTo(Map<String, Long> map, JsonNode counts) {
            counts.properties().forEach(e -> map.merge(e.getKey(), e.getValue().asLong(), Long::sum));
        }

        PipelineReport report(String name, List<Path> outputs) {
            return new PipelineReport(
                    name, bytes, documents, chars, skipped, stages, brokenCount, broken, failures, outputs);
        }
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

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.delete(path);
        }
    }
}
