package dev.puna.inference;

/**
 * Hears how an {@link Engine} works, for metrics. Called on the engine's own thread: it counts, and does not wait or
 * throw.
 */
public interface EngineObserver {
    /** Nobody listens. */
    EngineObserver NONE = new EngineObserver() {};

    /**
     * A forward pass.
     *
     * @param rows tokens that were computed in it
     * @param sequences to how many answers they belong
     */
    default void stepped(int rows, int sequences) {}

    /** A request is computed for the first time, so long after it came. */
    default void begun(long nanosSinceItCame) {}

    /** A request has its first token, so long after it came. */
    default void firstToken(long nanosSinceItCame) {}

    /** An answer has another token, so long after the one before; 0 if a guess was right and both came together. */
    default void nextToken(long nanosSinceTheOneBefore) {}
}
