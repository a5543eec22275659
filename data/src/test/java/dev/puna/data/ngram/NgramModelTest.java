package dev.puna.data.ngram;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.data.Document;
import dev.puna.data.Samples;
import dev.puna.data.filter.Verdict;
import dev.puna.data.source.BooksSource;
import dev.puna.data.source.Fidelity;
import dev.puna.data.source.Split;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NgramModelTest {
    @TempDir
    Path folder;

    private static NgramModel model(int order) {
        SplittableRandom random = new SplittableRandom(3);
        NgramTraining training = new NgramTraining(order);
        for (int s = 0; s < 300; s++) {
            List<String> sentence = new ArrayList<>();
            for (int w = 0; w < 1 + random.nextInt(9); w++) {
                sentence.add("w" + (int) (12 * random.nextDouble() * random.nextDouble()) + (w % 2 == 0 ? "a" : "b"));
            }
            training.add(sentence);
        }
        return training.train();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void probabilitiesSumToOneAfterEveryContext(int order) {
        NgramModel model = model(order);
        List<List<String>> contexts = new ArrayList<>(List.of(List.of(), List.of("<s>"), List.of("never", "seen")));
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 200; i++) {
            List<String> context = new ArrayList<>();
            for (int w = 0; w < random.nextInt(5); w++) {
                context.add(model.words().get(3 + random.nextInt(model.words().size() - 3)));
            }
            contexts.add(context);
        }
        for (List<String> context : contexts) {
            double sum = 0;
            for (String word : model.words()) {
                if (!word.equals("<s>")) {
                    sum += Math.pow(10, model.logProbability(context, word));
                }
            }
            assertThat(sum).as(context.toString()).isCloseTo(1, within(1e-5));
        }
    }

    /** "a b" twice, "a c" once with the discounts that must stand in: worked out by hand. */
    @Test
    void smallBigramByHand() {
        NgramTraining training = new NgramTraining(2);
        training.add(List.of("a", "b"));
        training.add(List.of("a", "b"));
        training.add(List.of("a", "c"));
        NgramModel model = training.train();
        // Unigrams: different words before a, b, c, </s> are 1, 1, 1, 2 (sum 5); discounts 0.5, 0.5, 0.5, 1 (2.5 in
        // all).
        double uniform = 2.5 / 5 / 5;
        double b = 0.5 / 5 + uniform;
        assertThat(model.logProbability(List.of(), "b")).isCloseTo(Math.log10(b), within(1e-6));
        // After a: b twice, c once (sum 3); discounts 1 and 0.5.
        double afterA = (2 - 1) / 3.0 + 1.5 / 3 * b;
        assertThat(model.logProbability(List.of("a"), "b")).isCloseTo(Math.log10(afterA), within(1e-6));
        double unseen = 1.5 / 3 * (0.5 / 5 + uniform);
        assertThat(model.logProbability(List.of("a"), "a")).isCloseTo(Math.log10(unseen), within(1e-6));
    }

    @ParameterizedTest
    @ValueSource(strings = {"m.arpa", "m.arpa.gz"})
    void arpaFilesComeBack(String name) throws IOException {
        NgramModel model = model(3);
        Path file = folder.resolve(name);
        model.writeArpa(file);
        NgramModel again = NgramModel.readArpa(file);
        assertThat(again.count(3)).isEqualTo(model.count(3));
        for (int i = 0; i < 50; i++) {
            List<String> sentence = List.of("w" + i % 12 + "a", "w" + i % 7 + "b", "unseen", "w1a", "w0b");
            assertThat(again.logProbability(sentence)).isCloseTo(model.logProbability(sentence), within(1e-9));
        }
    }

    /** A sentence is scored in blocks and upwards from the word, single words downwards from the longest n-gram. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void aSentenceIsTheSumOfItsWords(int order) {
        NgramModel model = model(order);
        SplittableRandom random = new SplittableRandom(9);
        for (int length : new int[] {0, 1, 3, 29, 30, 31, 32, 33, 62, 63, 64, 200}) {
            List<String> text = new ArrayList<>(List.of("<s>"));
            for (int i = 0; i < length; i++) {
                text.add(
                        random.nextInt(9) == 0
                                ? "unseen"
                                : model.words()
                                        .get(3 + random.nextInt(model.words().size() - 3)));
            }
            text.add("</s>");
            double sum = 0;
            for (int i = 1; i < text.size(); i++) {
                sum += model.logProbability(text.subList(0, i), text.get(i));
            }
            assertThat(model.logProbability(text.subList(1, text.size() - 1)))
                    .as("%d words", length)
                    .isCloseTo(sum, within(1e-9));
        }
    }

    @Test
    void damagedFilesAreRefused() throws IOException {
        Path file = folder.resolve("m.arpa");
        model(2).writeArpa(file);
        String good = Files.readString(file);
        for (int cut = 0; cut < good.length() - 6; cut += 97) {
            Files.writeString(file, good.substring(0, cut));
            assertThatThrownBy(() -> NgramModel.readArpa(file)).isInstanceOf(CorruptFileException.class);
        }
        Files.write(file, "\\data\\\nngram 1=x\n".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> NgramModel.readArpa(file)).isInstanceOf(CorruptFileException.class);
    }

    @Test
    void textLikeTheTrainingsHasALowPerplexity() throws IOException {
        List<Document> books = new ArrayList<>();
        new BooksSource().read(Split.whole(Samples.of("books")), books::add, new dev.puna.data.ReadReport());
        NgramTraining training = new NgramTraining(5);
        String[] paragraphs = books.get(1).text().split("\n\n+");
        for (int i = 0; i < paragraphs.length; i++) {
            if (i % 10 != 0) {
                training.add(Arrays.asList(
                        PerplexityFilter.normalized(paragraphs[i]).strip().split("\\s+")));
            }
        }
        PerplexityFilter filter = new PerplexityFilter(
                training.train(),
                Fidelity.PAPER,
                text -> Arrays.asList(text.strip().split("\\s+")),
                3000,
                6000,
                true);
        StringBuilder held = new StringBuilder();
        for (int i = 0; i < paragraphs.length; i += 10) {
            held.append(paragraphs[i]).append('\n');
        }
        Verdict own = filter.apply(new Document("held out", held.toString(), "s", Map.of()));
        assertThat(own).isInstanceOf(Verdict.Keep.class);
        double perplexity = ((Verdict.Keep) own).document().number("perplexity", 0);
        assertThat(perplexity).isBetween(100.0, 3000.0);
        List<String> shuffled = new ArrayList<>(List.of(held.toString().split("\\s+")));
        java.util.Collections.shuffle(shuffled, new java.util.Random(1));
        Verdict noise = filter.apply(new Document("noise", "qq " + String.join(" xx ", shuffled), "s", Map.of()));
        assertThat(noise).isInstanceOf(Verdict.Drop.class);
    }
}
