package dev.puna.speedrun;

import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;

/**
 * The shape of a small LLaMA: heads of 64 (32 below a width of 192), half as many key/value heads as query heads where
 * they divide (grouped-query attention as in Llama-3), a feed-forward width of 8/3 of the width rounded up to 64, a tied
 * head.
 *
 * @param width C, a multiple of 64
 * @param layerCount L
 * @param vocabularySize V
 * @param contextLength T
 */
public record Shape(int width, int layerCount, int vocabularySize, int contextLength) {
    static Shape of(int width, int layerCount, int vocabularySize, int contextLength) {
        return new Shape(width, layerCount, vocabularySize, contextLength);
    }

    /** The model's configuration. */
    public LlamaConfig config() {
        int headSize = width < 192 ? 32 : 64;
        int heads = width / headSize;
        int kvHeads = heads % 2 == 0 ? heads / 2 : heads;
        return new LlamaConfig(
                vocabularySize,
                width,
                layerCount,
                heads,
                kvHeads,
                headSize,
                LlamaConfig.feedForwardWidth(width, 1, 64),
                contextLength,
                1e-5f,
                10_000,
                new RopeScaling.None(),
                true,
                false,
                false);
    }

    /** Parameters outside the embedding: what scaling laws count. */
    public long layerParameters() {
        return config().parameterCount() - (long) vocabularySize * width;
    }

    /** 6 for each parameter in a product (the tied head is one), and the causal half of attention. */
    public double flopsPerToken() {
        LlamaConfig config = config();
        return 6.0 * config.parameterCount() + 6.0 * layerCount * config.queryWidth() * contextLength;
    }

    /** Elements that the operations beside products read or write for a token, forward and backward together. */
    public double elementsPerToken() {
        LlamaConfig config = config();
        return layerCount * (20.0 * width + 10.0 * config.feedForwardWidth()) + 6.0 * vocabularySize;
    }
}
