package dev.puna.data.spark;

import dev.puna.data.dedup.KeyedDeduplication;
import dev.puna.data.pipeline.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.ForeachPartitionFunction;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * Writes what is known of each part to a file beside the others. Rows of a part come one after the other.
 *
 * @param run what is run
 * @param pass that the deduplication begins
 */
record WriteFacts(SharedRun run, int pass) implements ForeachPartitionFunction<Row> {
    @Override
    public void call(Iterator<Row> rows) throws IOException {
        RunFolder files = run.open().files();
        try (KeyedDeduplication deduplication = run.open().deduplication(pass)) {
            Ahead ahead = new Ahead(rows);
            while (ahead.row != null) {
                int part = ahead.row.getInt(0);
                Path target = files.facts(pass, part);
                Path partial = target.resolveSibling(
                        target.getFileName() + "." + TaskContext.get().taskAttemptId() + ".partial");
                deduplication.write(ahead.of(part), partial);
                Files.move(partial, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
            }
        }
    }

    /** Knows the row that comes next. */
    private static final class Ahead {
        private final Iterator<Row> rows;
        private @Nullable Row row;

        Ahead(Iterator<Row> rows) {
            this.rows = rows;
            step();
        }

        private void step() {
            row = rows.hasNext() ? rows.next() : null;
        }

        Iterator<long[]> of(int part) {
            return new Iterator<>() {
                @Override
                public boolean hasNext() {
                    return row != null && row.getInt(0) == part;
                }

                @Override
                public long[] next() {
                    if (row == null || row.getInt(0) != part) {
                        throw new NoSuchElementException();
                    }
                    long[] fact = {row.getLong(1), row.getLong(2)};
                    step();
                    return fact;
                }
            };
        }
    }
}
