package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.kernels.Kernels;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** Losses that jump, gradients that explode, numbers that are none: what a run does then. */
class TrainerGuardsTest {
    @TempDir
    Path directory;

    private ThreadTeam team;
    private Kernels kernels;

    @BeforeEach
    void open() throws IOException {
        team = new ThreadTeam("guards", 2);
        kernels = Kernels.open("vector", team);
        TrainerTest.writeShard(directory.resolve("train"), 40);
        TrainerTest.writeShard(directory.resolve("held"), 6);
    }

    @AfterEach
    void close() {
        kernels.close();
        team.close();
    }

    private Recipe recipe(String output, String... settings) throws IOException {
        List<String> all = new ArrayList<>(List.of("steps=20", "data.validation=[]", "guards.window=4"));
        all.addAll(List.of(settings));
        return Recipe.parse(TrainerTest.yaml(directory, output), all);
    }

    private static Tensor embedding(Trainer trainer) {
        return trainer.parameters().parameters().getFirst().weight();
    }

    /** Spoils the weights after a step that was taken, as a flipped bit or a bad batch would. */
    private static void multiplyEmbedding(Trainer trainer, float factor) {
        Tensor weight = embedding(trainer);
        for (long i = 0; i < weight.shape().elementCount(); i++) {
            weight.setFloat(i, weight.getFloat(i) * factor);
        }
    }

    private static List<StepReport> run(Trainer trainer, Consumer<StepReport> listener) throws IOException {
        List<StepReport> reports = new ArrayList<>();
        trainer.run(Optional.empty(), report -> {
            reports.add(report);
            listener.accept(report);
        });
        return reports;
    }

    @Test
    void aJumpOfTheLossIsSkippedAndLogged() throws IOException {
        Recipe recipe = recipe("skip", "guards.zScore=6");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            List<float[]> good = new ArrayList<>();
            List<StepReport> reports = run(trainer, report -> {
                if (report.step() == 10) {
                    good.add(embedding(trainer).toFloats());
                    multiplyEmbedding(trainer, 64);
                } else if (report.step() == 11) {
                    assertThat(report.skipped().orElseThrow())
                            .contains("loss")
                            .contains("standard deviations above")
                            .contains("last 4 steps");
                    assertThat(trainer.state().updates()).isEqualTo(10);
                    assertThat(trainer.state().divergences()).isEqualTo(1);
                    embedding(trainer).data().copyFrom(java.lang.foreign.MemorySegment.ofArray(good.getFirst()));
                }
            });
            assertThat(reports).hasSize(20);
            assertThat(reports.stream().filter(r -> r.skipped().isPresent()).map(StepReport::step))
                    .containsExactly(11L);
            assertThat(trainer.state().updates()).isEqualTo(19);
            assertThat(trainer.state().divergences()).isZero();
        }
        String line =
                Files.readAllLines(directory.resolve("skip/metrics.jsonl")).get(10);
        assertThat(JsonMapper.shared().readValue(line, StepReport.class).skipped())
                .isPresent();
    }

    @Test
    void aJumpThatStaysStopsTheRun() throws IOException {
        Recipe recipe = recipe("stays", "guards.zScore=6", "guards.patience=3");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            assertThatThrownBy(() -> run(trainer, report -> {
                        if (report.step() == 10) {
                            multiplyEmbedding(trainer, 64);
                        }
                    }))
                    .isInstanceOfSatisfying(
                            DivergedException.class, e -> assertThat(e.step()).isEqualTo(14))
                    .hasMessageContaining("guards.patience=3");
        }
        assertThat(CheckpointStore.complete(recipe).getLast().getFileName()).hasToString("step-00000012");
    }

    @Test
    void aJumpIsRolledBackToTheCheckpointAndOnWithOtherData() throws IOException {
        Recipe recipe = recipe("back", "guards.zScore=6", "guards.onDivergence=rollback");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            List<float[]> atCheckpoint = new ArrayList<>();
            List<StepReport> reports = run(trainer, report -> {
                if (report.step() == 8) {
                    atCheckpoint.add(embedding(trainer).toFloats());
                }
                if (report.step() == 10 && trainer.state().rollbacks() == 0) {
                    multiplyEmbedding(trainer, 64);
                }
                if (report.rolledBackTo().isPresent()) {
                    assertThat(report.rolledBackTo()).hasValue(8L);
                    assertThat(trainer.state().step()).isEqualTo(8);
                    assertThat(trainer.state().updates()).isEqualTo(8);
                    assertThat(trainer.state().cursor()).isEqualTo(5 * 6 + 6 * 8); // of 11 steps
                    assertThat(Arrays.equals(embedding(trainer).toFloats(), atCheckpoint.getFirst()))
                            .isTrue();
                }
            });
            assertThat(reports.stream().map(StepReport::step).toList())
                    .containsExactly(
                            1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 9L, 10L, 11L, 12L, 13L, 14L, 15L, 16L, 17L,
                            18L, 19L, 20L);
            assertThat(trainer.state().rollbacks()).isEqualTo(1);
            assertThat(reports.getLast().loss()).isLessThan(reports.getFirst().loss());
        }
        // The step behind the rollback has the learning rate that it had the first time.
        List<String> lines = Files.readAllLines(directory.resolve("back/metrics.jsonl"));
        assertThat(JsonMapper.shared().readValue(lines.get(8), StepReport.class).lr())
                .isEqualTo(JsonMapper.shared()
                        .readValue(lines.get(11), StepReport.class)
                        .lr());
    }

    @Test
    void rollbacksAreBounded() throws IOException {
        Recipe recipe = recipe("bounded", "guards.zScore=6", "guards.onDivergence=rollback", "guards.maxRollbacks=2");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            List<StepReport> reports = new ArrayList<>();
            assertThatThrownBy(() -> trainer.run(Optional.empty(), report -> {
                        reports.add(report);
                        if (report.step() == 10) {
                            multiplyEmbedding(trainer, 64);
                        }
                    }))
                    .isInstanceOf(DivergedException.class)
                    .hasMessageContaining("guards.maxRollbacks=2");
            assertThat(reports.stream().filter(r -> r.rolledBackTo().isPresent()))
                    .hasSize(2);
            assertThat(trainer.state().rollbacks()).isEqualTo(2);
        }
        // What was learned until the last checkpoint is there, and a picture of what happened.
        assertThat(CheckpointStore.complete(recipe).getLast().getFileName()).hasToString("step-00000008");
        assertThat(directory.resolve("bounded/loss.png")).isNotEmptyFile();
    }

    @Test
    void rollbackWithoutACheckpointStops() throws IOException {
        Recipe recipe =
                recipe("none", "guards.onDivergence=rollback", "guards.maxGradientNorm=1e-6", "checkpoints.every=0");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            assertThatThrownBy(() -> run(trainer, report -> {}))
                    .isInstanceOf(DivergedException.class)
                    .hasMessageContaining("no checkpoint to go back to");
        }
    }

    @Test
    void stopStopsAtOnce() throws IOException {
        Recipe recipe = recipe("stop", "guards.onDivergence=stop", "guards.zScore=6");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            assertThatThrownBy(() -> run(trainer, report -> {
                        if (report.step() == 10) {
                            multiplyEmbedding(trainer, 64);
                        }
                    }))
                    .isInstanceOfSatisfying(DivergedException.class, e -> {
                        assertThat(e.step()).isEqualTo(11);
                        assertThat(e.loss()).isGreaterThan(4);
                        assertThat(e.gradientNorm()).isPositive();
                    });
        }
    }

    /** What is no number is never taken, whatever the guards say. */
    @Test
    void notANumberIsNeverTaken() throws IOException {
        Recipe recipe = recipe("nan", "guards.zScore=0", "guards.patience=2");
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            assertThatThrownBy(() -> run(trainer, report -> {
                        if (report.step() == 6) {
                            multiplyEmbedding(trainer, Float.NaN);
                        }
                        if (report.step() == 7) {
                            assertThat(report.skipped().orElseThrow()).contains("NaN");
                        }
                    }))
                    .isInstanceOfSatisfying(
                            DivergedException.class, e -> assertThat(e.step()).isEqualTo(9));
            assertThat(trainer.state().updates()).isEqualTo(6);
        }
    }

    @Test
    void explodingGradientsAreJudgedByTheirPastToo() {
        Recipe.Guards guards = new Recipe.Guards("skip", 4, 0, 5, 0, 10, 3);
        DivergenceGuard guard = new DivergenceGuard(guards);
        TrainingState calm = state(List.of(3.0, 3.1, 2.9, 3.0), List.of(1.0, 1.1, 0.9, 1.0));
        assertThat(guard.judge(3, 1.2, calm)).isEmpty();
        assertThat(guard.judge(3, 2, calm).orElseThrow()).contains("gradient norm 2.0000 is 14.1 standard deviations");
        assertThat(guard.judge(300, 1, calm)).isEmpty(); // zScore is 0
        // Fewer than the window: nothing to compare with yet.
        assertThat(guard.judge(3, 1000, state(List.of(3.0), List.of(1.0)))).isEmpty();
        // Norms that hardly moved do not make an explosion of a thousandth.
        List<Double> same = Collections.nCopies(4, 1.0);
        assertThat(guard.judge(3, 1.004, state(same, same))).isEmpty();
        assertThat(guard.judge(3, 1.006, state(same, same))).isPresent();
    }

    private static TrainingState state(List<Double> losses, List<Double> norms) {
        return new TrainingState(4, 4, 4, 4, losses, norms, 0, 0);
    }

    /** A resumed run rolls back as the uninterrupted one does: to the same bits. */
    @Test
    void resumedRunRepeatsItsRollback() throws IOException {
        // A limit that the norm of some step passes for the first time after the kill at step 7.
        double limit = 0;
        double before = 0;
        try (Trainer probe = Trainer.begin(recipe("probe", "schedule.lr=3e-2"), kernels)) {
            List<Double> norms = run(probe, report -> {}).stream()
                    .map(StepReport::gradientNorm)
                    .toList();
            for (int i = 4; i < norms.size(); i++) {
                double z = deviationsAbove(norms.subList(i - 4, i), norms.get(i));
                if (i < 7) {
                    before = Math.max(before, z);
                } else {
                    limit = Math.max(limit, 0.99 * z);
                }
            }
        }
        assertThat(limit).as("a step that explodes after the kill").isGreaterThan(before);
        String[] guards = {"guards.onDivergence=rollback", "guards.gradientZScore=" + limit, "schedule.lr=3e-2"};
        List<float[]> expected;
        TrainingState end;
        try (Trainer whole = Trainer.begin(recipe("whole", guards), kernels)) {
            runWhateverComes(whole);
            expected = weights(whole);
            end = whole.state();
            assertThat(end.rollbacks()).isPositive();
        }
        try (Trainer first = Trainer.begin(recipe("cut", guards), kernels)) {
            assertThatThrownBy(() -> run(first, report -> {
                        if (report.step() == 7) {
                            throw new IllegalStateException("killed");
                        }
                    }))
                    .isInstanceOf(RuntimeException.class);
        }
        try (Trainer second = Trainer.resume(recipe("cut", guards), kernels, Optional.empty())) {
            runWhateverComes(second);
            assertThat(second.state()).isEqualTo(end);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(Arrays.equals(weights(second).get(i), expected.get(i)))
                        .isTrue();
            }
        }
    }

    private static double deviationsAbove(List<Double> recent, double value) {
        double mean = recent.stream().mapToDouble(x -> x).average().orElseThrow();
        double variance = recent.stream()
                .mapToDouble(x -> (x - mean) * (x - mean))
                .average()
                .orElseThrow();
        return (value - mean) / Math.sqrt(variance);
    }

    private static void runWhateverComes(Trainer trainer) throws IOException {
        try {
            run(trainer, report -> {});
        } catch (DivergedException e) {
            assertThat(e).hasMessageContaining("guards.");
        }
    }

    private static List<float[]> weights(Trainer trainer) {
        return trainer.parameters().parameters().stream()
                .map(ParameterStore.Parameter::weight)
                .map(Tensor::toFloats)
                .toList();
    }
}
