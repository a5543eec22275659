package dev.puna.data.dedup;

import dev.puna.data.Document;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;

/**
 * A deduplication that compares documents by keys of 128 bits, so that what is found out about a document depends on
 * nothing but which keys are equal. {@link #look} and {@link #decide} sort the keys on one machine; others may group them
 * on many, by the same {@link #rule}, and hand back what concerns a part of the corpus: the filter is the same.
 */
public interface KeyedDeduplication extends CorpusDeduplication {
    /** Takes keys. */
    @FunctionalInterface
    interface KeySink {
        /** One key; a document may have the same one more than once. */
        void key(long high, long low);
    }

    /** What equal keys mean. */
    sealed interface Rule {
        /**
         * Of documents with an equal key the first stays. No document has two keys. A fact is the ordinal of a document
         * that goes, and that of the one that stays for it.
         */
        record FirstOfKey() implements Rule {}

        /**
         * Documents with an equal key, directly or through others, are one cluster, of which the first stays. Facts are
         * as before.
         */
        record FirstOfCluster() implements Rule {}

        /** Keys are numbers of 64 bits ({@code high} is 0). A fact is a key that occurs at least so often. */
        record Frequent(int atLeast) implements Rule {}
    }

    /** What equal keys mean. */
    Rule rule();

    /** The keys of a document. */
    void keys(Document document, KeySink sink);

    /**
     * Writes facts to a file for {@link #decided}.
     *
     * @param facts numbers of one fact each, in the (signed) order of the first
     */
    void write(Iterator<long[]> facts, Path state) throws IOException;

    /** Takes the place of {@link #look} and {@link #decide}: opens what {@link #write} wrote. */
    void decided(Path state) throws IOException;
}
