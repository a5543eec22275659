package dev.puna.tokenizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.SentencePieceModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against what the tools in {@code tools/golden/bpe_training.py} made of the same text. */
class BpeTrainingGoldenTest {
    @TempDir
    Path folder;

    private static byte[] resource(String name) throws IOException {
        try (var in = BpeTrainingGoldenTest.class.getResourceAsStream("/train/" + name)) {
            return in.readAllBytes();
        }
    }

    private static List<String> lines(String name) throws IOException {
        return List.of(new String(resource(name), StandardCharsets.UTF_8).split("\n"));
    }

    private static List<String> mergesOf(byte[] text, int size) {
        ByteLevelTraining training = new ByteLevelTraining(size, List.of(), 0, new Llama3Words());
        WordCounts counts = new WordCounts();
        training.splitter().count(text, 0, text.length, counts);
        ByteLevelVocabulary vocabulary = training.train(counts);
        assertThat(vocabulary.size()).isEqualTo(size);
        return vocabulary.merges().stream()
                .map(m -> vocabulary.print(m.left()) + " " + vocabulary.print(m.right()))
                .toList();
    }

    private static List<String> piecesOf(byte[] text, int size) {
        SentencePieceTraining training = SentencePieceTraining.llama(size);
        WordCounts counts = new WordCounts();
        training.splitter().count(text, 0, text.length, counts);
        List<SentencePieceModel.Piece> pieces = training.train(counts).pieces();
        assertThat(pieces).hasSize(size);
        return pieces.subList(259, size).stream()
                .map(p -> p.text() + " " + (int) p.score())
                .toList();
    }

    private static Path sample() {
        String name = "shared/samples/books/gutenberg-972-devils-dictionary.txt";
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.exists(at.resolve(name))) {
                return at.resolve(name);
            }
        }
        assumeTrue(false, "no ../" + name + " beside the project");
        throw new AssertionError();
    }

    @Test
    void mergesAreHuggingFaces() throws IOException {
        assertThat(mergesOf(resource("corpus.txt"), 1000)).isEqualTo(lines("hf-merges.txt"));
    }

    @Test
    void mergesOfABookAreHuggingFaces() throws IOException {
        assertThat(mergesOf(Files.readAllBytes(sample()), 2000))
                .isEqualTo(lines("gutenberg-972-devils-dictionary-hf.txt"));
    }

    @Test
    void piecesAreSentencePieces() throws IOException {
        assertThat(piecesOf(resource("corpus.txt"), 800)).isEqualTo(lines("sp-pieces.txt"));
    }

    @Test
    void piecesOfABookAreSentencePieces() throws IOException {
        assertThat(piecesOf(Files.readAllBytes(sample()), 2000))
                .isEqualTo(lines("gutenberg-972-devils-dictionary-sp.txt"));
    }

    @Test
    void tooLittleTextIsAClearError() {
        byte[] text = "ab ab\n".getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> piecesOf(text, 400))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("at most 264");
    }

    @Test
    void filesAreCountedTheSameByAnyNumberOfThreads() throws IOException {
        Path file = folder.resolve("big.txt");
        byte[] text = resource("corpus.txt");
        try (var out = Files.newOutputStream(file)) {
            for (int i = 0; i < 200; i++) {
                out.write(text);
            }
        }
        WordCounts whole = new WordCounts();
        byte[] all = Files.readAllBytes(file);
        new Llama3Words().count(all, 0, all.length, whole);
        for (int threads : new int[] {1, 3}) {
            try (ThreadTeam team = new ThreadTeam("count", threads)) {
                WordCounts counted = CorpusCounter.count(List.of(file), new Llama3Words(), team);
                assertThat(asMap(counted)).isEqualTo(asMap(whole));
            }
        }
    }

    private static java.util.Map<String, Long> asMap(WordCounts counts) {
        java.util.Map<String, Long> map = new java.util.TreeMap<>();
        for (int i = 0; i < counts.size(); i++) {
            map.put(new String(counts.word(i), StandardCharsets.ISO_8859_1), counts.count(i));
        }
        return map;
    }

    @Test
    void manyRareWordsAreForgottenAndTheFrequentStay() {
        WordCounts counts = new WordCounts(1000);
        for (int i = 0; i < 20_000; i++) {
            byte[] rare = ("rare" + i).getBytes(StandardCharsets.UTF_8);
            byte[] frequent = ("frequent" + i % 50).getBytes(StandardCharsets.UTF_8);
            counts.add(rare, 0, rare.length);
            counts.add(frequent, 0, frequent.length);
        }
        assertThat(counts.size()).isLessThanOrEqualTo(1000);
        assertThat(counts.forgotten()).isGreaterThan(18_000);
        java.util.Map<String, Long> map = asMap(counts);
        for (int i = 0; i < 50; i++) {
            assertThat(map.get("frequent" + i)).isGreaterThan(300);
        }
    }

    /** The hand-written splitter against the pattern itself. */
    @Test
    void wordsAreThePatterns() {
        Pattern pattern = Pattern.compile(
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                        + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE);
        String[] parts = {
            "a", "B", "é", "中", "1", "٣", "½", " ", "  ", "\t", "\n", "\r", "\u00a0", "\u2028", "'", "'s", "'LL", "'ſ",
            "!", "_", "🙂", "\u0301", "\u0085", "."
        };
        SplittableRandom random = new SplittableRandom(3);
        for (int round = 0; round < 20_000; round++) {
            StringBuilder text = new StringBuilder();
            int length = random.nextInt(12);
            for (int i = 0; i < length; i++) {
                text.append(parts[random.nextInt(parts.length)]);
            }
            List<String> expected = new ArrayList<>();
            Matcher matcher = pattern.matcher(text);
            while (matcher.find()) {
                expected.add(matcher.group());
            }
            byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            List<String> found = new ArrayList<>();
            for (int i = 0; i < bytes.length; ) {
                int end = Llama3Words.next(bytes, i, bytes.length);
                found.add(new String(bytes, i, end - i, StandardCharsets.UTF_8));
                i = end;
            }
            assertThat(found).as(text.toString()).isEqualTo(expected);
        }
    }
}
