package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class LrScheduleTest {
    @Test
    void warmUpCountsFromOneAndEveryScheduleEndsWhereItSays() {
        LrSchedule cosine = new LrSchedule.Cosine(1, 10, 110, 0.1);
        assertThat(cosine.lr(1)).isCloseTo(0.1, within(1e-12));
        assertThat(cosine.lr(10)).isEqualTo(1);
        assertThat(cosine.lr(60)).isCloseTo(0.55, within(1e-12));
        assertThat(cosine.lr(110)).isCloseTo(0.1, within(1e-12));
        assertThat(new LrSchedule.Linear(2, 0, 100, 0).lr(75)).isCloseTo(0.5, within(1e-12));
        assertThat(new LrSchedule.Constant(2, 4).lr(3)).isEqualTo(1.5);
        LrSchedule wsd = new LrSchedule.WarmupStableDecay(1, 10, 100, 20, 0);
        assertThat(wsd.lr(80)).isEqualTo(1);
        assertThat(wsd.lr(90)).isCloseTo(0.5, within(1e-12));
        assertThat(wsd.lr(100)).isZero();
    }
}
