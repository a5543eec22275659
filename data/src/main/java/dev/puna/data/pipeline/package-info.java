/**
 * A pipeline is a recipe file: a source, its inputs, and stages. It runs on all cores over the parts of the inputs, in
 * bounded memory, and can be killed at any time: a part whose result is complete is not done again, and one that is not
 * leaves nothing behind. Filters that follow each other run in one pass over the documents; a deduplication needs the
 * whole corpus before it can decide and ends a pass.
 */
package dev.puna.data.pipeline;
