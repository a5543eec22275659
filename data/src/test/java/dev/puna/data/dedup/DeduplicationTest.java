package dev.puna.data.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Document;
import dev.puna.data.LongRecordSort;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeduplicationTest {
    @TempDir
    Path folder;

    private static Document of(String text) {
        return new Document("id", text, "s", Map.of());
    }

    private static String text(Verdict verdict) {
        return switch (verdict) {
            case Verdict.Keep keep -> keep.document().text();
            case Verdict.Drop drop -> "dropped: " + drop.reason();
        };
    }

    /** Values of cc_net's own function for these lines. */
    @Test
    void lineHashIsCcNets() {
        assertThat(LineHash.normalized("  Héllo, World 42!  ")).isEqualTo("héllo, world 00!");
        assertThat(LineHash.normalized("«٣» — a\u0007b…")).isEqualTo("0  ab");
        // sha1("hello 0")[:8] little-endian
        assertThat(new LineHash().of(" Hello 7 ")).isEqualTo(Long.reverseBytes(0x9058F5F165A96FD4L));
    }

    @Test
    void countsAreExactWhetherTheySpillOrNot() throws IOException {
        SplittableRandom random = new SplittableRandom(5);
        long[] hashes = random.longs(200_000, -20_000, 20_000)
                .map(x -> x * 0x9E3779B97F4A7C15L)
                .toArray();
        Map<Long, Integer> expected = new HashMap<>();
        for (long h : hashes) {
            expected.merge(h, 1, Integer::sum);
        }
        for (long memory : new long[] {64 << 10, 16 << 20}) {
            Path file = folder.resolve("frequent" + memory);
            try (HashCounts counts = new HashCounts(folder.resolve("runs" + memory), memory)) {
                for (int at = 0; at < hashes.length; at += 1000) {
                    counts.add(java.util.Arrays.copyOfRange(hashes, at, at + 1000), 1000);
                }
                assertThat(counts.runs() > 1).isEqualTo(memory < 1 << 20);
                counts.frequent(6, file);
            }
            try (HashCounts.Frequent frequent = new HashCounts.Frequent(file)) {
                long number = 0;
                for (Map.Entry<Long, Integer> entry : expected.entrySet()) {
                    assertThat(frequent.contains(entry.getKey())).isEqualTo(entry.getValue() >= 6);
                    number += entry.getValue() >= 6 ? 1 : 0;
                }
                assertThat(frequent.size()).isEqualTo(number);
                assertThat(frequent.contains(12345)).isFalse();
            }
        }
    }

    @Test
    void linesThatComeTwiceGoEverywhere() throws IOException {
        List<Document> corpus =
                List.of(of("Menu 1\nown line a\nown line a"), of("MENU 2\nown line b"), of("menu 3"), of("third\nown"));
        try (LineDeduplication lines = new LineDeduplication(2, folder.resolve("runs"), 1 << 20)) {
            for (int i = 0; i < corpus.size(); i++) {
                lines.look(corpus.get(i), i);
            }
            lines.decide(folder.resolve("decided"));
            List<String> texts = new ArrayList<>();
            for (int i = 0; i < corpus.size(); i++) {
                texts.add(text(lines.filter(i).apply(corpus.get(i))));
            }
            assertThat(texts)
                    .containsExactly(
                            "dropped: no line of its own", "own line b", "dropped: no line of its own", "third\nown");
        }
        try (LineDeduplication often = new LineDeduplication(4, folder.resolve("runs2"), 1 << 20)) {
            for (int i = 0; i < corpus.size(); i++) {
                often.look(corpus.get(i), i);
            }
            often.decide(folder.resolve("decided2"));
            assertThat(text(often.filter(0).apply(corpus.get(0)))).isEqualTo("Menu 1\nown line a");
        }
    }

    @Test
    void firstOfExactDuplicatesStaysWhateverTheOrderOfLooking() throws IOException {
        try (ExactDeduplication exact = new ExactDeduplication(false, folder.resolve("exact"), 1 << 20)) {
            for (int i : new int[] {3, 0, 2, 1}) {
                exact.look(of(i % 2 == 0 ? "even" : "odd"), i);
            }
            exact.decide(folder.resolve("decided"));
            for (int i = 0; i < 4; i++) {
                assertThat(exact.filter(i).apply(of(i % 2 == 0 ? "even" : "odd")) instanceof Verdict.Keep)
                        .isEqualTo(i < 2);
            }
        }
    }

    @Test
    void minHashFindsNearDuplicatesAndOnlyThem() throws IOException {
        SplittableRandom random = new SplittableRandom(9);
        List<Document> corpus = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            StringBuilder text = new StringBuilder();
            for (int w = 0; w < 400; w++) {
                text.append("w").append(random.nextInt(5000)).append(' ');
            }
            corpus.add(of(text.toString()));
            corpus.add(of(
                    text.toString().replaceFirst("w\\d+ w\\d+", "other words").toUpperCase(java.util.Locale.ROOT)));
        }
        MinHashDeduplication minHash = new MinHashDeduplication(folder.resolve("minhash"), 1 << 20);
        for (int i = corpus.size() - 1; i >= 0; i--) {
            minHash.look(corpus.get(i), i);
        }
        minHash.decide(folder.resolve("decided"));
        for (int i = 0; i < corpus.size(); i++) {
            assertThat(minHash.first(i)).isEqualTo(i - i % 2);
        }
        assertThat(text(minHash.filter(1).apply(corpus.get(1)))).isEqualTo("dropped: near-duplicate");
        minHash.close();
    }

    /** The probability of meeting follows 1 − (1 − sʳ)ᵇ. */
    @Test
    void similarityOfSignaturesIsThatOfTheSets() throws IOException {
        MinHashDeduplication minHash = new MinHashDeduplication(1, 64, 8, folder, 4096);
        StringBuilder a = new StringBuilder();
        StringBuilder b = new StringBuilder();
        for (int i = 0; i < 3000; i++) {
            a.append("t").append(i).append(' ');
            b.append("t").append(i + 1000).append(' ');
        }
        long[] x = minHash.signature(a.toString());
        long[] y = minHash.signature(b.toString());
        int same = 0;
        for (int i = 0; i < x.length; i++) {
            same += x[i] == y[i] ? 1 : 0;
        }
        assertThat((double) same / x.length).isBetween(0.42, 0.58); // 2000 shared of 4000
    }

    @Test
    void recordsComeInOrderWhetherTheySpillOrNot() throws IOException {
        SplittableRandom random = new SplittableRandom(3);
        for (long memory : new long[] {4096, 1 << 20}) {
            for (int width : new int[] {2, 3}) {
                List<List<Long>> expected = new ArrayList<>();
                try (LongRecordSort sort = new LongRecordSort(width, folder.resolve("sort"), "s", memory)) {
                    for (int i = 0; i < 5000; i++) {
                        long a = random.nextInt(-40, 40);
                        long b = random.nextLong();
                        if (width == 2) {
                            sort.add(a, b);
                            expected.add(List.of(a, b, 0L));
                        } else {
                            sort.add(a, b & 3, -i);
                            expected.add(List.of(a, b & 3, (long) -i));
                        }
                    }
                    assertThat(sort.runs() > 1).isEqualTo(memory == 4096);
                    expected.sort(Comparator.<List<Long>>comparingLong(r -> r.get(0))
                            .thenComparingLong(r -> r.get(1))
                            .thenComparingLong(r -> r.get(2)));
                    List<List<Long>> found = new ArrayList<>();
                    try (LongRecordSort.Cursor cursor = sort.sorted()) {
                        while (cursor.next()) {
                            found.add(List.of(cursor.first(), cursor.second(), cursor.third()));
                        }
                    }
                    assertThat(found).isEqualTo(expected);
                }
                try (var left = java.nio.file.Files.list(folder.resolve("sort"))) {
                    assertThat(left).isEmpty();
                }
            }
        }
    }

    @Test
    void componentsAreThoseOfUnionFind() throws IOException {
        SplittableRandom random = new SplittableRandom(11);
        for (int nodes : new int[] {0, 2, 50, 3000}) {
            int[] parent = new int[nodes];
            java.util.Arrays.setAll(parent, i -> i);
            try (Components components = new Components(folder.resolve("graph"), 16 << 10)) {
                for (int e = 0; e < nodes; e++) {
                    // half of the nodes in one long chain, the rest at random
                    int a = e < nodes / 2 ? e : random.nextInt(nodes);
                    int b = e < nodes / 2 ? Math.min(nodes - 1, e + 1) : random.nextInt(nodes);
                    components.edge(a, b);
                    int x = a;
                    int y = b;
                    while (parent[x] != x) {
                        x = parent[x];
                    }
                    while (parent[y] != y) {
                        y = parent[y];
                    }
                    parent[Math.max(x, y)] = Math.min(x, y);
                }
                try (LongRecordSort stars = components.stars();
                        Duplicates duplicates = Duplicates.write(stars, folder.resolve("stars"))) {
                    for (int i = 0; i < nodes; i++) {
                        int root = i;
                        while (parent[root] != root) {
                            root = parent[root];
                        }
                        assertThat(duplicates.keptFor(i).orElse(i)).isEqualTo(root);
                    }
                }
            }
        }
    }

    /** The same decisions with 16 KiB, which is far too little for the corpus, as with a megabyte. */
    @Test
    void whatGoesDoesNotDependOnTheMemory() throws IOException {
        SplittableRandom random = new SplittableRandom(17);
        List<Document> corpus = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            StringBuilder text = new StringBuilder();
            int kind = random.nextInt(900);
            for (int w = 0; w < 30; w++) {
                text.append("w").append(kind * 31 + w).append(' ');
            }
            corpus.add(of(text.toString()));
        }
        List<List<Long>> kept = new ArrayList<>();
        for (long memory : new long[] {16 << 10, 1 << 20}) {
            try (ExactDeduplication exact = new ExactDeduplication(false, folder.resolve("e" + memory), memory);
                    MinHashDeduplication near = new MinHashDeduplication(folder.resolve("m" + memory), memory)) {
                for (int i = 0; i < corpus.size(); i++) {
                    exact.look(corpus.get(i), i);
                    near.look(corpus.get(i), i);
                }
                assertThat(exact.runs() > 2).isEqualTo(memory < 1 << 20);
                assertThat(near.runs() > 20).isEqualTo(memory < 1 << 20);
                exact.decide(folder.resolve("e"));
                near.decide(folder.resolve("m"));
                List<Long> own = new ArrayList<>();
                for (int i = 0; i < corpus.size(); i++) {
                    boolean stays = exact.filter(i).apply(corpus.get(i)) instanceof Verdict.Keep;
                    assertThat(near.filter(i).apply(corpus.get(i)) instanceof Verdict.Keep)
                            .isEqualTo(stays);
                    if (stays) {
                        own.add((long) i);
                    }
                }
                kept.add(own);
            }
        }
        assertThat(kept.get(0)).isEqualTo(kept.get(1)).hasSizeBetween(850, 900);
    }
}
