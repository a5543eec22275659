package dev.puna.server;

import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Ends reads and writes that take too long: a virtual thread that is interrupted while it waits for a socket finds that
 * socket closed (JEP 444). So nobody holds a connection by sending a request byte by byte, or by not reading an answer.
 */
final class Deadlines implements AutoCloseable {
    private final ScheduledThreadPoolExecutor clock;

    Deadlines() {
        clock = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("puna-deadlines").factory());
        clock.setRemoveOnCancelPolicy(true);
    }

    /** What the current thread does until the result is closed must not take longer. */
    Deadline in(Duration time) {
        Thread thread = Thread.currentThread();
        Future<?> alarm = clock.schedule(thread::interrupt, time.toNanos(), TimeUnit.NANOSECONDS);
        return () -> {
            if (!alarm.cancel(false)) {
                Thread.interrupted(); // it came; whoever waited has seen it
            }
        };
    }

    /** Until when something may take. */
    interface Deadline extends AutoCloseable {
        @Override
        void close();
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
