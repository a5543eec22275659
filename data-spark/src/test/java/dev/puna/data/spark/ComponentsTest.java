package dev.puna.data.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComponentsTest {
    @TempDir
    Path folder;

    @Test
    void aChainAndARandomGraphAsByMergingSets() {
        int nodes = 300;
        List<Row> edges = new ArrayList<>();
        int[] parent = new int[nodes];
        for (int i = 0; i < nodes; i++) {
            parent[i] = i;
        }
        for (int i = 200; i + 1 < 240; i++) { // a chain, the longest way for such steps
            edge(i + 1, i, edges, parent);
        }
        Random random = new Random(7);
        for (int i = 0; i < 120; i++) {
            edge(random.nextInt(200), random.nextInt(200), edges, parent);
        }
        Map<Long, Long> expected = new HashMap<>();
        for (int i = 0; i < nodes; i++) {
            int root = root(parent, i);
            if (root != i) {
                expected.put(1L << 40 | i, 1L << 40 | root);
            }
        }
        LocalSpark.session().sparkContext().setCheckpointDir(folder.toUri().toString());
        Map<Long, Long> found = new HashMap<>();
        var graph = LocalSpark.session()
                .createDataFrame(
                        edges, new StructType().add("a", DataTypes.LongType).add("b", DataTypes.LongType));
        for (Row row : Components.of(graph.distinct()).collectAsList()) {
            assertThat(found.put(row.getLong(0), row.getLong(1))).isNull();
        }
        assertThat(expected).hasSizeGreaterThan(100);
        assertThat(found).isEqualTo(expected);
    }

    private static void edge(int a, int b, List<Row> edges, int[] parent) {
        if (a != b) {
            edges.add(RowFactory.create(1L << 40 | Math.max(a, b), 1L << 40 | Math.min(a, b)));
            int one = root(parent, a);
            int other = root(parent, b);
            parent[Math.max(one, other)] = Math.min(one, other);
        }
    }

    private static int root(int[] parent, int node) {
        int at = node;
        while (parent[at] != at) {
            at = parent[at];
        }
        return at;
    }
}
