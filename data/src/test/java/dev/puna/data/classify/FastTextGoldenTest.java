package dev.puna.data.classify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against the native fastText program ({@code tools/golden/FastTextGolden.java}). */
class FastTextGoldenTest {
    @TempDir
    Path folder;

    private static byte[] resource(String name) throws IOException {
        try (var in = FastTextGoldenTest.class.getResourceAsStream("/classify/" + name)) {
            return in.readAllBytes();
        }
    }

    private FastTextModel model(String name) throws IOException {
        Path file = folder.resolve(name);
        Files.write(file, resource(name));
        return FastTextModel.read(file);
    }

    @ParameterizedTest
    @ValueSource(strings = {"softmax.bin", "hs.bin", "quantized.ftz"})
    void probabilitiesAreTheNativeProgrammes(String name) throws IOException {
        FastTextModel model = model(name);
        String golden = new String(resource(name.substring(0, name.indexOf('.')) + ".txt"), StandardCharsets.UTF_8);
        int checked = 0;
        for (String line : golden.split("\n")) {
            String[] parts = line.split("\t");
            List<FastTextModel.Prediction> found = model.predict(parts[0], 3);
            for (int i = 1; i < parts.length; i++) {
                String[] expected = parts[i].split(" ");
                double probability = Double.parseDouble(expected[1]);
                assertThat(model.probability(parts[0], expected[0])).as(line).isCloseTo(probability, within(2e-5));
                if (i == 1 && probability > 0.5) {
                    assertThat(found.getFirst().label()).isEqualTo(expected[0]);
                }
                checked++;
            }
        }
        assertThat(checked).isGreaterThan(150);
    }

    @ParameterizedTest
    @ValueSource(strings = {"softmax.bin", "hs.bin", "quantized.ftz"})
    void damagedModelsAreRefused(String name) throws IOException {
        byte[] good = resource(name);
        Path file = folder.resolve("damaged");
        SplittableRandom random = new SplittableRandom(6);
        for (int i = 0; i < 60; i++) {
            Files.write(file, java.util.Arrays.copyOf(good, random.nextInt(good.length)));
            assertThatThrownBy(() -> FastTextModel.read(file)).isInstanceOf(CorruptFileException.class);
        }
        for (int i = 0; i < 120; i++) {
            byte[] bad = good.clone();
            bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
            Files.write(file, bad);
            try {
                FastTextModel.read(file);
            } catch (CorruptFileException | ConfigurationException e) {
                assertThat(e).hasMessageContaining("damaged");
            }
        }
    }

    @Test
    void trainedModelsAreWrittenAndReadAndSeparateTheirClasses() throws IOException {
        List<FastTextTraining.Example> examples = new ArrayList<>();
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 600; i++) {
            boolean good = i % 2 == 0;
            StringBuilder text = new StringBuilder();
            for (int w = 0; w < 12; w++) {
                text.append(good ? "fact" : "spam")
                        .append(random.nextInt(30))
                        .append(random.nextInt(3) == 0 ? " the " : " ");
            }
            examples.add(new FastTextTraining.Example(good ? "wiki" : "cc", text.toString()));
        }
        FastTextTraining training = new FastTextTraining(10, 0, 0, 2, 1000, 1, 10, 0.5, 3);
        FastTextModel model = training.train(examples.subList(0, 500));
        int right = 0;
        for (FastTextTraining.Example example : examples.subList(500, 600)) {
            right += model.best(example.text()).orElseThrow().label().equals(example.label()) ? 1 : 0;
        }
        assertThat(right).isGreaterThanOrEqualTo(98);
        Path file = folder.resolve("own.bin");
        model.write(file);
        FastTextModel again = FastTextModel.read(file);
        String text = examples.getFirst().text();
        assertThat(again.predict(text, 2)).isEqualTo(model.predict(text, 2));
        assertThat(training.train(examples.subList(0, 500)).predict(text, 2)).isEqualTo(model.predict(text, 2));
    }
}
