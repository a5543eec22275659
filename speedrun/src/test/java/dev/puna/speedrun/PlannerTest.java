package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.within;

import dev.puna.tensor.ConfigurationException;
import java.util.List;
import org.junit.jupiter.api.Test;

final class PlannerTest {
    private static final long RAW = 213_000_000;
    private static final long MEMORY = 8L << 30;

    private static MachineSpeed machine(double flops) {
        return new MachineSpeed(flops, flops / 500, 5e12, "fp32 FMA", List.of());
    }

    private static Plan plan(double flops, double minutes) {
        return Planner.plan(machine(flops), 60 * minutes, 20, RAW, MEMORY, 2);
    }

    @Test
    void moreTimeOrAFasterMachineExpectsFewerBitsOfALargerModel() {
        Plan before = plan(2e11, 5);
        for (double minutes : new double[] {10, 30, 60, 300}) {
            Plan next = plan(2e11, minutes);
            assertThat(next.expectedBitsPerByte()).isLessThan(before.expectedBitsPerByte());
            assertThat(next.parameters()).isGreaterThanOrEqualTo(before.parameters());
            before = next;
        }
        assertThat(plan(1e12, 10).expectedBitsPerByte())
                .isLessThan(plan(2e11, 10).expectedBitsPerByte());
    }

    @Test
    void thePartsMakeTheWhole() {
        Plan plan = plan(4e11, 10);
        assertThat(plan.trainingSeconds() + plan.otherSeconds()).isCloseTo(600, within(1e-6));
        assertThat(plan.trainingTokens()).isCloseTo(plan.trainingSeconds() * plan.tokensPerSecond(), within(1.0));
        assertThat(plan.flops()).isCloseTo(plan.trainingTokens() * plan.shape().flopsPerToken(), within(1.0));
        assertThat(plan.replicas()).isEqualTo(2);
        assertThat(plan.sequences() % plan.replicas()).isZero();
        assertThat(plan.afterSeconds()).isPositive().isLessThan(plan.otherSeconds() - 20); // measuring took 20
    }

    @Test
    void whatIsMeasuredDependsOnTheTimeAloneAndTakesItsShareOfIt() {
        assertThat(Planner.measuredBytes(600)).isEqualTo(Planner.measuredBytes(3600));
        assertThat(Planner.measuredBytes(120)).isLessThan(Planner.measuredBytes(600));
        for (double minutes : new double[] {2, 10, 60}) {
            Plan plan = plan(4e11, minutes);
            assertThat(plan.afterSeconds()).isLessThan(0.25 * 60 * minutes);
        }
    }

    @Test
    void theModelFitsTheMemory() {
        Plan small = Planner.plan(machine(2e12), 6000, 20, RAW, 300 << 20, 2);
        assertThat(small.memoryBytes()).isLessThanOrEqualTo(300 << 20);
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> Planner.plan(machine(2e12), 6000, 20, RAW, 1 << 20, 2))
                .withMessageContaining("memory");
    }

    @Test
    void tooLittleTimeForTheTextIsRefusedWithHowMuchWouldDo() {
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> Planner.plan(machine(2e11), 60, 20, 2_000_000_000L, MEMORY, 2))
                .withMessageContaining("--minutes")
                .withMessageContaining("at least");
    }

    @Test
    void speedIsSolvedFromTwoShapes() {
        Shape a = MachineSpeed.SHAPES.getFirst();
        Shape b = MachineSpeed.SHAPES.getLast();
        MachineSpeed real = machine(3e11);
        MachineSpeed solved = MachineSpeed.solve(
                List.of(
                        new MachineSpeed.MeasuredShape(a, 1 / real.secondsPerToken(a), 9),
                        new MachineSpeed.MeasuredShape(b, 1 / real.secondsPerToken(b), 9)),
                1e12,
                "x");
        assertThat(solved.flopsPerSecond()).isCloseTo(3e11, within(3e6));
        assertThat(solved.elementsPerSecond()).isCloseTo(6e8, within(6e3));
    }

    @Test
    void noiseThatMakesTheLargerShapeTooFastOrTooSlowStillGivesAUsefulSpeed() {
        Shape a = MachineSpeed.SHAPES.getFirst();
        Shape b = MachineSpeed.SHAPES.getLast();
        for (double factor : new double[] {0.02, 50}) {
            MachineSpeed solved = MachineSpeed.solve(
                    List.of(
                            new MachineSpeed.MeasuredShape(a, 10_000, 9),
                            new MachineSpeed.MeasuredShape(b, 10_000 * factor, 9)),
                    1e12,
                    "x");
            assertThat(solved.secondsPerToken(a)).isPositive().isFinite();
            assertThat(solved.secondsPerToken(b)).isPositive().isFinite();
        }
    }

    @Test
    void textSeenAgainIsWorthLess() {
        double once = ScalingLaw.bitsPerByte(3_000_000, 1e8, 1e8);
        double twice = ScalingLaw.bitsPerByte(3_000_000, 2e8, 1e8);
        double twiceOfTwo = ScalingLaw.bitsPerByte(3_000_000, 2e8, 2e8);
        assertThat(twice).isLessThan(once).isGreaterThan(twiceOfTwo);
        assertThat(ScalingLaw.bitsPerByte(3_000_000, 1e11, 1e8)).isGreaterThan(ScalingLaw.FLOOR);
    }

    @Test
    void textThatIsTooLittleForTheTimeIsSaid() {
        assertThat(plan(2e11, 10).warning(10)).isEmpty();
        Plan little = Planner.plan(machine(2e11), 600, 20, 1_000_000, MEMORY, 2);
        assertThat(little.epochs()).isGreaterThan(16);
        assertThat(little.warning(10))
                .hasValueSatisfying(
                        text -> assertThat(text).contains("small for this time").contains("minutes"));
    }
}
