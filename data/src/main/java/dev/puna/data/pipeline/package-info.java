/**
 * A pipeline is a recipe file: a source, its inputs, stages, and perhaps what is held out and how it becomes tokens. It
 * runs on all cores over the parts of the inputs, in bounded memory, and can be killed at any time: a part whose result
 * is complete is not done again, and one that is not leaves nothing behind. Filters that follow each other run in one
 * pass over the documents; a deduplication needs the whole corpus before it can decide and ends a pass.
 *
 * <p>From an archive of sources to what a trainer reads, resumable at any point:
 *
 * <pre>{@code
 * Recipe recipe = Recipe.read(Path.of("recipes/data/code-small.yaml"), List.of(Path.of("src.zip")));
 * CorpusPreparation.Result made = new CorpusPreparation(recipe, out, threads, Progress.NONE).run();
 * made.tokenizer(), made.train().prefix(), made.heldOut().prefix(), made.report().table()
 * }</pre>
 *
 * {@link dev.puna.data.pipeline.Pipeline} alone makes documents; {@link dev.puna.data.pipeline.VocabularyTraining} and
 * {@link dev.puna.data.shard.TokenizeStage} do the rest from any documents.
 */
package dev.puna.data.pipeline;
