package dev.puna.inference;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/**
 * A request that an {@link Engine} has accepted. What it produces is kept until it is read: neither a slow reader nor a
 * failing one ever holds the engine up. For any thread.
 */
public final class Generation {
    private final CompletableFuture<EngineResult> result = new CompletableFuture<>();
    private final Runnable wake;
    private volatile boolean cancelled;
    private final Object lock = new Object();
    private final List<TokenEvent> events = new ArrayList<>(); // guarded by lock
    private final List<Reader> readers = new ArrayList<>(); // guarded by lock

    Generation(Runnable wake) {
        this.wake = wake;
    }

    /** Stops the computation at its next step and frees its pages; what came so far is the result. Idempotent. */
    public void cancel() {
        cancelled = true;
        wake.run();
    }

    /** Whether {@link #cancel} was called. */
    public boolean isCancelled() {
        return cancelled;
    }

    /** Whether the result is there. */
    public boolean isDone() {
        return result.isDone();
    }

    /**
     * Waits for the result; costs nothing on a virtual thread. Who is interrupted while waiting cancels the generation.
     *
     * @throws CancellationException if the waiting thread is interrupted; the interrupt stays set
     * @throws IllegalStateException if the computation failed; the cause says why
     */
    public EngineResult await() {
        try {
            return result.get();
        } catch (InterruptedException e) {
            cancel();
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted while waiting for the model");
        } catch (ExecutionException e) {
            throw new IllegalStateException("the generation failed: " + e.getMessage(), e.getCause());
        }
    }

    /**
     * The result, when it is there. What depends on this future runs on a virtual thread of its own and may wait as long
     * as it likes. Cancelling it does not cancel the generation.
     */
    public CompletableFuture<EngineResult> result() {
        return result.whenCompleteAsync(
                (value, failure) -> {},
                action -> Thread.ofVirtual().name("puna-result").start(action));
    }

    /**
     * The tokens from the first on, to each subscriber at the pace that it asks for, on a virtual thread of its own.
     * Cancelling a subscription, or throwing from {@code onNext}, cancels the generation.
     */
    public Flow.Publisher<TokenEvent> tokens() {
        return subscriber -> {
            Reader reader = new Reader(subscriber);
            synchronized (lock) {
                readers.add(reader);
            }
            reader.signal();
        };
    }

    void publish(TokenEvent event) {
        List<Reader> current;
        synchronized (lock) {
            events.add(event);
            current = List.copyOf(readers);
        }
        current.forEach(Reader::signal);
    }

    void complete(EngineResult value) {
        result.complete(value);
        signalReaders();
    }

    void fail(Throwable cause) {
        result.completeExceptionally(cause);
        signalReaders();
    }

    private void signalReaders() {
        List<Reader> current;
        synchronized (lock) {
            current = List.copyOf(readers);
        }
        current.forEach(Reader::signal);
    }

    /** One subscriber: how far it has read and how much more it wants. At most one virtual thread calls it at a time. */
    private final class Reader implements Flow.Subscription {
        private final Flow.Subscriber<? super TokenEvent> subscriber;
        private boolean running; // guarded by lock
        private boolean again; // guarded by lock
        private boolean ended; // guarded by lock
        private long demand; // guarded by lock
        private @Nullable IllegalArgumentException misuse; // guarded by lock
        private int next;
        private boolean introduced;

        Reader(Flow.Subscriber<? super TokenEvent> subscriber) {
            this.subscriber = subscriber;
        }

        @Override
        public void request(long count) {
            synchronized (lock) {
                if (count <= 0) {
                    misuse = new IllegalArgumentException("a subscriber asked for " + count + " tokens");
                } else {
                    demand = demand + count < 0 ? Long.MAX_VALUE : demand + count;
                }
            }
            signal();
        }

        @Override
        public void cancel() {
            end();
            Generation.this.cancel();
        }

        private void end() {
            synchronized (lock) {
                ended = true;
                readers.remove(this);
            }
        }

        /** Something changed; returns at once. */
        void signal() {
            synchronized (lock) {
                if (ended) {
                    return;
                }
                again = true;
                if (running) {
                    return;
                }
                running = true;
            }
            Thread.ofVirtual().name("puna-reader").start(this::read);
        }

        private void read() {
            try {
                if (!introduced) {
                    introduced = true;
                    subscriber.onSubscribe(this);
                }
                while (deliver()) {
                    // as long as there is something to say
                }
            } catch (RuntimeException e) {
                cancel(); // a subscriber that throws hears no more
            }
        }

        /** Says one thing; false when there is nothing to say now. */
        private boolean deliver() {
            TokenEvent event = null;
            IllegalArgumentException wrong;
            synchronized (lock) {
                if (ended) {
                    return false;
                }
                wrong = misuse;
                boolean finished = next == events.size() && result.isDone();
                if (wrong == null && !finished) {
                    if (next < events.size() && demand > 0) {
                        event = events.get(next++);
                        demand--;
                    } else if (again) {
                        again = false;
                        return true;
                    } else {
                        running = false;
                        return false;
                    }
                }
            }
            if (event != null) {
                subscriber.onNext(event);
                return true;
            }
            end();
            if (wrong != null) {
                subscriber.onError(wrong);
                Generation.this.cancel();
                return false;
            }
            try {
                result.join();
            } catch (CompletionException e) {
                @Nullable Throwable cause = e.getCause();
                subscriber.onError(cause == null ? e : cause);
                return false;
            }
            subscriber.onComplete();
            return false;
        }
    }
}
