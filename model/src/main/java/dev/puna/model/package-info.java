/**
 * What a LLaMA is: its configuration ({@link dev.puna.model.LlamaConfig}), its weights
 * ({@link dev.puna.model.LlamaWeights}), its forward pass ({@link dev.puna.model.LlamaModel}). Nothing else: where
 * tensors lie is the checkpoint's business, who computes the kernels', which token comes next the caller's.
 *
 * <p>The invariant: one spelling of every setting and every tensor. The spellings of Hugging Face, GGUF and Meta occur
 * only in the readers and writers of those formats, and the three give bit-identical logits.
 *
 * <p>Papers: LLaMA (Touvron et al. 2023), Llama 2 (2023), Code Llama (Rozière et al. 2023), The Llama 3 Herd of Models
 * (2024).
 */
package dev.puna.model;
