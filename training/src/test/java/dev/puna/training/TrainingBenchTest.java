package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.bench.TimedKernels;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrainingBenchTest {
    @ParameterizedTest
    @EnumSource
    void everyTierAgreesWithTheTruth(ComputePrecision precision) {
        try (ThreadTeam team = new ThreadTeam("bench", 2)) {
            for (String tier : List.of("auto", "vector", "reference")) {
                try (Kernels kernels = Kernels.open(tier, team)) {
                    TrainingBench.Difference difference = TrainingBench.check(kernels, precision);
                    assertThat(difference).matches(d -> d.explainedBy(precision), tier);
                }
            }
        }
    }

    @Test
    void aWrongGradientIsNotExplained() {
        try (ThreadTeam team = new ThreadTeam("bench", 1);
                Kernels wrong = new TimedKernels(Kernels.open("reference", team)) {
                    @Override
                    public void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
                        super.swiGluBackward(dgate, dup, dy, up, gate);
                    }
                }) {
            TrainingBench.Difference difference = TrainingBench.check(wrong, ComputePrecision.BF16);
            assertThat(difference.explainedBy(ComputePrecision.BF16)).isFalse();
        }
    }

    @Test
    void stepsOfASmallRecipeLearnTheirBatchAndAreTimed() throws Exception {
        Recipe recipe = Recipe.parse("""
                model: {vocabularySize: 61, width: 32, layerCount: 1, headCount: 2, kvHeadCount: 2,
                  feedForwardWidth: 48, contextLength: 16}
                data: {sequenceLength: 16}
                batch: {sequences: 5, microSequences: 2}
                schedule: {lr: 0.01}
                """, List.of());
        try (ThreadTeam team = new ThreadTeam("bench", 2);
                Kernels kernels = Kernels.open("auto", team)) {
            TrainingBench.Result result = TrainingBench.run(recipe, kernels, 4);
            assertThat(result.tokens()).isEqualTo(80);
            assertThat(result.firstLoss()).isCloseTo(Math.log(61), org.assertj.core.data.Offset.offset(0.2));
            assertThat(result.lastLoss()).isLessThan(result.firstLoss());
            assertThat(result.profile())
                    .anyMatch(time -> time.operation().equals("attention") && time.calls() == 3 * 4)
                    .anyMatch(
                            time -> time.operation().equals("matmul 61×32") && time.flops() == 4 * 2.0 * 80 * 61 * 32);
        }
    }
}
