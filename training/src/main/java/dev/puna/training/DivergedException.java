package dev.puna.training;

/** The loss or the gradient went where no more steps help. The message says what was seen, and when. */
public final class DivergedException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final long step;
    private final double loss;
    private final double gradientNorm;

    public DivergedException(long step, double loss, double gradientNorm, String reason) {
        super("diverged at step " + step + ": " + reason + " (loss " + loss + ", gradient norm " + gradientNorm
                + "); lower schedule.lr, or resume from an earlier checkpoint");
        this.step = step;
        this.loss = loss;
        this.gradientNorm = gradientNorm;
    }

    public long step() {
        return step;
    }

    public double loss() {
        return loss;
    }

    public double gradientNorm() {
        return gradientNorm;
    }
}
