package dev.puna.server;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.EngineResult;
import dev.puna.inference.FinishReason;
import dev.puna.inference.Generation;
import dev.puna.inference.Submission;
import dev.puna.inference.TokenEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The generations of one exchange. Whoever waits for them looks now and then whether the client is still there; when it
 * is not, or when this is closed, they are cancelled and their pages are free at the next step. What they produce is
 * kept until it is sent: a client that reads slowly holds memory for its text, and no page.
 */
final class Running implements AutoCloseable {
    private static final long LOOK_MILLIS = 250;

    private final List<Generation> generations = new ArrayList<>();
    private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private int ended;

    /** The client has gone: nobody is to be told. */
    static final class AbandonedException extends RuntimeException {
        private static final long serialVersionUID = 1;

        AbandonedException() {
            super("the client has gone");
        }
    }

    /**
     * Something happened to a generation.
     *
     * @param prompt which of them
     * @param token empty when it ended
     */
    record Event(int prompt, Optional<TokenEvent> token) {}

    private Running() {}

    /** @throws ApiException if there is no room for all of them, now (429) or ever (400) */
    static Running submit(Engine engine, List<EngineRequest> requests) {
        Running running = new Running();
        try {
            for (EngineRequest request : requests) {
                switch (engine.submit(request)) {
                    case Submission.Accepted(Generation generation) -> running.generations.add(generation);
                    case Submission.QueueFull(int limit, Duration retryAfter) -> {
                        if (requests.size() > limit) {
                            throw ApiException.invalid(
                                    "prompt",
                                    "These are " + requests.size() + " prompts; the queue takes " + limit
                                            + ". Send fewer at a time.");
                        }
                        throw ApiException.tooMany(limit, retryAfter);
                    }
                }
            }
            return running;
        } catch (RuntimeException e) {
            running.close();
            throw e;
        }
    }

    /** The results, when all are there. */
    List<EngineResult> await(Exchange exchange) throws InterruptedException {
        List<EngineResult> results = new ArrayList<>();
        for (Generation generation : generations) {
            CompletableFuture<EngineResult> future = generation.result();
            while (true) {
                try {
                    results.add(checked(future.get(LOOK_MILLIS, TimeUnit.MILLISECONDS)));
                    break;
                } catch (TimeoutException e) {
                    requireClient(exchange);
                } catch (ExecutionException e) {
                    throw ApiException.failed("The generation failed: " + message(e));
                }
            }
        }
        return results;
    }

    private static String message(ExecutionException e) {
        @Nullable Throwable cause = e.getCause();
        return String.valueOf(cause == null ? e.getMessage() : cause.getMessage());
    }

    private static void requireClient(Exchange exchange) {
        if (exchange.isAbandoned()) {
            throw new AbandonedException();
        }
    }

    private static EngineResult checked(EngineResult result) {
        if (result.choices().stream().anyMatch(choice -> choice.finishReason() == FinishReason.CANCELLED)) {
            throw ApiException.closing();
        }
        return result;
    }

    /** Begins to collect tokens; call before {@link #next}. */
    void listen() {
        for (int prompt = 0; prompt < generations.size(); prompt++) {
            generations.get(prompt).tokens().subscribe(new Listener(prompt));
        }
    }

    /** The next token of any of them; empty when all have ended. */
    Optional<Event> next(Exchange exchange) throws InterruptedException {
        while (ended < generations.size()) {
            Event event = events.poll(LOOK_MILLIS, TimeUnit.MILLISECONDS);
            if (event == null) {
                requireClient(exchange);
            } else if (event.token().isEmpty()) {
                ended++;
            } else {
                return Optional.of(event);
            }
        }
        return Optional.empty();
    }

    @Override
    public void close() {
        generations.forEach(Generation::cancel); // nothing to do for those that have ended
    }

    private final class Listener implements Flow.Subscriber<TokenEvent> {
        private final int prompt;

        Listener(int prompt) {
            this.prompt = prompt;
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(TokenEvent token) {
            events.add(new Event(prompt, Optional.of(token)));
        }

        @Override
        public void onError(Throwable thrown) {
            events.add(new Event(prompt, Optional.empty())); // the result says why
        }

        @Override
        public void onComplete() {
            events.add(new Event(prompt, Optional.empty()));
        }
    }
}
