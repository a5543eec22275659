package dev.puna.data.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Document;
import dev.puna.data.filter.Sentences;
import dev.puna.data.filter.TokenDivergence;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpanAndMeaningTest {
    @TempDir
    Path folder;

    private static Document of(String text) {
        return new Document("id", text, "s", Map.of());
    }

    private static String words(SplittableRandom random, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append("w").append(random.nextInt(100_000)).append(i % 12 == 11 ? '\n' : ' ');
        }
        return text.toString().strip();
    }

    private static List<String> run(CorpusDeduplication stage, Path state, List<Document> corpus) throws IOException {
        try (stage) {
            for (int i = corpus.size() - 1; i >= 0; i--) { // the order of looking does not matter
                stage.look(corpus.get(i), i);
            }
            stage.decide(state);
            List<String> texts = new ArrayList<>();
            for (int i = 0; i < corpus.size(); i++) {
                texts.add(
                        switch (stage.filter(i).apply(corpus.get(i))) {
                            case Verdict.Keep keep -> keep.document().text();
                            case Verdict.Drop drop -> "dropped: " + drop.reason();
                        });
            }
            return texts;
        }
    }

    @Test
    void substringsOfFiftyWordsStayWhereTheyStoodFirst() throws IOException {
        SplittableRandom random = new SplittableRandom(1);
        String shared = words(random, 60);
        String shorter = words(random, 49);
        String a = words(random, 70);
        String b = words(random, 70);
        String c = words(random, 70);
        List<Document> corpus = List.of(
                of(a + " " + shared + " " + shorter),
                of(b + " " + shared + " " + c + " " + shorter),
                of(shared),
                of(c.substring(0, 60) + " " + a.substring(0, 60)));
        for (long memory : new long[] {4096, 1 << 20}) {
            List<String> texts = run(
                    new SpanDeduplication(SpanDeduplication.Unit.WORDS, 50, 50, folder.resolve("w" + memory), memory),
                    folder.resolve("state"),
                    corpus);
            assertThat(texts.get(0)).isEqualTo(corpus.get(0).text());
            assertThat(texts.get(1)).isEqualTo(b + " " + c + " " + shorter);
            assertThat(texts.get(2)).isEqualTo("dropped: too little of its own");
            assertThat(texts.get(3)).isEqualTo(corpus.get(3).text());
        }
    }

    @Test
    void whatRepeatsWithinADocumentIsThereOnce() throws IOException {
        String line = words(new SplittableRandom(2), 30);
        List<String> texts = run(
                new SpanDeduplication(SpanDeduplication.Unit.WORDS, 20, 1, folder.resolve("own"), 1 << 20),
                folder.resolve("state"),
                List.of(of(line + "\n" + line + "\n" + line)));
        assertThat(texts.getFirst()).isEqualTo(line);
    }

    @Test
    void threeSentencesThatStoodBeforeGo() throws IOException {
        String menu = "Click here to go on. We value your opinion. All rights are reserved.";
        List<Document> corpus = List.of(
                of("One is a number. " + menu + " Two is a number. Three is one too."),
                of("Four comes then. Five follows. Six is even. " + menu.toUpperCase(java.util.Locale.ROOT)),
                of("Seven. We value your opinion. All rights are reserved. Eight."),
                of(menu));
        List<String> texts = run(
                new SpanDeduplication(SpanDeduplication.Unit.SENTENCES, 3, 3, folder.resolve("s"), 1 << 20),
                folder.resolve("state"),
                corpus);
        assertThat(texts)
                .containsExactly(
                        corpus.get(0).text(),
                        "Four comes then. Five follows. Six is even.",
                        corpus.get(2).text(),
                        "dropped: too little of its own");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            1 | Hello there
            0 |
            2 | It rains. It pours.
            2 | Mr. Smith met Dr. J. Jones at 5 p.m. on Monday. He left.
            1 | He bought shares of Acme Inc. and others, e.g. Bolt.
            2 | It is made by Acme Inc. The price is high.
            2 | What? Nothing!
            1 | "No!" he said.
            2 | See Fig. 3 and No. 7. Then go on.
            1 | The price is 3.50 or so
            2 | He paused ... Then he went on.
            1 | He paused ... then he went on.
            2 | She said "Stop." He stopped.
            """)
    void sentences(int count, String line) {
        assertThat(Sentences.count(line == null ? "" : line)).isEqualTo(count);
    }

    /** Texts of one topic have one direction, with a little noise of their own. */
    private static final class Topics implements Embedder {
        private boolean closed;

        @Override
        public int width() {
            return 16;
        }

        @Override
        public void embed(String text, float[] into) {
            String[] parts = text.split(" ");
            SplittableRandom topic = new SplittableRandom(Long.parseLong(parts[0]));
            SplittableRandom own = new SplittableRandom(text.hashCode());
            double noise = Double.parseDouble(parts[1]);
            for (int i = 0; i < into.length; i++) {
                into[i] = (float) (topic.nextGaussian() * 3 + own.nextGaussian() * noise);
            }
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Test
    void ofTextsThatSayTheSameTheMostUnusualStays() throws IOException {
        List<Document> corpus = new ArrayList<>();
        for (int topic = 0; topic < 40; topic++) {
            for (int i = 0; i < 3; i++) {
                corpus.add(of(topic + " 0.05 " + i)); // three that are nearly the same
            }
            corpus.add(of(topic + " 3.0 other"));
        }
        List<List<String>> results = new ArrayList<>();
        for (int clusters : new int[] {1, 12}) {
            Topics topics = new Topics();
            List<String> texts = run(
                    new SemanticDeduplication(topics, clusters, 0.02, folder.resolve("k" + clusters)),
                    folder.resolve("state"),
                    corpus);
            assertThat(topics.closed).isTrue();
            for (int topic = 0; topic < 40; topic++) {
                List<String> own = texts.subList(4 * topic, 4 * topic + 4);
                assertThat(own)
                        .filteredOn(t -> t.equals("dropped: says the same"))
                        .hasSize(2);
                assertThat(own.get(3)).isEqualTo(topic + " 3.0 other");
            }
            results.add(texts);
        }
        assertThat(results.get(0)).hasSameSizeAs(results.get(1));
    }

    @Test
    void documentsUnlikeTheCorpusGo() throws IOException {
        List<Document> corpus = new ArrayList<>();
        SplittableRandom random = new SplittableRandom(8);
        for (int i = 0; i < 200; i++) {
            StringBuilder text = new StringBuilder();
            for (int w = 0; w < 100; w++) {
                text.append("common").append(random.nextInt(60)).append(' ');
            }
            corpus.add(of(text.toString()));
        }
        corpus.add(of("xq77 zzk1 qqq8 pl0o vv6t ".repeat(20)));
        List<String> texts = run(new TokenDivergence(5, 1 << 20), folder.resolve("state"), corpus);
        assertThat(texts.get(200)).isEqualTo("dropped: unlike the corpus");
        assertThat(texts.subList(0, 200)).noneMatch(t -> t.startsWith("dropped"));
    }
}
