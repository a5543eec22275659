/**
 * The seven sources of LLaMA-1, each reading what its publisher ships: CommonCrawl, C4, GitHub, Wikipedia, books, ArXiv,
 * StackExchange (arXiv 2302.13971, section 2.1).
 *
 * <p>A source turns one {@link dev.puna.data.source.Split} of an input file into documents. It streams, it is safe to
 * use from several threads at once for different splits, and it bounds what one record may take. Where the published
 * tools and the paper differ there are two {@link dev.puna.data.source.Fidelity modes}.
 */
package dev.puna.data.source;
