package dev.puna.data.spark;

import static org.apache.spark.sql.functions.bit_xor;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.least;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.xxhash64;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * Connected components of a graph that lies on many machines: every node comes to point to the smallest of its component.
 * The same alternating large-star and small-star steps as on one machine (Kiveris, Lattanzi, Mirrokni, Rastogi,
 * Vassilvitskii, Connected components in MapReduce and beyond, 2014), each one shuffle.
 */
final class Components {
    private Components() {}

    /**
     * The pairs (node, smallest of its component) for all nodes that are not the smallest.
     *
     * @param edges pairs a, b with a larger than b, each once
     */
    static Dataset<Row> of(Dataset<Row> edges) {
        Dataset<Row> now = edges;
        Row before = RowFactory.create(-1L, 0L); // of no graph
        while (true) {
            now = smallStar(largeStar(now)).checkpoint(); // its history would become longer with every round
            Row sum = now.agg(count(lit(1)), bit_xor(xxhash64(col("a"), col("b"))))
                    .first();
            if (sum.equals(before)) {
                return now;
            }
            before = sum;
        }
    }

    /** Every larger neighbour of a node goes to the smallest of its neighbours and itself. */
    private static Dataset<Row> largeStar(Dataset<Row> edges) {
        Dataset<Row> both = edges.union(edges.select(col("b").as("a"), col("a").as("b")));
        Dataset<Row> smallest = both.groupBy("a").agg(least(col("a"), min("b")).as("m"));
        return both.join(smallest, "a")
                .where(col("b").gt(col("a")))
                .select(col("b").as("a"), col("m").as("b"))
                .distinct();
    }

    /** A node and its smaller neighbours go to the smallest of them. */
    private static Dataset<Row> smallStar(Dataset<Row> edges) {
        Dataset<Row> smallest = edges.groupBy("a").agg(min("b").as("m"));
        return edges.join(smallest, "a")
                .where(col("b").notEqual(col("m")))
                .select(col("b").as("a"), col("m").as("b"))
                .union(smallest.select(col("a"), col("m").as("b")))
                .distinct();
    }
}
