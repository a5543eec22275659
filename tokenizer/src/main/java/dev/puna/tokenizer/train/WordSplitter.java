package dev.puna.tokenizer.train;

/** Cuts text into the words within which pairs may merge, and counts them. */
public interface WordSplitter {
    /** Counts the words of the UTF-8 text {@code utf8[from, to)}; a document or several lines of one. */
    void count(byte[] utf8, int from, int to, WordCounts counts);
}
