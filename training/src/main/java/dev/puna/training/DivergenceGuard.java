package dev.puna.training;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Judges a step before it is taken, by the numbers of the steps before it. */
final class DivergenceGuard {
    /** Of the mean: losses that hardly move do not make a jump of a little movement. */
    private static final double SMALLEST_DEVIATION = 1e-3;

    private final Recipe.Guards guards;

    DivergenceGuard(Recipe.Guards guards) {
        this.guards = guards;
    }

    /** Why a step with this loss and this gradient norm must not be taken. */
    Optional<String> judge(double loss, double norm, TrainingState state) {
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            return Optional.of(String.format(Locale.ROOT, "loss %.4f, gradient norm %.4f", loss, norm));
        }
        if (guards.maxGradientNorm() > 0 && norm > guards.maxGradientNorm()) {
            return Optional.of(String.format(
                    Locale.ROOT,
                    "gradient norm %.4f is above guards.maxGradientNorm=%.4f",
                    norm,
                    guards.maxGradientNorm()));
        }
        return jump("loss", loss, state.recentLosses(), guards.zScore())
                .or(() -> jump("gradient norm", norm, state.recentNorms(), guards.gradientZScore()));
    }

    private Optional<String> jump(String what, double value, List<Double> recent, double limit) {
        if (limit == 0 || recent.size() < Math.max(2, guards.window())) {
            return Optional.empty();
        }
        double mean = 0;
        for (double one : recent) {
            mean += one / recent.size();
        }
        double variance = 0;
        for (double one : recent) {
            variance += (one - mean) * (one - mean) / recent.size();
        }
        double z = (value - mean) / Math.max(Math.sqrt(variance), SMALLEST_DEVIATION * mean);
        return z > limit
                ? Optional.of(String.format(
                        Locale.ROOT,
                        "%s %.4f is %.1f standard deviations above the %.4f of the last %d steps",
                        what,
                        value,
                        z,
                        mean,
                        recent.size()))
                : Optional.empty();
    }

    /** The last values with one more. */
    List<Double> remember(List<Double> recent, double value) {
        List<Double> all = new ArrayList<>(recent);
        all.add(value);
        return all.subList(Math.max(0, all.size() - guards.window()), all.size());
    }
}
