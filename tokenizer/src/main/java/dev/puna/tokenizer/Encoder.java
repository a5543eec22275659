package dev.puna.tokenizer;

import java.lang.foreign.MemorySegment;

/**
 * Encodes for one thread: holds scratch memory and a bounded cache, which grow with use from a few kilobytes. Get one
 * per thread from {@link Tokenizer#encoder()}. Appends to the buffer; allocates nothing per token.
 *
 * <p>Malformed input becomes U+FFFD as in the original libraries: for a SentencePiece vocabulary each malformed byte,
 * for a byte-level one each maximal malformed sequence; an unpaired surrogate of a string counts as one character.
 */
public interface Encoder {
    /** Appends the ids of {@code text} to {@code out}. */
    void encode(String text, EncodeOptions options, TokenBuffer out);

    /** Appends the ids of the UTF-8 text in {@code utf8[from, to)} to {@code out}. */
    void encode(byte[] utf8, int from, int to, EncodeOptions options, TokenBuffer out);

    /** Appends the ids of the UTF-8 text in a memory segment of less than 2 GiB to {@code out}. */
    void encode(MemorySegment utf8, EncodeOptions options, TokenBuffer out);
}
