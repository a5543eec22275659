package dev.puna.training;

import dev.puna.tensor.ConfigurationException;

/** The learning rate of each step, counted from 1: the first step of a warm-up of w has lr/w, step w the whole lr. */
public sealed interface LrSchedule {
    /** Steps that rise linearly from 0. */
    long warmupSteps();

    /** The rate after the warm-up. */
    double peak();

    /** What is left of the peak at {@code step}, after the warm-up. */
    double factor(long step);

    default double lr(long step) {
        return step < warmupSteps() ? peak() * step / warmupSteps() : peak() * factor(step);
    }

    record Constant(double peak, long warmupSteps) implements LrSchedule {
        @Override
        public double factor(long step) {
            return 1;
        }
    }

    /** Down to {@code finalFraction} of the peak at the last step, in a line. */
    record Linear(double peak, long warmupSteps, long steps, double finalFraction) implements LrSchedule {
        @Override
        public double factor(long step) {
            return 1 - (1 - finalFraction) * progress(step, warmupSteps, steps);
        }
    }

    /** Down to {@code finalFraction} of the peak at the last step, along half a cosine (LLaMA §2.3). */
    record Cosine(double peak, long warmupSteps, long steps, double finalFraction) implements LrSchedule {
        @Override
        public double factor(long step) {
            double cosine = (1 + StrictMath.cos(Math.PI * progress(step, warmupSteps, steps))) / 2;
            return finalFraction + (1 - finalFraction) * cosine;
        }
    }

    /** The peak until the last {@code decaySteps}, then a line down (MiniCPM §4). */
    record WarmupStableDecay(double peak, long warmupSteps, long steps, long decaySteps, double finalFraction)
            implements LrSchedule {
        @Override
        public double factor(long step) {
            return 1 - (1 - finalFraction) * progress(step, steps - decaySteps, steps);
        }
    }

    private static double progress(long step, long from, long to) {
        return Math.clamp((double) (step - from) / Math.max(1, to - from), 0, 1);
    }

    /**
     * The schedule that a recipe names: {@code constant}, {@code linear}, {@code cosine} or {@code wsd}.
     *
     * @throws ConfigurationException for a schedule that cannot be
     */
    static LrSchedule of(Recipe.Schedule recipe, long steps) {
        if (!(recipe.lr() > 0 && recipe.lr() < 10)) {
            throw new ConfigurationException("schedule.lr", recipe.lr(), "must be positive, usually 1e-5 to 1e-2");
        }
        if (recipe.warmupSteps() < 0 || recipe.warmupSteps() > steps) {
            throw new ConfigurationException(
                    "schedule.warmupSteps", recipe.warmupSteps(), "must be between 0 and steps=" + steps);
        }
        if (!(recipe.finalFraction() >= 0 && recipe.finalFraction() <= 1)) {
            throw new ConfigurationException(
                    "schedule.finalFraction", recipe.finalFraction(), "must be between 0 and 1, usually 0.1");
        }
        return switch (recipe.kind()) {
            case "constant" -> new Constant(recipe.lr(), recipe.warmupSteps());
            case "linear" -> new Linear(recipe.lr(), recipe.warmupSteps(), steps, recipe.finalFraction());
            case "cosine" -> new Cosine(recipe.lr(), recipe.warmupSteps(), steps, recipe.finalFraction());
            case "wsd" -> {
                if (recipe.decaySteps() < 1 || recipe.warmupSteps() + recipe.decaySteps() > steps) {
                    throw new ConfigurationException(
                            "schedule.decaySteps",
                            recipe.decaySteps(),
                            "must be at least 1 and fit into steps=" + steps + " after the warm-up");
                }
                yield new WarmupStableDecay(
                        recipe.lr(), recipe.warmupSteps(), steps, recipe.decaySteps(), recipe.finalFraction());
            }
            default ->
                throw new ConfigurationException("schedule.kind", recipe.kind(), "use constant, linear, cosine or wsd");
        };
    }
}
