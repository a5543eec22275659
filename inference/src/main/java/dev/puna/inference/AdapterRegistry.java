package dev.puna.inference;

import dev.puna.model.LoraAdapter;
import dev.puna.tensor.ConfigurationException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The LoRA adapters of an engine by name, and those that were taken away while requests still use them. Owns them. For any
 * number of threads.
 */
final class AdapterRegistry implements AutoCloseable {
    private final Map<String, LoraAdapter> loaded = new LinkedHashMap<>();
    private final List<LoraAdapter> retired = new ArrayList<>();
    private boolean closed;

    /**
     * Takes an adapter over.
     *
     * @throws ConfigurationException if there is one of that name; it is closed then
     * @throws IllegalStateException if this is closed; the adapter then is, too
     */
    synchronized void add(String name, LoraAdapter adapter) {
        if (closed || loaded.containsKey(name)) {
            adapter.close();
            throw closed
                    ? new IllegalStateException("this engine is closed")
                    : new ConfigurationException("adapter", name, "there is one of that name already");
        }
        loaded.put(name, adapter);
    }

    synchronized Optional<LoraAdapter> get(String name) {
        return Optional.ofNullable(loaded.get(name));
    }

    /** In the order in which they were loaded. */
    synchronized List<String> names() {
        return List.copyOf(loaded.keySet());
    }

    synchronized boolean contains(LoraAdapter adapter) {
        return loaded.containsValue(adapter);
    }

    /** No new request finds it; {@link #closeUnused} closes it. False if there is none of that name. */
    synchronized boolean retire(String name) {
        LoraAdapter removed = loaded.remove(name);
        return removed != null && retired.add(removed);
    }

    synchronized boolean hasRetired() {
        return !retired.isEmpty();
    }

    /**
     * Closes what was taken away and is not among {@code used}.
     *
     * @return those
     */
    synchronized List<LoraAdapter> closeUnused(Set<LoraAdapter> used) {
        List<LoraAdapter> unused =
                retired.stream().filter(adapter -> !used.contains(adapter)).toList();
        unused.forEach(LoraAdapter::close);
        retired.removeAll(unused);
        return unused;
    }

    /** Closes all of them. */
    @Override
    public synchronized void close() {
        closed = true;
        loaded.values().forEach(LoraAdapter::close);
        retired.forEach(LoraAdapter::close);
        loaded.clear();
        retired.clear();
    }
}
