/**
 * Text from a model: one sequence at a time ({@link dev.puna.inference.Llama}), or many together
 * ({@link dev.puna.inference.Engine}). Prompts are computed in chunks over a cache of keys and values, tokens chosen by
 * {@link dev.puna.inference.Sampler}, text given out as it becomes certain, and texts scored.
 *
 * <p>The invariant: the same model, prompt, options and seed give the same tokens, to the bit, whatever is in the cache,
 * however a prompt is cut, whoever else is computed beside it, and on any number of threads of one tier of kernels.
 */
package dev.puna.inference;
