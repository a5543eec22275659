package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.data.shard.TokenShardWriter;
import dev.puna.kernels.Kernels;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
    @TempDir
    Path directory;

    private ThreadTeam team;
    private Kernels kernels;

    @BeforeEach
    void open() throws IOException {
        team = new ThreadTeam("trainer", 2);
        kernels = Kernels.open("vector", team);
        writeShard(directory.resolve("train"), 40);
        writeShard(directory.resolve("held"), 6);
    }

    @AfterEach
    void close() {
        kernels.close();
        team.close();
    }

    static void writeShard(Path prefix, int documents) throws IOException {
        Random random = new Random(documents);
        try (TokenShardWriter writer = new TokenShardWriter(prefix, 50)) {
            for (int d = 0; d < documents; d++) {
                int[] ids = new int[5 + random.nextInt(40)];
                for (int i = 0; i < ids.length; i++) {
                    ids[i] = i == 0 ? 1 : (ids[i - 1] * 7 + random.nextInt(3)) % 50;
                }
                writer.add(ids, 0, ids.length);
            }
        }
    }

    static String yaml(Path directory, String output) {
        return """
                name: tiny
                steps: 12
                output: %s
                model: {vocabularySize: 50, width: 32, layerCount: 2, headCount: 4, kvHeadCount: 2,
                        feedForwardWidth: 48, contextLength: 32}
                data:
                  sources: [{name: a, shards: [%s], weight: 1}]
                  validation: [%s]
                  sequenceLength: 16
                  documents: respected
                  bytesPerToken: 2.5
                batch: {sequences: 6, microSequences: 4, ramp: [{afterTokens: 400, sequences: 8}]}
                schedule: {lr: 1e-2, warmupSteps: 3}
                checkpoints: {every: 4, keepLast: 2}
                logging: {every: 1, validateEvery: 6}
                """.formatted(directory.resolve(output), directory.resolve("train"), directory.resolve("held"));
    }

    private Recipe recipe(String output, String... settings) throws IOException {
        return Recipe.parse(yaml(directory, output), List.of(settings));
    }

    private List<StepReport> run(Trainer trainer) throws IOException {
        List<StepReport> reports = new ArrayList<>();
        trainer.run(Optional.empty(), reports::add);
        return reports;
    }

    private static List<float[]> weights(Trainer trainer) {
        return trainer.parameters().parameters().stream()
                .map(ParameterStore.Parameter::weight)
                .map(dev.puna.tensor.Tensor::toFloats)
                .toList();
    }

    private static void assertSame(List<float[]> found, List<float[]> expected) {
        for (int i = 0; i < expected.size(); i++) {
            assertThat(Arrays.equals(found.get(i), expected.get(i)))
                    .as("parameter " + i)
                    .isTrue();
        }
    }

    @Test
    void learnsAndLeavesItsTraces() throws IOException {
        Recipe recipe = recipe("run");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            List<StepReport> reports = run(trainer);
            assertThat(reports).hasSize(12);
            assertThat(reports.getLast().loss()).isLessThan(reports.getFirst().loss() - 0.5);
            assertThat(reports.get(0).lr()).isCloseTo(1e-2 / 3, within(1e-12));
            assertThat(reports.get(2).lr()).isCloseTo(1e-2, within(1e-12));
            assertThat(reports.getLast().lr()).isCloseTo(1e-3, within(1e-9));
            assertThat(reports.get(5).validationLoss()).isPresent();
            double validation = reports.getLast().validationLoss().orElseThrow();
            assertThat(reports.getLast().bitsPerByte().orElseThrow())
                    .isCloseTo(validation / Math.log(2) / 2.5, within(1e-9));
            // 6 sequences of 16 until 400 tokens are seen, then 8.
            assertThat(reports.getLast().tokens()).isEqualTo(5 * 96 + 7 * 128);
        }
        Path run = directory.resolve("run");
        assertThat(run.resolve("loss.png")).isNotEmptyFile();
        assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSize(12);
        assertThat(CheckpointStore.complete(recipe).stream()
                        .map(p -> p.getFileName().toString()))
                .containsExactly("step-00000008", "step-00000012");
    }

    @Test
    void resumedRunHasTheSameBits() throws IOException {
        List<Double> losses;
        List<float[]> expected;
        try (Trainer whole = Trainer.begin(recipe("whole"), kernels)) {
            losses = run(whole).stream().map(StepReport::loss).toList();
            expected = weights(whole);
        }
        // Stops at step 8 of 12 as a killed run does: after a checkpoint, and with later steps lost.
        try (Trainer first = Trainer.begin(recipe("cut"), kernels)) {
            assertThatThrownBy(() -> first.run(Optional.empty(), report -> {
                        if (report.step() == 10) {
                            throw new IllegalStateException("killed");
                        }
                    }))
                    .hasMessage("killed");
        }
        try (ThreadTeam other = new ThreadTeam("other", 3);
                Kernels onThree = Kernels.open("vector", other);
                Trainer second = Trainer.resume(recipe("cut"), onThree, Optional.empty())) {
            assertThat(second.state().step()).isEqualTo(8);
            List<Double> rest = run(second).stream().map(StepReport::loss).toList();
            assertThat(rest).isEqualTo(losses.subList(8, 12));
            assertSame(weights(second), expected);
        }
        assertThat(Files.readAllLines(directory.resolve("cut/metrics.jsonl"))).hasSize(12);
    }

    @Test
    void overfitsOneBatch() throws IOException {
        Recipe recipe = recipe(
                "overfit",
                "steps=150",
                "schedule.kind=constant",
                "batch.sequences=2",
                "batch.ramp=[]",
                "checkpoints.every=0",
                "data.validation=[]",
                "data.sources=[{name: one, shards: ['" + oneBatch() + "'], weight: 1}]");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            assertThat(run(trainer).getLast().loss()).isLessThan(0.01);
        }
    }

    private Path oneBatch() throws IOException {
        Path prefix = directory.resolve("one");
        try (TokenShardWriter writer = new TokenShardWriter(prefix, 50)) {
            writer.add(new Random(3).ints(33, 0, 50).toArray(), 0, 33);
        }
        return prefix;
    }

    @Test
    void explodingGradientsAreSkippedThenStopTheRun() throws IOException {
        try (Trainer trainer =
                Trainer.begin(recipe("exploding", "guards.maxGradientNorm=1e-6", "guards.patience=3"), kernels)) {
            assertThatThrownBy(() -> run(trainer))
                    .isInstanceOf(DivergedException.class)
                    .hasMessageContaining("step 4");
            assertThat(trainer.state().updates()).isZero();
        }
    }

    @Test
    void nonsenseIsRefusedWithItsField() {
        for (String setting : List.of(
                "schedule.kind=cosin",
                "optimizer.beta2=1.5",
                "steps=0",
                "data.sequenceLength=64",
                "batch.size=3",
                "keep=nothing",
                "checkpoints.keepLast=0",
                "schedule.warmupSteps=99",
                "guards.window=0",
                "guards.maxRollbacks=-1",
                "checkpoints.every=-5",
                "samples.temperature=-1",
                "model.vocabularyUsed=51",
                "schedule.lr=abc")) {
            assertThatThrownBy(() -> recipe("nonsense", setting))
                    .as(setting)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining(setting.substring(setting.indexOf('.') + 1, setting.indexOf('=')));
        }
    }
}
