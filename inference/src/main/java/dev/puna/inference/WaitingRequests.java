package dev.puna.inference;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Requests in the order in which they came, clients taking turns. Guarded by the engine's lock. */
final class WaitingRequests {
    private final Map<String, ArrayDeque<ActiveRequest>> byClient = new LinkedHashMap<>();
    private int size;

    int size() {
        return size;
    }

    void add(ActiveRequest request) {
        byClient.computeIfAbsent(request.what.client(), client -> new ArrayDeque<>())
                .add(request);
        size++;
    }

    void forEach(Consumer<ActiveRequest> action) {
        byClient.values().forEach(waiting -> waiting.forEach(action));
    }

    /** Whose turn it is; stays in the queue. */
    @Nullable
    ActiveRequest peek() {
        return size == 0 ? null : byClient.values().iterator().next().peek();
    }

    /** Takes what {@link #peek} shows; its client goes to the end. */
    void takeFirst() {
        String client = byClient.keySet().iterator().next();
        ArrayDeque<ActiveRequest> waiting = byClient.getOrDefault(client, new ArrayDeque<>());
        byClient.remove(client);
        waiting.remove();
        size--;
        if (!waiting.isEmpty()) {
            byClient.put(client, waiting);
        }
    }

    /** Takes those that were cancelled, or all. */
    List<ActiveRequest> take(boolean all) {
        List<ActiveRequest> taken = new ArrayList<>();
        for (ArrayDeque<ActiveRequest> waiting : byClient.values()) {
            waiting.removeIf(request -> (all || request.generation.isCancelled()) && taken.add(request));
        }
        byClient.values().removeIf(ArrayDeque::isEmpty);
        size -= taken.size();
        return taken;
    }
}
