package dev.puna.data.classify;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.util.Locale;

/**
 * Keeps documents to which a linear classifier gives a label with enough probability: LLaMA-1's "page that Wikipedia
 * cites" (RedPajama keeps 0.25 and more), Llama-3's quality, or, with {@code drop}, adult content. The probability goes
 * into the meta data under the label's name.
 *
 * @param name of the stage
 * @param model the classifier
 * @param label whose probability counts
 * @param threshold the smallest probability that stays; with {@code drop} the smallest that goes
 * @param drop whether documents with the label go
 */
public record ClassifierFilter(String name, FastTextModel model, String label, double threshold, boolean drop)
        implements DocumentFilter {
    @Override
    public Verdict apply(Document document) {
        double p = model.probability(document.text().replace('\n', ' '), label);
        String evidence = String.format(Locale.ROOT, "%s %.3f", label, p);
        if (drop ? p >= threshold : p < threshold) {
            return new Verdict.Drop(drop ? "classified as " + label : "not classified as " + label, evidence);
        }
        return new Verdict.Keep(document.with(label, Math.round(1000 * p) / 1000.0));
    }
}
