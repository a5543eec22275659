package dev.puna.data.spark;

import dev.puna.data.dedup.KeyedDeduplication;
import dev.puna.data.pipeline.PartRun;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Split;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.api.java.function.VoidFunction;

/**
 * A part of a pass as a task. Done again after a failure, it writes the same files.
 *
 * @param run what is run
 * @param pass number of the pass, from 0
 */
record PartTask(SharedRun run, int pass) implements VoidFunction<PartTask.Part> {
    /**
     * A part of a pass's input.
     *
     * @param number of the part
     * @param path file
     * @param from first byte
     * @param to behind the last byte
     */
    record Part(int number, String path, long from, long to) implements Serializable {
        static Part of(int number, Split split) {
            return new Part(number, split.path().toString(), split.from(), split.to());
        }
    }

    @Override
    public void call(Part part) throws IOException {
        SharedRun.Opened opened = run.open();
        var source = pass == 0 ? opened.recipe().source() : new JsonlSource("unknown");
        Split split = new Split(Path.of(part.path()), part.from(), part.to());
        PartRun work =
                new PartRun(opened.recipe(), opened.files(), opened.passes().get(pass), pass);
        if (pass == 0) {
            work.run(part.number(), source, split, null, PartRun.Watcher.NONE);
            return;
        }
        try (KeyedDeduplication deduplication = opened.deduplication(pass)) {
            Path facts = opened.files().facts(pass, part.number());
            if (!Files.exists(facts)) {
                facts = opened.files().noFacts(pass);
            }
            deduplication.decided(facts);
            work.run(part.number(), source, split, deduplication, PartRun.Watcher.NONE);
        }
    }
}
