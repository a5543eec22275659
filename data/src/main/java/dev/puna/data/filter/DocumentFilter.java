package dev.puna.data.filter;

import dev.puna.data.Document;

/** One rule or a group of rules. No state; safe for all threads. */
public interface DocumentFilter {
    /** Its name in recipes, counters and reports. */
    String name();

    /** Keeps, changes or drops the document. */
    Verdict apply(Document document);
}
