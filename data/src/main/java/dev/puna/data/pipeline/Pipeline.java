package dev.puna.data.pipeline;

import dev.puna.data.BrokenRecord;
import dev.puna.data.Document;
import dev.puna.data.JsonlWriter;
import dev.puna.data.PartPool;
import dev.puna.data.ReadReport;
import dev.puna.data.WholeFile;
import dev.puna.data.dedup.CorpusDeduplication;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.FilterCounters;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Download;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Split;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
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
        List<Pass> passes = passes();
        Files.createDirectories(out);
        Path mark = out.resolve("recipe.used");
        if (Files.exists(mark)) {
            if (!Files.readString(mark).equals(recipe.text())) {
                throw new ConfigurationException(
                        "out", out, "it holds the run of another recipe or of other inputs: use another folder");
            }
        } else {
            WholeFile.write(mark, recipe.text());
        }
        List<Split> parts = new ArrayList<>();
        for (Path input : recipe.inputs()) {
            parts.addAll(recipe.source().splits(input));
        }
        for (URI address : recipe.addresses()) {
            Path fetched = new Download()
                    .fetch(
                            address,
                            out.resolve("downloads"),
                            (bytes, all) -> progress.update("fetching " + address, 1, 1, bytes, all, 0));
            parts.addAll(recipe.source().splits(fetched));
        }
        DocumentSource source = recipe.source();
        Total total = new Total();
        CorpusDeduplication deciding = null; // of this pass; it has seen all documents in the pass before
        try (PartPool pool = new PartPool(threads)) {
            for (int p = 0; p < passes.size(); p++) {
                Pass pass = passes.get(p);
                boolean last = p == passes.size() - 1;
                Path folder = folder(p, last);
                Files.createDirectories(folder);
                CorpusDeduplication next = null;
                if (!last && !complete(folder(p + 1, p + 2 == passes.size()), parts.size())) {
                    Path temporary = out.resolve("dedup-" + (p + 1));
                    delete(temporary);
                    Files.createDirectories(temporary);
                    next = Objects.requireNonNull(passes.get(p + 1).deduplication())
                            .maker()
                            .make(temporary);
                }
                try {
                    runPass(pass, p, passes.size(), source, parts, folder, deciding, next, pool);
                    if (next != null) {
                        next.decide(out.resolve("dedup-" + (p + 1)).resolve("decided.bin"));
                    }
                } finally {
                    if (deciding != null) {
                        deciding.close();
                        delete(out.resolve("dedup-" + p));
                    }
                    deciding = next;
                }
                total.collect(pass, p, folder, parts.size());
                List<Split> written = new ArrayList<>();
                for (int i = 0; i < parts.size(); i++) {
                    written.add(Split.whole(folder.resolve(partName(i) + ".jsonl.zst")));
                }
                parts = written;
                source = new JsonlSource("unknown");
            }
        } finally {
            if (deciding != null) {
                deciding.close();
            }
        }
        PipelineReport report =
                total.report(recipe.name(), parts.stream().map(Split::path).toList(), heldOut(parts.size()));
        WholeFile.write(out.resolve("report.txt"), report.table());
        report.plot(out.resolve("report.png"));
        for (int p = 0; p < passes.size() - 1; p++) {
            delete(out.resolve("dedup-" + (p + 1))); // of a run that was killed
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

    private Path folder(int pass, boolean last) {
        return last ? out.resolve("documents") : out.resolve("pass-" + pass);
    }

    private List<Path> heldOut(int parts) {
        List<Path> files = new ArrayList<>();
        for (int i = 0; recipe.heldOut() != null && i < parts; i++) {
            files.add(out.resolve("held-out").resolve(partName(i) + ".jsonl.zst"));
        }
        return files;
    }

    private static boolean partComplete(Path folder, int part) {
        return Files.exists(folder.resolve(partName(part) + ".json"));
    }

    private static boolean complete(Path folder, int parts) {
        for (int i = 0; i < parts; i++) {
            if (!partComplete(folder, i)) {
                return false;
            }
        }
        return true;
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
            @Nullable CorpusDeduplication deciding,
            @Nullable CorpusDeduplication next,
            PartPool pool)
            throws IOException {
        ReadReport all = new ReadReport();
        LongAdder documents = new LongAdder();
        long totalBytes = bytes(parts);
        pool.forEach(parts.size(), part -> {
            Path target = folder.resolve(partName(part) + ".jsonl.zst");
            if (partComplete(folder, part)) {
                if (next != null) {
                    look(target, part, next, pool);
                }
                return;
            }
            List<FilterCounters> counters = new ArrayList<>();
            if (pass.deduplication() != null) {
                counters.add(new FilterCounters(pass.deduplication().name()));
            }
            pass.filters().forEach(f -> counters.add(new FilterCounters(f.name())));
            ReadReport report = new ReadReport();
            String failure = null;
            try (PartOutput output = new PartOutput(target, number == passes - 1, part)) {
                long[] read = new long[1];
                long[] told = new long[1];
                try {
                    source.read(
                            parts.get(part),
                            document -> {
                                long ordinal = ordinal(part, read[0]++);
                                Document kept = filtered(document, ordinal, pass, deciding, counters);
                                if (kept != null) {
                                    if (next != null) {
                                        next.look(kept, ordinal(part, output.documents()));
                                    }
                                    output.accept(kept);
                                }
                                long bytes = report.bytes();
                                all.addBytes(bytes - told[0]);
                                told[0] = bytes;
                                documents.increment();
                                pool.check();
                                progress.update(
                                        pass.title(), number + 1, passes, all.bytes(), totalBytes, documents.sum());
                            },
                            report);
                } catch (CorruptFileException | java.nio.file.FileSystemException e) {
                    failure = String.valueOf(e.getMessage());
                }
                output.complete();
                writeCounts(folder.resolve(partName(part) + ".json"), report, counters, output, failure);
            }
        });
    }

    /** Shows the documents of a part that an earlier run has written to the next pass's deduplication. */
    private static void look(Path written, int part, CorpusDeduplication next, PartPool pool) throws IOException {
        long[] index = new long[1];
        new JsonlSource("unknown")
                .read(
                        Split.whole(written),
                        document -> {
                            next.look(document, ordinal(part, index[0]++));
                            pool.check();
                        },
                        new ReadReport());
    }

    /** Where the documents of a part go; nothing is left of it when it is closed before it is complete. */
    private final class PartOutput implements AutoCloseable {
        private final JsonlWriter writer;
        private final @Nullable JsonlWriter heldOut;
        private final int oneIn;
        private final boolean byId;
        private long heldOutBytes;

        PartOutput(Path target, boolean last, int part) throws IOException {
            Recipe.HeldOut wanted = last ? recipe.heldOut() : null;
            writer = new JsonlWriter(target);
            oneIn = wanted == null ? 0 : wanted.oneIn();
            byId = wanted != null && wanted.by() == Recipe.HeldOut.By.ID;
            heldOut = wanted == null
                    ? null
                    : new JsonlWriter(out.resolve("held-out").resolve(partName(part) + ".jsonl.zst"));
        }

        long documents() {
            return writer.documents();
        }

        void accept(Document document) throws IOException {
            if (heldOut != null && Long.remainderUnsigned(hash(byId ? document.id() : document.text()), oneIn) == 0) {
                heldOut.accept(document);
                heldOutBytes += document.utf8Length();
            } else {
                writer.accept(document);
            }
        }

        /** The same for the same text wherever it stands, so that copies are on one side. */
        private static long hash(String text) {
            long h = 0;
            for (int i = 0; i < text.length(); i++) {
                h = 31 * h + text.charAt(i);
            }
            h = (h ^ (h >>> 32)) * 0x9E3779B97F4A7C15L;
            return h ^ (h >>> 29);
        }

        void complete() throws IOException {
            writer.close();
            if (heldOut != null) {
                heldOut.close();
            }
        }

        @Override
        public void close() throws IOException {
            writer.abandon();
            if (heldOut != null) {
                heldOut.abandon();
            }
        }
    }

    private static @Nullable Document filtered(
            Document document,
            long ordinal,
            Pass pass,
            @Nullable CorpusDeduplication deciding,
            List<FilterCounters> counters) {
        Document kept = document;
        int at = 0;
        if (deciding != null) {
            kept = counters.get(at++).apply(deciding.filter(ordinal), kept);
        }
        for (DocumentFilter filter : pass.filters()) {
            if (kept == null) {
                return null;
            }
            kept = counters.get(at++).apply(filter, kept);
        }
        return kept;
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
            Path file, ReadReport report, List<FilterCounters> counters, PartOutput output, @Nullable String failure)
            throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("bytes", report.bytes());
        root.put("documents", report.documents());
        root.put("textBytes", report.textBytes());
        root.put("skipped", new TreeMap<>(report.skipped()));
        root.put("brokenCount", report.brokenCount());
        List<Map<String, Object>> broken = new ArrayList<>();
        for (BrokenRecord b : report.broken()) {
            Map<String, Object> one = new LinkedHashMap<>(); // in this order in every run
            one.put("file", b.file().toString());
            one.put("offset", b.offset());
            one.put("problem", b.problem());
            broken.add(one);
        }
        root.put("broken", broken);
        if (failure != null) {
            root.put("failure", failure);
        }
        if (output.heldOut != null) {
            Map<String, Object> heldOut = new LinkedHashMap<>();
            heldOut.put("documents", output.heldOut.documents());
            heldOut.put("textBytes", output.heldOutBytes);
            root.put("heldOut", heldOut);
        }
        List<Map<String, Object>> stages = new ArrayList<>();
        for (FilterCounters c : counters) {
            Map<String, Object> stage = new LinkedHashMap<>();
            stage.put("name", c.name());
            stage.put("in", c.in());
            stage.put("out", c.out());
            stage.put("bytesIn", c.bytesIn());
            stage.put("bytesOut", c.bytesOut());
            stage.put("dropped", c.dropped());
            stage.put("show", c.show());
            stages.add(stage);
        }
        root.put("stages", stages);
        WholeFile.write(file, JSON.writeValueAsBytes(root));
    }

    /** What all parts of all passes counted. */
    private static final class Total {
        private long bytes;
        private long documents;
        private long textBytes;
        private long heldOutDocuments;
        private long heldOutBytes;
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
                    textBytes += root.path("textBytes").asLong();
                    addTo(skipped, root.path("skipped"));
                }
                heldOutDocuments += root.path("heldOut").path("documents").asLong(0);
                heldOutBytes += root.path("heldOut").path("textBytes").asLong(0);
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
                                    stage.path("bytesIn").asLong(),
                                    stage.path("bytesOut").asLong(),
                                    dropped);
                }
            }
        }

        private static void addTo(Map<String, Long> map, JsonNode counts) {
            counts.properties().forEach(e -> map.merge(e.getKey(), e.getValue().asLong(), Long::sum));
        }

        PipelineReport report(String name, List<Path> outputs, List<Path> heldOut) {
            return new PipelineReport(
                    name,
                    bytes,
                    documents,
                    textBytes,
                    skipped,
                    stages.stream()
                            .map(s -> new StageCount(s.name(), s.in(), s.out(), s.bytesIn(), s.bytesOut(), s.dropped()))
                            .toList(),
                    brokenCount,
                    broken,
                    failures,
                    heldOutDocuments,
                    heldOutBytes,
                    outputs,
                    heldOut);
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
