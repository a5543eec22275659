/**
 * Text from a model ({@link dev.puna.inference.Llama}): prompts computed in chunks over a cache of keys and values,
 * tokens chosen by {@link dev.puna.inference.Sampler}, text given out as it becomes certain, and texts scored.
 *
 * <p>The invariant: the same model, prompt, options and seed give the same tokens, to the bit, whatever is in the cache,
 * however a prompt is cut, and on any number of threads of one tier of kernels.
 */
package dev.puna.inference;
