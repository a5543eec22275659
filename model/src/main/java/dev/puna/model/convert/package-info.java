/**
 * From one format to another ({@link dev.puna.model.convert.Conversion}): the same numbers under other names, in another
 * order of rows, in other types. Tensor by tensor, so that a model larger than memory passes through.
 *
 * <p>The invariant: where no type changes, there and back again gives the same bytes for every tensor; and the formats
 * give bit-identical logits.
 */
package dev.puna.model.convert;
