/**
 * What is the same, or nearly the same, and which of it stays.
 *
 * <p>Sets of hashes live outside the Java heap in open-addressing tables of 8 bytes an entry, and turn into sorted runs
 * on disk when they outgrow their memory. Every decision depends on the order of the documents alone, never on which
 * thread came first.
 */
package dev.puna.data.dedup;
