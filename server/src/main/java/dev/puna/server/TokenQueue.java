package dev.puna.server;

import dev.puna.inference.Generation;
import dev.puna.inference.TokenEvent;
import java.util.Optional;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;

/** The tokens of a generation for one thread that waits for them: virtual, so waiting costs nothing. */
final class TokenQueue implements Flow.Subscriber<TokenEvent> {
    private final LinkedBlockingQueue<Optional<TokenEvent>> events = new LinkedBlockingQueue<>();

    static TokenQueue of(Generation generation) {
        TokenQueue queue = new TokenQueue();
        generation.tokens().subscribe(queue);
        return queue;
    }

    /** The next token; empty at the end. */
    Optional<TokenEvent> next() throws InterruptedException {
        return events.take();
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(TokenEvent event) {
        events.add(Optional.of(event));
    }

    @Override
    public void onError(Throwable thrown) {
        events.add(Optional.empty()); // the result says why
    }

    @Override
    public void onComplete() {
        events.add(Optional.empty());
    }
}
