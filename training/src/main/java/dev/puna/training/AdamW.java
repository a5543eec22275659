package dev.puna.training;

import dev.puna.kernels.AdamWStep;
import dev.puna.kernels.Kernels;
import dev.puna.model.ParameterStore;

/** The end of a step: the global norm of the gradients, clipping, and AdamW on every parameter as a recipe says. */
public final class AdamW {
    private final Recipe.Optimizer optimizer;
    private final ParameterStore parameters;
    private final Kernels kernels;

    public AdamW(Recipe.Optimizer optimizer, ParameterStore parameters, Kernels kernels) {
        this.optimizer = optimizer;
        this.parameters = parameters;
        this.kernels = kernels;
    }

    /** {@code ‖g‖} over all gradients. */
    public double gradientNorm() {
        double squares = 0;
        for (ParameterStore.Parameter parameter : parameters.parameters()) {
            squares += kernels.squaredNorm(parameter.gradient());
        }
        return Math.sqrt(squares);
    }

    /**
     * Changes every parameter.
     *
     * @param norm of the gradients
     * @param update which update this is, from 1
     */
    public void update(double norm, double lr, long update) {
        double clip = optimizer.clip();
        double scale = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
        for (ParameterStore.Parameter p : parameters.parameters()) {
            double decay = optimizer.decays(p.name(), p.isMatrix()) ? optimizer.weightDecay() : 0;
            kernels.adamW(
                    p.weight(),
                    p.firstMoment(),
                    p.secondMoment(),
                    p.gradient(),
                    new AdamWStep(lr, optimizer.beta1(), optimizer.beta2(), optimizer.epsilon(), decay, update, scale));
        }
    }
}
