package dev.puna.kernels;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.List;
import java.util.Optional;

/**
 * The operations of a LLaMA. Activations are F32 and dense; weights have any {@link DType}. Shapes are checked at the
 * door: an {@link IllegalArgumentException} names both shapes. Outputs never overlap inputs unless a method says so.
 *
 * <p>Row independence: row {@code i} of an output depends, to the bit, only on row {@code i} of the row inputs and on
 * the weights, whatever the other rows, their number, and the number of threads are.
 */
public interface Kernels extends AutoCloseable {
    /**
     * The kernels of the best tier on this machine, or of the one that {@code PUNA_KERNELS} names.
     *
     * @throws dev.puna.tensor.ConfigurationException if the named tier does not exist or refuses
     */
    static Kernels open(ThreadTeam threads) {
        return open(KernelsChoice.requested(Optional.empty(), System.getenv()), threads);
    }

    /**
     * The kernels of a tier by name, or with {@code auto} of the best on this machine.
     *
     * @throws dev.puna.tensor.ConfigurationException if the named tier does not exist or refuses
     */
    static Kernels open(String requested, ThreadTeam threads) {
        return KernelsChoice.onThisMachine(requested).create(threads);
    }

    /** The name of the tier: {@code reference}, {@code vector}, {@code x86}, … */
    String tier();

    ThreadTeam threads();

    /**
     * {@code y = x · wᵀ}.
     *
     * @param y F32 (N, out)
     * @param x F32 (N, in)
     * @param w any DType (out, in)
     */
    void matmul(Tensor y, Tensor x, Tensor w);

    /**
     * {@code y[i] = x · w[i]ᵀ} for weights that read the same rows (q, k, v; gate, up), so that a tier prepares
     * {@code x} once. The same bits as the single products.
     *
     * @param y F32 (N, outᵢ) each
     * @param x F32 (N, in)
     * @param w any DType (outᵢ, in) each
     */
    default void matmul(List<Tensor> y, Tensor x, List<Tensor> w) {
        for (int i = 0; i < w.size(); i++) {
            matmul(y.get(i), x, w.get(i));
        }
    }

    /**
     * {@code y += bias} on every row.
     *
     * @param y F32 (N, out)
     * @param bias F32, F16 or BF16 (out)
     */
    void addBias(Tensor y, Tensor bias);

    /**
     * {@code y += x}: the residual connection.
     *
     * @param y F32 (N, C)
     * @param x F32 (N, C)
     */
    void add(Tensor y, Tensor x);

    /**
     * Rows of the embedding table.
     *
     * @param y F32 (N, C)
     * @param table any DType (V, C)
     * @param ids N token ids in [0, V)
     */
    void embedding(Tensor y, Tensor table, int[] ids);

    /**
     * {@code y = x / sqrt(mean(x²) + epsilon) · weight}, in fp32 (LLaMA §2.2; Zhang and Sennrich 2019).
     *
     * @param y F32 (N, C), may be {@code x}
     * @param x F32 (N, C)
     * @param weight F32, F16 or BF16 (C)
     */
    void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon);

    /**
     * Rotary position embedding (Su et al. 2021). Whatever pairing the rows of {@code x} have, those of {@code y} are
     * in the order of {@link RopePairing#HALVES}; so the products of queries and keys have the same bits for every
     * pairing.
     *
     * @param y F32 (N, heads·D), may be {@code x} when the pairing is {@code HALVES}
     * @param x F32 (N, heads·D)
     * @param table cosines and sines for every position that occurs
     * @param positions N positions
     */
    void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions);

    /**
     * Writes keys and values of consecutive positions into a cache, converting to its DType.
     *
     * @param cache where; rows go to positions {@code firstPosition …}
     * @param k F32 (N, KV·D), already rotated
     * @param v F32 (N, KV·D)
     */
    void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v);

    /**
     * Causal grouped-query attention over a cache (Ainslie et al. 2023) for rows of several sequences. Row {@code r} of
     * a span stands at position {@code firstPosition + r} and sees positions {@code 0 … firstPosition + r}, which
     * {@link #storeKv} has written. Never builds a (T, T) matrix; keys are visited in blocks that begin at multiples of
     * a constant, so that the result does not depend on how a prompt is cut into calls.
     *
     * @param y F32 (N, H·D)
     * @param q F32 (N, H·D), already rotated
     * @param spans cover the N rows in order, without gaps
     * @param scale usually {@code 1/√D}
     */
    void attention(Tensor y, Tensor q, List<AttentionSpan> spans, float scale);

    /**
     * {@code y = silu(gate) ∘ up}, {@code silu(x) = x / (1 + e^−x)} (Shazeer 2020).
     *
     * @param y F32 (N, F), may be {@code gate} or {@code up}
     * @param gate F32 (N, F)
     * @param up F32 (N, F)
     */
    void swiGlu(Tensor y, Tensor gate, Tensor up);

    /**
     * Decodes any DType to F32, to the bit what llama.cpp's {@code dequantize_row} gives.
     *
     * @param y F32, same shape
     */
    void dequantize(Tensor y, Tensor x);

    /**
     * Encodes F32 into F16, BF16 (both round to nearest even), Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K as
     * llama.cpp's reference quantizers do; F32 copies.
     *
     * @param y the wanted DType, same shape
     * @throws IllegalArgumentException for a DType that has no quantizer
     */
    void quantize(Tensor y, Tensor x);

    /** Closes the tier's own memory. The thread team belongs to its maker. */
    @Override
    default void close() {}
}
