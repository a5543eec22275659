/**
 * OpenAI's HTTP API over an {@link dev.puna.inference.Engine}: {@link dev.puna.server.PunaServer}. A request is read
 * strictly: what is not understood is refused with the API's own shape of error, never ignored. Every connection has a
 * virtual thread; a client that has gone away cancels its generation at the next write.
 */
package dev.puna.server;
