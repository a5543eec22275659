package dev.puna.inference;

import java.time.Duration;

/** What an engine says to a request. */
public sealed interface Submission {
    /** It waits or is computed. */
    record Accepted(Generation generation) implements Submission {}

    /**
     * Too many wait already.
     *
     * @param limit how many may
     * @param retryAfter when a place is likely
     */
    record QueueFull(int limit, Duration retryAfter) implements Submission {}
}
