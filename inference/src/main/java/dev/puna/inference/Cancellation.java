package dev.puna.inference;

/** A switch that ends a generation or a scoring between two steps; from any thread. */
public final class Cancellation {
    private volatile boolean cancelled;

    public Cancellation() {}

    public void cancel() {
        cancelled = true;
    }

    public boolean isCancelled() {
        return cancelled;
    }
}
