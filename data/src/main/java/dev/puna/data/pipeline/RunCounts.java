package dev.puna.data.pipeline;

import dev.puna.data.BrokenRecord;
import dev.puna.data.ReadReport;
import dev.puna.data.filter.FilterCounters;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** What all parts of all passes counted. */
final class RunCounts {
    private static final ObjectMapper JSON = new ObjectMapper();

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

    /** Adds what a complete pass has counted. */
    void collect(Pass pass, int number, RunFolder files, int parts) throws IOException {
        int first = stages.size();
        pass.stageNames().forEach(name -> stages.add(new FilterCounters(name)));
        for (int part = 0; part < parts; part++) {
            JsonNode root = JSON.readTree(Files.readAllBytes(files.counts(number, part)));
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

    /** All of it. */
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
