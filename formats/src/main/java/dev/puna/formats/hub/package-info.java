/**
 * Models by name: {@code owner/name} on a Hugging Face hub, kept in the cache that every tool of the field shares.
 *
 * <p>The invariants: a file appears in the cache only complete and with the checksum that the hub announced; the token
 * goes to the hub and to nobody else; what the hub answers never leads outside the cache. The HTTP client is loaded
 * when a file has to be fetched and not before.
 */
package dev.puna.formats.hub;
