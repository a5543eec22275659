package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Deduplication over a corpus in two passes: every document is shown to it, in any order and by any thread, then it
 * becomes a filter. A document is named by its place in the corpus, which decides which of several stays.
 */
public interface CorpusDeduplication extends AutoCloseable {
    /** Its name in recipes, counters and reports. */
    String name();

    /** First pass. {@code ordinal} is larger for later documents and different for all. */
    void look(Document document, long ordinal) throws IOException;

    /** Ends the first pass; {@code state} is where a file may be kept that makes it unnecessary another time. */
    void decide(Path state) throws IOException;

    /** Second pass: the filter for the document at {@code ordinal}. */
    DocumentFilter filter(long ordinal);

    @Override
    void close() throws IOException;
}
