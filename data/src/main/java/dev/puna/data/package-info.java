/**
 * Documents and how they are read and written.
 *
 * <p>Everything that a dump holds becomes a {@link dev.puna.data.Document}; everything that a stage hands to the next is
 * a JSONL file of documents, zstd-compressed, that Dolma, RedPajama and datatrove read too. Readers stream: what they
 * hold in memory is bounded by the largest record they accept, never by the file. A broken record is counted, reported
 * with file and offset in a {@link dev.puna.data.ReadReport}, and skipped. Output appears under its real name only when
 * it is complete.
 */
package dev.puna.data;
