package dev.puna.data.filter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Document;
import dev.puna.data.Samples;
import dev.puna.data.source.CommonCrawlSource;
import dev.puna.data.source.Split;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FiltersTest {
    private static final String PROSE =
            "The old harbour town lies between two hills, and the people that live there have boats. "
                    + "In the morning they sail out with the tide to catch fish. Some of them return before noon, others stay until "
                    + "evening comes and the lamps along the quay begin to shine. Nobody knows who built the first house here. ";

    private static Document of(String text) {
        return new Document("id", text, "s", Map.of("url", "https://www.sub.Example.org/a/?utm_source=x"));
    }

    private static String reason(DocumentFilter filter, String text) {
        return switch (filter.apply(of(text))) {
            case Verdict.Keep k -> "";
            case Verdict.Drop d -> d.reason();
        };
    }

    @Test
    void gopherQuality() {
        GopherQuality filter = new GopherQuality();
        assertThat(reason(filter, PROSE)).isEmpty();
        assertThat(reason(filter, "The and of to " + "word ".repeat(45))).isEqualTo("too few words");
        assertThat(reason(filter, "The and of to " + "word ".repeat(46))).isEmpty();
        assertThat(reason(filter, "the of " + "a ".repeat(60))).isEqualTo("mean word length");
        assertThat(reason(filter, "the of " + "extraordinarily ".repeat(60))).isEqualTo("mean word length");
        assertThat(reason(filter, PROSE + " #tag".repeat(10))).isEqualTo("hash signs");
        assertThat(reason(filter, PROSE + " wait...".repeat(10))).isEqualTo("ellipses");
        assertThat(reason(filter, PROSE.replace(" ", "\n• "))).isEqualTo("bullet lines");
        assertThat(reason(filter, PROSE + " 12345".repeat(30))).isEqualTo("words without letters");
        assertThat(reason(filter, "Wort für Wort steht hier ".repeat(20))).isEqualTo("too few stop words");
        String lines = "one line that is cut off here because it is so long…\n".repeat(2)
                + "the fine line of text\n".repeat(9);
        assertThat(reason(new GopherQuality(1, 1000, 1, 20, 1, 1, 0.15, 0, 0), lines))
                .isEqualTo("lines that end with an ellipsis");
    }

    @Test
    void gopherRepetition() {
        GopherRepetition filter = new GopherRepetition();
        assertThat(reason(filter, PROSE)).isEmpty();
        assertThat(reason(filter, PROSE + "\nsame line\nsame line\nsame line")).isEqualTo("duplicate lines");
        assertThat(reason(filter, "a line of its own\n" + PROSE.strip() + "\nx\ny\nz\n" + PROSE.strip()))
                .isEqualTo("characters in duplicate lines");
        assertThat(reason(filter, "very long words " + "repeated phrase ".repeat(10) + PROSE))
                .isEqualTo("most frequent 2-gram");
        String phrase = "seven words that come back quite unchanged ";
        assertThat(reason(filter, PROSE + phrase + "A middle part of another kind. " + phrase + "then " + phrase))
                .startsWith("duplicated ");
    }

    /** The shares of n-grams against counting all of them, on texts that repeat more or less. */
    @Test
    void sharesOfRepeatedNgrams() {
        SplittableRandom random = new SplittableRandom(4);
        for (int round = 0; round < 300; round++) {
            int vocabulary = 1 + random.nextInt(30);
            List<String> words = new ArrayList<>();
            while (words.size() < round % 60 + random.nextInt(40)) {
                if (!words.isEmpty() && random.nextInt(6) == 0) {
                    int from = random.nextInt(words.size());
                    words.addAll(List.copyOf(words.subList(from, Math.min(words.size(), from + 12))));
                } else {
                    words.add("w".repeat(1 + random.nextInt(3)) + random.nextInt(vocabulary));
                }
            }
            long[] hashes = words.stream().mapToLong(Words::hash).toArray();
            int[] lengths = new int[words.size() + 1];
            for (int i = 0; i < words.size(); i++) {
                lengths[i + 1] = lengths[i] + words.get(i).length();
            }
            GopherRepetition.Grams grams = new GopherRepetition.Grams(hashes);
            for (int n = 2; n <= 10; n++) {
                grams.grow();
                if (n <= 4) {
                    assertThat(grams.topShare(lengths, 1000))
                            .as("n = %d of %s", n, words)
                            .isEqualTo(topShare(words, n));
                } else {
                    assertThat(grams.duplicateShare(lengths, 1000))
                            .as("n = %d of %s", n, words)
                            .isEqualTo(duplicateShare(words, n))
                            .isEqualTo(GopherRepetition.duplicateShare(hashes, lengths, n, 1000));
                }
            }
        }
    }

    private static double topShare(List<String> words, int n) {
        Map<List<String>, Integer> counts = new HashMap<>();
        for (int i = 0; i + n <= words.size(); i++) {
            counts.merge(words.subList(i, i + n), 1, Integer::sum);
        }
        int best = counts.values().stream().mapToInt(x -> x).max().orElse(0);
        int longest = counts.entrySet().stream()
                .filter(e -> e.getValue() == best)
                .mapToInt(e -> String.join("", e.getKey()).length())
                .max()
                .orElse(0);
        return best < 2 ? 0 : (double) best * longest / 1000;
    }

    private static double duplicateShare(List<String> words, int n) {
        Set<List<String>> seen = new HashSet<>();
        int repeated = 0;
        for (int i = 0; i + n <= words.size(); ) {
            if (seen.add(words.subList(i, i + n))) {
                i++;
            } else {
                repeated += String.join("", words.subList(i, i + n)).length();
                i += n;
            }
        }
        return repeated / 1000.0;
    }

    @Test
    void c4InItsOrder() {
        C4Rules filter = new C4Rules();
        String three = "One two three four five. Six seven eight nine ten eleven! And is this the third sentence here?";
        String text = three
                + "\nA line without an end mark is dropped here"
                + "\nToo few words."
                + "\nThis line ends in an ellipsis and goes..."
                + "\nPlease enable JavaScript in your browser now."
                + "\nRead our privacy policy before you go on.";
        Verdict verdict = filter.apply(of(text + "\nCitations[12] and [edit] marks go away here.[citation needed]"));
        assertThat(verdict).isInstanceOf(Verdict.Keep.class);
        assertThat(((Verdict.Keep) verdict).document().text())
                .isEqualTo(three + "\nCitations and  marks go away here.");
        assertThat(reason(filter, three + "\nLorem ipsum dolor sit amet it says."))
                .isEqualTo("lorem ipsum");
        assertThat(reason(filter, three + "\nA line with a { brace in it.")).isEqualTo("brace");
        assertThat(reason(filter, "Only one sentence of five words.")).isEqualTo("too few sentences");
        assertThat(reason(filter, "x".repeat(190_001))).isEqualTo("too long");
        assertThat(Sentences.count("Mr. Smith met Dr. J. Jones at 5 p.m. in the U.S. on Monday. He left."))
                .isEqualTo(2);
    }

    @Test
    void badWordsOfARealList() throws IOException {
        C4Rules filter = new C4Rules().withBadWords(Files.readAllLines(Samples.of("badwords/ldnoobw-en.txt")));
        String clean = "One two three four five. Six seven eight nine ten eleven! And is this the third sentence here?";
        assertThat(reason(filter, clean + "\nThe assassin came to Scunthorpe on a grey morning."))
                .isEmpty();
        assertThat(reason(filter, clean + "\nWhat a load of bullshit that was again."))
                .isEqualTo("bad word");
    }

    @Test
    void fineWeb() {
        FineWebQuality filter = new FineWebQuality();
        assertThat(reason(filter, PROSE)).isEmpty();
        assertThat(reason(filter, PROSE.replace(". ", "\n").replace(".", ""))).isEqualTo("few lines end a sentence");
        assertThat(reason(filter, "Short.\n".repeat(9) + PROSE)).isEqualTo("short lines");
        assertThat(reason(filter, PROSE + "\n" + PROSE)).isEqualTo("characters in duplicate lines");
    }

    @Test
    void llama3() {
        Llama3Heuristics filter = Llama3Heuristics.standard(Set.of("dirty"), frequencies());
        assertThat(reason(filter, PROSE + " dirty")).isEmpty();
        assertThat(reason(filter, PROSE + " Dirty! dirty, dirty dirty")).isEqualTo("dirty words");
        assertThat(reason(filter, "log line number one is the same ".repeat(20)))
                .isEqualTo("duplicated n-grams");
        assertThat(reason(filter, "zq".repeat(40))).isEqualTo("unlike the corpus");
    }

    private static Map<String, Double> frequencies() {
        Map<String, Double> frequencies = new java.util.HashMap<>();
        for (String word : PROSE.split(" ")) {
            frequencies.merge(Llama3Heuristics.plain(word), 0.004, Double::sum);
        }
        return frequencies;
    }

    @Test
    void urls() {
        assertThat(reason(new UrlBlockList(Set.of("example.org"), Set.of(), Set.of()), "x"))
                .isEqualTo("domain");
        assertThat(reason(new UrlBlockList(Set.of("ample.org"), Set.of(), Set.of()), "x"))
                .isEmpty();
        assertThat(reason(new UrlBlockList(Set.of(), Set.of("sub.example.org/a"), Set.of()), "x"))
                .isEqualTo("address");
        assertThat(reason(new UrlBlockList(Set.of(), Set.of(), Set.of("/a/")), "x"))
                .isEqualTo("word in the address");
    }

    @Test
    void personalData() {
        String text = "Mail jane.doe+x@mail.example.co.uk or at 8.8.8.8, not 192.168.1.1, 1.2.3.4.5 or 256.1.1.1; a@b.";
        Verdict verdict = new PersonalDataMask().apply(of(text));
        assertThat(((Verdict.Keep) verdict).document().text())
                .isEqualTo(
                        "Mail email@example.com or at 22.214.171.124, not 192.168.1.1, 1.2.3.4.5 or 256.1.1.1; a@b.");
    }

    @Test
    void hostileTextsTakeLittleTime() {
        String[] hostile = {
            "a.".repeat(300_000), "a@".repeat(300_000), "1.".repeat(300_000), "x".repeat(600_000), "\n".repeat(600_000)
        };
        DocumentFilter[] filters = {
            new GopherQuality(),
            new GopherRepetition(),
            new C4Rules(),
            new FineWebQuality(),
            new PersonalDataMask(),
            Llama3Heuristics.standard(Set.of(), null)
        };
        org.junit.jupiter.api.Assertions.assertTimeoutPreemptively(java.time.Duration.ofSeconds(20), () -> {
            for (String text : hostile) {
                for (DocumentFilter filter : filters) {
                    filter.apply(of(text));
                }
            }
        });
    }

    @Test
    void countersShowWhatWentAndWhy() throws IOException {
        FilterCounters counters = new FilterCounters("fineweb");
        FineWebQuality filter = new FineWebQuality();
        new CommonCrawlSource()
                .read(
                        Split.whole(Samples.of("commoncrawl/sample-0000.warc.gz")),
                        d -> counters.apply(filter, d),
                        new dev.puna.data.ReadReport());
        assertThat(counters.in()).isEqualTo(22);
        assertThat(counters.out()).isBetween(1L, 21L);
        assertThat(counters.dropped().values().stream().mapToLong(n -> n).sum()).isEqualTo(22 - counters.out());
        assertThat(counters.show()).contains("fineweb: ").contains("urn:uuid:");
    }
}
