package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.kernels.Kernels;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplicasTest {
    /** What a run came to: losses of its steps, its last validation, weights. */
    private record Run(List<Double> losses, double validation, List<float[]> weights) {}

    @TempDir
    Path directory;

    @BeforeEach
    void shards() throws IOException {
        TrainerTest.writeShard(directory.resolve("train"), 40);
        TrainerTest.writeShard(directory.resolve("held"), 6);
    }

    /** Seven, then eight sequences a step, in pieces of two: the last piece is smaller, and pieces are more than replicas. */
    private Run run(int threads, int replicas) throws IOException {
        Recipe recipe = Recipe.parse(
                TrainerTest.yaml(directory, threads + "-" + replicas),
                List.of("batch.sequences=7", "batch.microSequences=2", "batch.replicas=" + replicas));
        try (ThreadTeam team = new ThreadTeam("replicas", threads);
                Kernels kernels = Kernels.open("auto", team);
                Trainer trainer = Trainer.begin(recipe, kernels)) {
            List<Double> losses = new ArrayList<>();
            double[] validation = new double[1];
            trainer.run(Optional.empty(), report -> {
                losses.add(report.loss());
                report.validationLoss().ifPresent(loss -> validation[0] = loss);
            });
            List<float[]> weights = trainer.parameters().parameters().stream()
                    .map(ParameterStore.Parameter::weight)
                    .map(Tensor::toFloats)
                    .toList();
            return new Run(losses, validation[0], weights);
        }
    }

    @Test
    void theirBitsDoNotDependOnTheThreads() throws IOException {
        Run one = run(1, 3);
        for (int threads : new int[] {2, 3, 5}) {
            Run other = run(threads, 3);
            assertThat(other.losses()).isEqualTo(one.losses());
            assertThat(other.validation()).isEqualTo(one.validation());
            for (int p = 0; p < one.weights().size(); p++) {
                assertThat(Arrays.equals(other.weights().get(p), one.weights().get(p)))
                        .as("parameter %d on %d threads", p, threads)
                        .isTrue();
            }
        }
    }

    /** The same sums in another order; bf16 rounds the same factors. */
    @Test
    void theyLearnWhatOneLearns() throws IOException {
        Run alone = run(2, 1);
        Run three = run(2, 3);
        for (int step = 0; step < alone.losses().size(); step++) {
            assertThat(three.losses().get(step))
                    .as("step %d", step + 1)
                    .isCloseTo(alone.losses().get(step), within(step == 0 ? 1e-6 : 2e-2));
        }
        assertThat(three.validation()).isCloseTo(alone.validation(), within(2e-2));
    }

    @Test
    void thereIsAtLeastOne() {
        assertThatThrownBy(() -> Recipe.parse(TrainerTest.yaml(directory, "none"), List.of("batch.replicas=0")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("batch.replicas");
    }
}
