package dev.puna.data.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.shiftrightunsigned;
import static org.apache.spark.sql.functions.sum;

import dev.puna.data.dedup.KeyedDeduplication.Rule;
import dev.puna.data.pipeline.RunFolder;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;

/** What follows from equal keys, for each part of the corpus: rows of part, first, second. */
final class Facts {
    private Facts() {}

    /** @param keys high, low, ordinal */
    static Dataset<Row> of(Dataset<Row> keys, Rule rule) {
        return switch (rule) {
            case Rule.FirstOfKey() -> ofDocuments(repeats(keys), "ordinal", "first");
            case Rule.FirstOfCluster() ->
                ofDocuments(Components.of(repeats(keys).toDF("a", "b").distinct()), "a", "b");
            case Rule.Frequent(int atLeast) ->
                keys.groupBy(part("ordinal").as("part"), col("low"))
                        .count()
                        .withColumn("all", sum("count").over(Window.partitionBy("low")))
                        .where(col("all").geq(atLeast))
                        .select(col("part"), col("low").as("first"), lit(0L).as("second"));
        };
    }

    /** Documents that have a key which an earlier one has: ordinal, first. */
    private static Dataset<Row> repeats(Dataset<Row> keys) {
        return keys.withColumn("first", min("ordinal").over(Window.partitionBy("high", "low")))
                .where(col("ordinal").gt(col("first")))
                .select("ordinal", "first");
    }

    private static Dataset<Row> ofDocuments(Dataset<Row> pairs, String goes, String stays) {
        return pairs.select(
                        part(goes).as("part"), col(goes).as("first"), col(stays).as("second"))
                .distinct();
    }

    private static org.apache.spark.sql.Column part(String ordinal) {
        return shiftrightunsigned(col(ordinal), RunFolder.ORDINAL_BITS).cast("int");
    }

    /** Every fact on the machine that writes its part, in the order of the file. */
    static Dataset<Row> byPart(Dataset<Row> facts) {
        return facts.repartition(functions.col("part")).sortWithinPartitions("part", "first");
    }
}
