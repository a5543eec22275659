/**
 * Text to token ids and back, to the id what the original libraries give.
 *
 * <p>LLaMA-1 and Llama-2 use SentencePiece byte-pair encoding over characters
 * ({@link dev.puna.tokenizer.SentencePieceTokenizer}); Llama-3 uses tiktoken's over bytes
 * ({@link dev.puna.tokenizer.ByteLevelTokenizer}). Each is one immutable object, shared by all threads, that can be
 * read from every file form the field has for it (SentencePiece {@code .model}, tiktoken ranks, {@code tokenizer.json},
 * GGUF metadata) and written back to it. An {@link dev.puna.tokenizer.Encoder} holds the scratch memory of one thread.
 *
 * <p>How it is fast: text is cut into short stretches that no merge can cross, by a hand-written scanner over UTF-8;
 * the ids of a stretch come from a bounded cache; only a stretch that is not in the cache is merged, and a long one in
 * linear time. The invariant of every shortcut is exactness: it is taken only where the plain algorithm provably gives
 * the same ids, and that is checked on the vocabulary when it is loaded.
 *
 * <p>Sources: Sennrich et al. 2016 (BPE); Kudo and Richardson 2018 (SentencePiece), its {@code bpe_model.cc} and
 * {@code normalizer.cc}; tiktoken's {@code lib.rs}; Meta's {@code llama3/tokenizer.py}.
 */
package dev.puna.tokenizer;
