package dev.puna.data.spark;

import dev.puna.data.Document;
import dev.puna.data.JsonlReader;
import dev.puna.data.ReadReport;
import dev.puna.data.dedup.KeyedDeduplication;
import dev.puna.data.pipeline.RunFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The keys of the documents that a pass has left of a part, for the deduplication of the next pass. One document is in
 * memory at a time.
 *
 * @param run what is run
 * @param pass that the deduplication begins
 */
record KeysOfPart(SharedRun run, int pass) implements FlatMapFunction<Integer, Row> {
    static final StructType ROW = new StructType()
            .add("high", DataTypes.LongType, false)
            .add("low", DataTypes.LongType, false)
            .add("ordinal", DataTypes.LongType, false);

    @Override
    public Iterator<Row> call(Integer part) throws IOException {
        SharedRun.Opened opened = run.open();
        return new Keys(
                opened.deduplication(pass),
                new JsonlReader(opened.files().documents(pass - 1, part), new ReadReport()),
                part);
    }

    private static final class Keys implements Iterator<Row> {
        private final KeyedDeduplication deduplication;
        private final JsonlReader reader;
        private final int part;
        private final ArrayDeque<Row> ready = new ArrayDeque<>();
        private long index;
        private boolean ended;

        Keys(KeyedDeduplication deduplication, JsonlReader reader, int part) {
            this.deduplication = deduplication;
            this.reader = reader;
            this.part = part;
        }

        @Override
        public boolean hasNext() {
            try {
                while (ready.isEmpty() && !ended) {
                    Document document = reader.next();
                    if (document == null) {
                        ended = true;
                        reader.close();
                        deduplication.close();
                    } else {
                        long ordinal = RunFolder.ordinal(part, index++);
                        deduplication.keys(document, (high, low) -> ready.add(RowFactory.create(high, low, ordinal)));
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return !ready.isEmpty();
        }

        @Override
        public Row next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return ready.remove();
        }
    }
}
