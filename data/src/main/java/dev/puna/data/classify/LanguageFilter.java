package dev.puna.data.classify;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.util.Locale;
import java.util.Set;

/**
 * Keeps documents in wanted languages and writes the language into their meta data, with its
 * probability to two decimals.
 *
 * @param identifier that says the language
 * @param languages wanted ones; empty keeps all
 * @param minScore smallest probability; cc_net's is 0.5, FineWeb's 0.65
 */
public record LanguageFilter(LanguageIdentifier identifier, Set<String> languages, double minScore)
        implements DocumentFilter {
    public LanguageFilter {
        languages = Set.copyOf(languages);
    }

    @Override
    public String name() {
        return "language";
    }

    @Override
    public Verdict apply(Document document) {
        return identifier
                .identify(document.text())
                .<Verdict>map(p -> {
                    double score = Math.round(100 * p.probability()) / 100.0;
                    if (score < minScore) {
                        return new Verdict.Drop("language unclear", p.label() + " " + score);
                    }
                    if (!languages.isEmpty() && !languages.contains(p.label())) {
                        return new Verdict.Drop("another language", p.label().toLowerCase(Locale.ROOT) + " " + score);
                    }
                    return new Verdict.Keep(document.with("language", p.label()).with("language_score", score));
                })
                .orElseGet(() -> new Verdict.Drop("no words", ""));
    }
}
