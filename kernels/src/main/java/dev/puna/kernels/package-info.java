/**
 * One method per operation of a LLaMA ({@link dev.puna.kernels.Kernels}), and tiers that implement them: plain Java, the
 * truth that every other tier is tested against; the JDK's Vector API; and whatever a
 * {@link dev.puna.kernels.KernelsProvider} on the module path brings.
 *
 * <p>The invariant: a row of a result depends only on the same row of the input (and on the weights), to the bit: not
 * on the number of threads, and not on the rows that share the call. Two tiers may differ by rounding, one tier never
 * differs from itself.
 *
 * <p>Legend for shapes: B batch, T time, N rows (tokens of any sequences), D size of a head, H query heads, KV
 * key/value heads, F feed-forward width, V vocabulary.
 */
package dev.puna.kernels;
