/** SentencePiece and tiktoken byte-pair encoding, to the id what the original libraries give. */
package dev.puna.tokenizer;
