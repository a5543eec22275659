package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class PretrainingTest {
    @Test
    void aLegWhoseCheckpointIsThereCountsAlsoWithoutNotesOfIt() {
        Pretraining.Progress nothing = new Pretraining.Progress(0, 0, 0, 0);
        assertThat(Pretraining.reached(nothing, 0, 2)).isEqualTo(nothing);
        assertThat(Pretraining.reached(nothing, 12, 2)).isEqualTo(new Pretraining.Progress(12, 6, 0, 0));
        Pretraining.Progress one = new Pretraining.Progress(10, 20, 0, 0); // half a step a second
        assertThat(Pretraining.reached(one, 10, 2)).isEqualTo(one);
        assertThat(Pretraining.reached(one, 15, 2)).isEqualTo(new Pretraining.Progress(15, 30, 0, 0));
        Pretraining.Progress laidOut = new Pretraining.Progress(10, 20, 30, 20); // its end is settled, and stays
        assertThat(Pretraining.reached(laidOut, 30, 2)).isEqualTo(laidOut);
    }
}
