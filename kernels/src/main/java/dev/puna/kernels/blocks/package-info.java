/**
 * How rows of numbers lie in memory, for every {@link dev.puna.tensor.DType}: one class per family of blocks, its
 * layout as named offsets, its decoder, and its encoder where a LLaMA is ever quantized to it.
 *
 * <p>The invariant: decoding gives, to the bit, what llama.cpp's {@code dequantize_row_*} gives when it is compiled
 * without fused multiply-add, and encoding the bytes of its {@code quantize_row_*_ref}. Golden files made with
 * llama.cpp's own library hold both.
 *
 * <p>Layouts: {@code ggml-common.h} of llama.cpp.
 */
package dev.puna.kernels.blocks;
