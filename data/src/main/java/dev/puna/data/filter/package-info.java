/**
 * Rules that keep, change or drop one document, each a stage with a name, counters and examples of what it drops.
 *
 * <p>Gopher (arXiv 2112.11446, appendix A), C4 (arXiv 1910.10683, section 2.2), FineWeb (arXiv 2406.17557), Llama-3
 * (arXiv 2407.21783, section 3.1.1). Where a paper names no threshold the default is stated at the field that holds it.
 * A filter has no state and may be used by many threads.
 */
package dev.puna.data.filter;
