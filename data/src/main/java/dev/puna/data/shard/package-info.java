/**
 * Token shards: documents as ids in Megatron's indexed dataset, two files with one prefix.
 *
 * <p>{@code PREFIX.bin} holds the ids of all documents one after the other, little-endian, two bytes each below 65,536
 * ids, else four. {@code PREFIX.idx} begins with {@code MMIDIDX\0\0}, the version 1 (u64), the element type (u8), the
 * numbers of sequences and of document boundaries (u64), and holds the length of every sequence (i32), its byte offset
 * (i64) and the document boundaries (i64). Megatron-LM, GPT-NeoX and litgpt read it
 * ({@code megatron/core/datasets/indexed_dataset.py}).
 */
package dev.puna.data.shard;
