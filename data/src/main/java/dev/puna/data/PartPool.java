package dev.puna.data;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Threads that work on numbered parts, in the order of the numbers. The first failure stops all. */
public final class PartPool implements AutoCloseable {
    private final ExecutorService pool;
    private volatile boolean stopped;

    /** @param threads parts that are worked on at a time */
    public PartPool(int threads) {
        pool = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().daemon().name("data-", 0).factory());
    }

    /** What is done for one part. */
    @FunctionalInterface
    public interface PartTask {
        void run(int part) throws IOException;
    }

    /** Runs the task for parts {@code [0, count)} and returns when all are done. */
    public void forEach(int count, PartTask task) throws IOException {
        List<Future<?>> futures = new ArrayList<>();
        AtomicReference<@Nullable Throwable> first = new AtomicReference<>();
        for (int i = 0; i < count; i++) {
            int part = i;
            futures.add(pool.submit(() -> {
                check();
                try {
                    task.run(part);
                } catch (IOException | RuntimeException | Error e) {
                    first.compareAndSet(null, e); // others stop because of it, and may be asked before it
                    stopped = true;
                    throw e;
                }
                return null;
            }));
        }
        try {
            for (Future<?> future : futures) {
                future.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("the work was interrupted");
        } catch (ExecutionException e) {
            Throwable failure = first.get();
            switch (failure == null ? e.getCause() : failure) {
                case IOException io -> throw io;
                case RuntimeException r -> throw r;
                case Error error -> throw error;
                case null, default -> throw new IllegalStateException(e);
            }
        } finally {
            futures.forEach(f -> f.cancel(false)); // an interrupt would look like a broken file
        }
    }

    /** What a task asks after each document: throws when another one failed. */
    public void check() {
        if (stopped) {
            throw new CancellationException("the work has been stopped");
        }
    }

    /** Tasks that still run notice at their next {@link #check}. */
    @Override
    public void close() {
        stopped = true;
        pool.shutdown();
        boolean interrupted = false;
        while (true) {
            try {
                if (pool.awaitTermination(1, TimeUnit.HOURS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
