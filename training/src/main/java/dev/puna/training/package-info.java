/**
 * Pretraining. A {@link dev.puna.training.Recipe} is a run: with the same recipe, shards and weights every step has the
 * same bits, on any number of threads, in one go or resumed. What a run is at step t is in its
 * {@link dev.puna.training.TrainingState}, its parameters and nowhere else.
 *
 * <p>A loss is the sum over the valid tokens of the global batch divided by their number, never a mean of means.
 */
package dev.puna.training;
