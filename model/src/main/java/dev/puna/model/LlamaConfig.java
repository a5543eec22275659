package dev.puna.model;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * The shape of a LLaMA: everything that decides what its tensors are and what the forward pass computes (LLaMA, Touvron
 * et al. 2023, §2; Llama 2, 2023; The Llama 3 Herd of Models, 2024). Files spell these settings in three ways; the
 * readers of the three formats translate to this one.
 *
 * @param vocabularySize V
 * @param width C, the width of the residual stream
 * @param layerCount L
 * @param headCount H, query heads
 * @param kvHeadCount KV, key/value heads; H is a multiple
 * @param headSize D, even; usually C/H
 * @param feedForwardWidth F
 * @param contextLength positions the model was made for; longer inputs are refused
 * @param normEpsilon added to the mean square in RMSNorm
 * @param ropeBase θ
 * @param ropeScaling how frequencies are stretched
 * @param tiedHead whether the output head is the embedding table
 * @param attentionBias whether q, k, v and the attention output have biases
 * @param mlpBias whether gate, up and down have biases
 */
public record LlamaConfig(
        int vocabularySize,
        int width,
        int layerCount,
        int headCount,
        int kvHeadCount,
        int headSize,
        int feedForwardWidth,
        int contextLength,
        float normEpsilon,
        double ropeBase,
        RopeScaling ropeScaling,
        boolean tiedHead,
        boolean attentionBias,
        boolean mlpBias) {

    public LlamaConfig {
        requirePositive("vocabularySize", vocabularySize);
        requirePositive("width", width);
        requirePositive("layerCount", layerCount);
        requirePositive("headCount", headCount);
        requirePositive("kvHeadCount", kvHeadCount);
        requirePositive("headSize", headSize);
        requirePositive("feedForwardWidth", feedForwardWidth);
        requirePositive("contextLength", contextLength);
        if (headCount % kvHeadCount != 0) {
            throw new ConfigurationException(
                    "headCount",
                    headCount,
                    "is not divisible by kvHeadCount=" + kvHeadCount + "; query heads share"
                            + " key/value heads in groups of equal size");
        }
        if (headSize % 2 != 0) {
            throw new ConfigurationException("headSize", headSize, "must be even: RoPE turns pairs of elements");
        }
        if ((long) headCount * headSize > Integer.MAX_VALUE) {
            throw new ConfigurationException("headCount", headCount, "is absurd with headSize=" + headSize);
        }
        if (!(normEpsilon >= 0) || normEpsilon >= 1) {
            throw new ConfigurationException("normEpsilon", normEpsilon, "must be in [0, 1), usually 1e-5 or 1e-6");
        }
        if (!(ropeBase > 0) || Double.isInfinite(ropeBase)) {
            throw new ConfigurationException(
                    "ropeBase", ropeBase, "must be a positive number, usually 10000 or 500000");
        }
        if (ropeScaling instanceof RopeScaling.PerFrequency perFrequency
                && perFrequency.divisors().length != headSize / 2) {
            throw new ConfigurationException(
                    "ropeScaling.divisors.length",
                    perFrequency.divisors().length,
                    "a head of " + headSize + " has " + headSize / 2 + " frequencies");
        }
    }

    /** Width of all query heads together, H·D; equal to C in every model of the family, but need not be. */
    public int queryWidth() {
        return headCount * headSize;
    }

    /** Width of all key (or value) heads together, KV·D. */
    public int kvWidth() {
        return kvHeadCount * headSize;
    }

    /** Every tensor of the model with its shape, in the order embedding, layers, final norm, head. */
    public List<LlamaTensor> tensors() {
        List<LlamaTensor> tensors = new ArrayList<>();
        for (LlamaTensor.Role role : LlamaTensor.Role.values()) {
            if (role == LlamaTensor.Role.EMBEDDING) {
                tensors.add(new LlamaTensor(role, 0, shapeOf(role)));
            }
        }
        for (int layer = 0; layer < layerCount; layer++) {
            for (LlamaTensor.Role role : LlamaTensor.Role.values()) {
                if (role.inLayer() && has(role)) {
                    tensors.add(new LlamaTensor(role, layer, shapeOf(role)));
                }
            }
        }
        tensors.add(new LlamaTensor(LlamaTensor.Role.FINAL_NORM, 0, shapeOf(LlamaTensor.Role.FINAL_NORM)));
        if (!tiedHead) {
            tensors.add(new LlamaTensor(LlamaTensor.Role.HEAD, 0, shapeOf(LlamaTensor.Role.HEAD)));
        }
        return tensors;
    }

    /** Whether a model of this configuration has tensors of that role. */
    public boolean has(LlamaTensor.Role role) {
        return switch (role) {
            case HEAD -> !tiedHead;
            case WQ_BIAS, WK_BIAS, WV_BIAS, WO_BIAS -> attentionBias;
            case GATE_BIAS, UP_BIAS, DOWN_BIAS -> mlpBias;
            case EMBEDDING, ATTENTION_NORM, WQ, WK, WV, WO, FEED_FORWARD_NORM, GATE, UP, DOWN, FINAL_NORM -> true;
        };
    }

    /** The shape that tensors of a role have. */
    public Shape shapeOf(LlamaTensor.Role role) {
        return switch (role) {
            case EMBEDDING, HEAD -> Shape.of(vocabularySize, width);
            case ATTENTION_NORM, FEED_FORWARD_NORM, FINAL_NORM, WO_BIAS, DOWN_BIAS -> Shape.of(width);
            case WQ -> Shape.of(queryWidth(), width);
            case WK, WV -> Shape.of(kvWidth(), width);
            case WO -> Shape.of(width, queryWidth());
            case GATE, UP -> Shape.of(feedForwardWidth, width);
            case DOWN -> Shape.of(width, feedForwardWidth);
            case WQ_BIAS -> Shape.of(queryWidth());
            case WK_BIAS, WV_BIAS -> Shape.of(kvWidth());
            case GATE_BIAS, UP_BIAS -> Shape.of(feedForwardWidth);
        };
    }

    /** The exact number of parameters; a tied head counts once. */
    public long parameterCount() {
        long perLayer = 0;
        long once = 0;
        for (LlamaTensor.Role role : LlamaTensor.Role.values()) {
            if (has(role)) {
                long count = shapeOf(role).elementCount();
                if (role.inLayer()) {
                    perLayer += count;
                } else {
                    once += count;
                }
            }
        }
        return Math.addExact(Math.multiplyExact(perLayer, (long) layerCount), once);
    }

    /** Bytes of keys and values that one position takes over all layers. */
    public long kvBytesPerPosition(DType dtype) {
        return 2L * layerCount * kvHeadCount * dtype.byteSize(headSize);
    }

    /**
     * The feed-forward width that Meta's code derives from {@code params.json}: two thirds of 4C, truncated, times the
     * multiplier, truncated again, rounded up to a multiple ({@code FeedForward.__init__} in llama/model.py).
     */
    public static int feedForwardWidth(int width, double multiplier, int multipleOf) {
        long hidden = 4L * width;
        hidden = 2 * hidden / 3;
        hidden = (long) (multiplier * hidden);
        return Math.toIntExact(Math.ceilDiv(hidden, (long) multipleOf) * multipleOf);
    }

    public LlamaConfig withVocabularySize(int size) {
        return new LlamaConfig(
                size,
                width,
                layerCount,
                headCount,
                kvHeadCount,
                headSize,
                feedForwardWidth,
                contextLength,
                normEpsilon,
                ropeBase,
                ropeScaling,
                tiedHead,
                attentionBias,
                mlpBias);
    }

    public LlamaConfig withLayerCount(int count) {
        return new LlamaConfig(
                vocabularySize,
                width,
                count,
                headCount,
                kvHeadCount,
                headSize,
                feedForwardWidth,
                contextLength,
                normEpsilon,
                ropeBase,
                ropeScaling,
                tiedHead,
                attentionBias,
                mlpBias);
    }

    public LlamaConfig withContextLength(int length) {
        return new LlamaConfig(
                vocabularySize,
                width,
                layerCount,
                headCount,
                kvHeadCount,
                headSize,
                feedForwardWidth,
                length,
                normEpsilon,
                ropeBase,
                ropeScaling,
                tiedHead,
                attentionBias,
                mlpBias);
    }

    public LlamaConfig withTiedHead(boolean tied) {
        return new LlamaConfig(
                vocabularySize,
                width,
                layerCount,
                headCount,
                kvHeadCount,
                headSize,
                feedForwardWidth,
                contextLength,
                normEpsilon,
                ropeBase,
                ropeScaling,
                tied,
                attentionBias,
                mlpBias);
    }

    private static void requirePositive(String field, int value) {
        if (value <= 0) {
            throw new ConfigurationException(field, value, "must be positive");
        }
    }
}
