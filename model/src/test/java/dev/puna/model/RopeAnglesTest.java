package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.puna.kernels.RopeTable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RopeAnglesTest {
    /**
     * Angles are fp32 products, as in the checkpoints: at the last position of a long context they give other cosines
     * than exact angles would. Expected values are PyTorch's, of its fp32 {@code position · inv_freq}.
     */
    @ParameterizedTest
    @CsvSource({
        "1,-0.8172318339347839,0.5763090252876282",
        "2,0.7326388955116272,0.6806175708770752",
        "5,-0.4639565050601959,0.8858579993247986"
    })
    void anglesAreThoseOfTheCheckpoints(int pair, double cos, double sin) {
        LlamaConfig config = new LlamaConfig(
                16, 128, 1, 1, 1, 128, 16, 131_072, 1e-5f, 500_000, new RopeScaling.None(), true, false, false);
        try (RopeAngles angles = new RopeAngles(config)) {
            angles.upTo(7); // grown in two steps
            RopeTable table = angles.upTo(131_072);
            long at = 131_071L * 64 + pair;
            assertThat((double) table.cos().getFloat(at)).isCloseTo(cos, within(2e-7));
            assertThat((double) table.sin().getFloat(at)).isCloseTo(sin, within(2e-7));
            double exact = 131_071 * Math.pow(500_000, -2.0 * pair / 128);
            assertThat(Math.abs(Math.cos(exact) - cos) + Math.abs(Math.sin(exact) - sin))
                    .isGreaterThan(1e-4);
        }
    }
}
