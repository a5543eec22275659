/**
 * The ground floor: what a number is ({@link dev.puna.tensor.DType}), where numbers lie
 * ({@link dev.puna.tensor.Tensor}, a shaped view of a memory segment), who owns the memory
 * ({@link dev.puna.tensor.Slab}), and who computes ({@link dev.puna.tensor.ThreadTeam}).
 *
 * <p>The invariant: a tensor never owns anything. Whoever allocates or maps memory closes it, exactly once, and
 * everybody else borrows a view. Nothing here knows what a LLaMA is.
 */
package dev.puna.tensor;
