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
     * {@code y = x · wᵀ} as training computes it.
     *
     * @param y F32 (N, out)
     * @param x F32 (N, in)
     * @param w F32 (out, in)
     */
    default void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        new ReferenceTraining(threads()).matmul(y, x, w, precision);
    }

    /**
     * In the forward pass {@code y = x · wᵀ}; so {@code dx = dy · w}.
     *
     * @param dx F32 (N, in): overwritten, or added to when {@code accumulate}
     * @param dy F32 (N, out)
     * @param w F32 (out, in)
     */
    default void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        new ReferenceTraining(threads()).matmulBackwardInput(dx, dy, w, accumulate, precision);
    }

    /**
     * In the forward pass {@code y = x · wᵀ}; so {@code dw += dyᵀ · x}, in fp32 whatever the precision of the factors.
     *
     * @param dw F32 (out, in), added to
     * @param dy F32 (N, out)
     * @param x F32 (N, in)
     */
    default void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        new ReferenceTraining(threads()).matmulBackwardWeight(dw, dy, x, precision);
    }

    /**
     * Says that some weights stay as they are until {@link #forgetWeights}, while several products read them: a tier may
     * keep them in the order of its own memory. It changes no bit of any product. Of several matrices the last one counts.
     *
     * @param w F32 (out, in)
     */
    default void keepWeights(Tensor w, ComputePrecision precision) {}

    /** Ends what {@link #keepWeights} said. */
    default void forgetWeights() {}

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
     * In the forward pass {@code y[r] = table[ids[r]]}; so {@code dtable[ids[r]] += dy[r]}, in the order of the rows.
     *
     * @param dtable F32 (V, C), added to
     * @param dy F32 (N, C)
     * @param ids N token ids in [0, V)
     */
    default void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        new ReferenceTraining(threads()).embeddingBackward(dtable, dy, ids);
    }

    /**
     * {@code y = x / sqrt(mean(x²) + epsilon) · weight}, in fp32 (LLaMA §2.2; Zhang and Sennrich 2019).
     *
     * @param y F32 (N, C), may be {@code x}
     * @param x F32 (N, C)
     * @param weight F32, F16 or BF16 (C)
     */
    void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon);

    /**
     * In the forward pass {@code y = x · s · weight} with {@code s = 1 / sqrt(mean(x²) + epsilon)}; so with
     * {@code g = dy ∘ weight}: {@code dx += s · (g − x · s² · mean(g ∘ x))} and {@code dweight += Σ dy ∘ x · s} over the
     * rows in a fixed order.
     *
     * @param dx F32 (N, C), added to: the residual connection's gradient is there already
     * @param dweight F32 (C), added to
     * @param dy F32 (N, C)
     * @param x F32 (N, C), the forward pass's input
     * @param weight F32 (C)
     */
    default void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        new ReferenceTraining(threads()).rmsNormBackward(dx, dweight, dy, x, weight, epsilon);
    }

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
     * In the forward pass every pair was turned by θ; so its gradient is turned by −θ.
     *
     * @param dx F32 (N, heads·D), in the order of {@code pairing}; may be {@code dy} when that is {@code HALVES}
     * @param dy F32 (N, heads·D), in the order of {@link RopePairing#HALVES}
     */
    default void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        new ReferenceTraining(threads()).ropeBackward(dx, dy, table, pairing, positions);
    }

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
     * Causal grouped-query attention of whole sequences, as training computes it: row {@code r} sees the rows
     * {@code firstVisible[r] … r}. Sequences of a batch, and documents in a packed sequence, are kept apart by where
     * their rows begin to see. The log of the sum of the exponentials is kept for the backward pass (Dao et al. 2022).
     *
     * @param y F32 (N, H·D)
     * @param logSumExp F32 (N, H): {@code log Σ e^score} of every row and head
     * @param q F32 (N, H·D), already rotated
     * @param k F32 (N, KV·D), already rotated
     * @param v F32 (N, KV·D)
     * @param firstVisible N rows in [0, r], not falling
     * @param scale usually {@code 1/√D}
     * @param precision with {@code BF16} a tier may round the factors of products, the probabilities among them
     */
    default void attention(
            Tensor y,
            Tensor logSumExp,
            Tensor q,
            Tensor k,
            Tensor v,
            int headSize,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        new ReferenceTraining(threads()).attention(y, logSumExp, q, k, v, headSize, firstVisible, scale);
    }

    /**
     * In the forward pass {@code p = e^(scale · q·k − logSumExp)} and {@code y = Σ p · v}; so {@code dv += p · dy},
     * {@code ds = p · (dy·v − dy·y)}, {@code dq = scale · Σ ds · k} and {@code dk += scale · ds · q}. Probabilities are
     * computed again, never kept; {@code dk} and {@code dv} are sums over the query heads that share them.
     *
     * @param dq F32 (N, H·D), overwritten
     * @param dk F32 (N, KV·D), overwritten
     * @param dv F32 (N, KV·D), overwritten
     * @param dy F32 (N, H·D)
     * @param y the forward pass's result
     * @param logSumExp the forward pass's
     * @param precision with {@code BF16} a tier may round the factors of products
     */
    default void attentionBackward(
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dy,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor y,
            Tensor logSumExp,
            int headSize,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        new ReferenceTraining(threads())
                .attentionBackward(dq, dk, dv, dy, q, k, v, y, logSumExp, headSize, firstVisible, scale);
    }

    /**
     * {@code y = silu(gate) ∘ up}, {@code silu(x) = x / (1 + e^−x)} (Shazeer 2020).
     *
     * @param y F32 (N, F), may be {@code gate} or {@code up}
     * @param gate F32 (N, F)
     * @param up F32 (N, F)
     */
    void swiGlu(Tensor y, Tensor gate, Tensor up);

    /**
     * In the forward pass {@code y = silu(gate) ∘ up}; so {@code dup = dy ∘ silu(gate)} and
     * {@code dgate = dy ∘ up ∘ silu′(gate)}, {@code silu′(x) = σ(x) · (1 + x · (1 − σ(x)))}.
     *
     * @param dgate F32 (N, F), overwritten; may be {@code dy}
     * @param dup F32 (N, F), overwritten
     * @param dy F32 (N, F)
     */
    default void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        new ReferenceTraining(threads()).swiGluBackward(dgate, dup, dy, gate, up);
    }

    /** The target of a row that counts for nothing in {@link #crossEntropy}. */
    int IGNORED = -1;

    /**
     * Cross-entropy of some rows of logits, and its gradient in their place:
     * {@code loss = logSumExp − logit[target]}, {@code dlogits = scale · (softmax − onehot(target))}; with a z-loss
     * weight (PaLM §5) {@code scale · zLoss · logSumExp²} is part of what the gradient belongs to, not of the losses.
     * Rows whose target is {@link #IGNORED} get loss 0 and gradient 0. Called for a chunk of rows at a time, so that the
     * logits of a whole batch never exist.
     *
     * @param losses F32 (N), overwritten, unscaled
     * @param logSumExp F32 (N), overwritten; 0 for ignored rows
     * @param logits F32 (N, V), overwritten by their gradient
     * @param targets N ids in [0, V), or {@link #IGNORED}
     * @param scale usually 1 / (valid tokens of the global batch)
     */
    default void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets, float scale, float zLoss) {
        new ReferenceTraining(threads()).crossEntropy(losses, logSumExp, logits, targets, scale, zLoss);
    }

    /**
     * One step of AdamW on one tensor: {@code m ← β1·m + (1−β1)·g}, {@code v ← β2·v + (1−β2)·g²},
     * {@code w ← w·(1 − lr·decay) − lr/(1−β1ᵗ) · m / (√v/√(1−β2ᵗ) + ε)}.
     *
     * @param w F32, the weights
     * @param m F32, same shape: the first moment
     * @param v F32, same shape: the second moment
     * @param gradient F32, same shape
     */
    default void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        new ReferenceTraining(threads()).adamW(w, m, v, gradient, step);
    }

    /**
     * {@code Σ x²}, added up in blocks of fixed size whose sums are added in order: the same bits on any number of
     * threads.
     *
     * @param x F32
     */
    default double squaredNorm(Tensor x) {
        return new ReferenceTraining(threads()).squaredNorm(x);
    }

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
