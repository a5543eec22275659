package dev.puna.server;

import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

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
        Deadline deadline = new Deadline(Thread.currentThread());
        deadline.alarm = clock.schedule(deadline::interrupt, time.toNanos(), TimeUnit.NANOSECONDS);
        return deadline;
    }

    /** Until when something may take. Once it is closed, no interrupt comes from it any more. */
    static final class Deadline implements AutoCloseable {
        private final Thread thread;
        private @Nullable Future<?> alarm;
        private boolean closed;
        private boolean rang;

        private Deadline(Thread thread) {
            this.thread = thread;
        }

        private synchronized void interrupt() {
            if (!closed) {
                rang = true;
                thread.interrupt();
            }
        }

        @Override
        public synchronized void close() {
            closed = true;
            if (alarm != null) {
                alarm.cancel(false);
            }
            if (rang) {
                Thread.interrupted(); // whoever waited has seen it
            }
        }
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
