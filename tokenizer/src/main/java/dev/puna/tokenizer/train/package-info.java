/**
 * Training of byte-pair encodings, in the two kinds that LLaMA uses.
 *
 * <p>Text is cut into words, the words are counted ({@link dev.puna.tokenizer.train.WordCounts}, one for each thread),
 * and the most frequent pair of neighbours is merged again and again ({@link dev.puna.tokenizer.train.PairMerger}), with
 * an index from pairs to the words that hold them, so that a merge touches only what changes. The result depends on
 * the counts alone.
 *
 * <p>References: Sennrich, Haddow, Birch, Neural machine translation of rare words with subword units (2016); Kudo,
 * Richardson, SentencePiece (2018); {@code tokenizers/src/models/bpe/trainer.rs} and
 * {@code sentencepiece/src/bpe_model_trainer.cc} for the rules on ties.
 */
package dev.puna.tokenizer.train;
