package dev.puna.data.pipeline;

import dev.puna.data.BrokenRecord;
import dev.puna.data.Document;
import dev.puna.data.GuardedSink;
import dev.puna.data.JsonlWriter;
import dev.puna.data.ReadReport;
import dev.puna.data.dedup.CorpusDeduplication;
import dev.puna.data.filter.FilterCounters;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Split;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.ObjectMapper;

/**
 * One part of one pass: what a thread of a {@link Pipeline} does, or a task on a cluster. The files appear whole or not
 * at all, and hold the same bytes whoever writes them.
 */
public final class PartRun {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Recipe recipe;
    private final RunFolder files;
    private final Pass pass;
    private final int number;

    /** Parts of pass {@code number} of the recipe, counted from 0. */
    public PartRun(Recipe recipe, RunFolder files, Pass pass, int number) {
        this.recipe = recipe;
        this.files = files;
        this.pass = pass;
        this.number = number;
    }

    /** Told of documents while a part is being done. */
    public interface Watcher {
        /** A document was read. */
        void read(ReadReport report) throws IOException;

        /** A document stays; {@code ordinal} is its place in the next pass. */
        void kept(Document document, long ordinal) throws IOException;

        /** Tells nobody. */
        Watcher NONE = new Watcher() {
            @Override
            public void read(ReadReport report) {}

            @Override
            public void kept(Document document, long ordinal) {}
        };
    }

    /**
     * Reads the part, filters, writes. A file that breaks off is no failure: what came before stays, and the counts say so.
     *
     * @param deciding the deduplication that this pass begins with, decided; null when it has none
     */
    public void run(
            int part, DocumentSource source, Split split, @Nullable CorpusDeduplication deciding, Watcher watcher)
            throws IOException {
        List<FilterCounters> counters = new ArrayList<>();
        pass.stageNames().forEach(name -> counters.add(new FilterCounters(name)));
        ReadReport report = new ReadReport();
        String failure = null;
        try (PartOutput output = new PartOutput(part)) {
            long[] read = new long[1];
            GuardedSink sink = new GuardedSink(document -> {
                Document kept = pass.filtered(document, RunFolder.ordinal(part, read[0]++), deciding, counters);
                if (kept != null) {
                    watcher.kept(kept, RunFolder.ordinal(part, output.documents()));
                    output.accept(kept);
                }
                watcher.read(report);
            });
            try {
                source.read(split, sink, report);
            } catch (CorruptFileException | FileSystemException e) {
                sink.check();
                failure = String.valueOf(e.getMessage());
            }
            output.complete();
            writeCounts(files.counts(number, part), report, counters, output, failure);
        }
    }

    /** Where the documents of a part go; nothing is left of it when it is closed before it is complete. */
    private final class PartOutput implements AutoCloseable {
        private final JsonlWriter writer;
        private final @Nullable JsonlWriter heldOut;
        private final int oneIn;
        private final boolean byId;
        private long heldOutBytes;

        PartOutput(int part) throws IOException {
            Recipe.HeldOut wanted = number == files.passes() - 1 ? recipe.heldOut() : null;
            writer = new JsonlWriter(files.documents(number, part));
            oneIn = wanted == null ? 0 : wanted.oneIn();
            byId = wanted != null && wanted.by() == Recipe.HeldOut.By.ID;
            heldOut = wanted == null ? null : new JsonlWriter(files.heldOut(part));
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
        AtomicFile.write(file, JSON.writeValueAsBytes(root));
    }
}
