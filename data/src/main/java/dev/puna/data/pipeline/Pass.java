package dev.puna.data.pipeline;

import dev.puna.data.Document;
import dev.puna.data.dedup.CorpusDeduplication;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.FilterCounters;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One walk over the corpus: read, deduplicate by what the pass before has shown, filter, write. A deduplication must have
 * seen all documents before it can decide about one, so each begins a pass.
 *
 * @param deduplication decides about the documents first; null in the first pass
 * @param filters then decide, in this order
 */
public record Pass(Stage.@Nullable Deduplication deduplication, List<DocumentFilter> filters) {
    /** The passes of a recipe; at least one. */
    public static List<Pass> of(Recipe recipe) throws IOException {
        List<Pass> passes = new ArrayList<>();
        Stage.Deduplication deduplication = null;
        List<DocumentFilter> filters = new ArrayList<>();
        for (JsonNode node : recipe.stages()) {
            switch (Stage.of(node, recipe)) {
                case Stage.Filter filter -> filters.add(filter.filter());
                case Stage.Deduplication next -> {
                    passes.add(new Pass(deduplication, filters));
                    deduplication = next;
                    filters = new ArrayList<>();
                }
            }
        }
        passes.add(new Pass(deduplication, filters));
        return passes;
    }

    public Pass {
        filters = List.copyOf(filters);
    }

    /** The names of its stages, in order. */
    public List<String> stageNames() {
        List<String> names = new ArrayList<>();
        if (deduplication != null) {
            names.add(deduplication.name());
        }
        filters.forEach(f -> names.add(f.name()));
        return names;
    }

    /** What a progress bar calls it. */
    public String title() {
        List<String> names = stageNames();
        return names.isEmpty() ? "read" : String.join(" + ", names);
    }

    /** The document as its stages leave it, or null when one of them drops it. */
    @Nullable
    Document filtered(
            Document document, long ordinal, @Nullable CorpusDeduplication deciding, List<FilterCounters> counters) {
        Document kept = document;
        int at = 0;
        if (deciding != null) {
            kept = counters.get(at++).apply(deciding.filter(ordinal), kept);
        }
        for (DocumentFilter filter : filters) {
            if (kept == null) {
                return null;
            }
            kept = counters.get(at++).apply(filter, kept);
        }
        return kept;
    }
}
