package dev.puna.data.filter;

import dev.puna.data.Document;

/** What a filter says of a document. */
public sealed interface Verdict {
    /** It stays, perhaps with another text. */
    record Keep(Document document) implements Verdict {}

    /**
     * It goes.
     *
     * @param reason a short constant phrase; counted
     * @param evidence what was found in this document
     */
    record Drop(String reason, String evidence) implements Verdict {}
}
