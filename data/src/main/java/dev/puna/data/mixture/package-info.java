/** How much of each source a model sees: shares, tokens, epochs (LLaMA-1's table 1; Llama-3's section 3.1.2). */
package dev.puna.data.mixture;
