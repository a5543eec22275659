package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PrefillBudgetTest {
    private static final long MILLI = 1_000_000;

    @Test
    void beforeAnythingIsKnown() {
        assertThat(new PrefillBudget(512).rows()).isEqualTo(PrefillBudget.UNKNOWN);
        assertThat(new PrefillBudget(5).rows()).isEqualTo(5);
        PrefillBudget prompts = new PrefillBudget(512);
        prompts.note(0, 200, 100 * MILLI); // nobody waits for such a step
        assertThat(prompts.rows()).isEqualTo(PrefillBudget.UNKNOWN);
    }

    /** Streams alone take 50 ms and a row of a prompt 1 ms more: 150 of them make it four times as long. */
    @Test
    void asMuchAsMakesAStepFourTimesAsLong() {
        PrefillBudget budget = new PrefillBudget(512);
        budget.note(8, 0, 50 * MILLI);
        budget.note(8, 64, 114 * MILLI);
        assertThat(budget.rows()).isEqualTo(150);
        for (int i = 0; i < 200; i++) {
            int rows = budget.rows();
            budget.note(8, rows, (50 + 2L * rows) * MILLI); // later rows of a long prompt see more
        }
        assertThat(budget.rows()).isBetween(74, 76);
    }

    @Test
    void neverLessThanAUsefulPartNorMoreThanAsked() {
        PrefillBudget slow = new PrefillBudget(512);
        slow.note(1, 0, MILLI);
        slow.note(1, 64, 6400 * MILLI);
        assertThat(slow.rows()).isEqualTo(PrefillBudget.LEAST);
        PrefillBudget fast = new PrefillBudget(100);
        fast.note(1, 0, 100 * MILLI);
        fast.note(1, 64, 90 * MILLI); // faster than without: the clock's noise
        assertThat(fast.rows()).isEqualTo(100);
    }
}
