package dev.puna.model;

import dev.puna.kernels.RopePairing;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * The tensors of a LLaMA: views of memory that somebody else owns, a mapped file or a parameter store.
 *
 * @param pairing how the rows of wq and wk of every layer are ordered
 * @param embedding any DType (V, C)
 * @param layers L of them
 * @param finalNorm F32, F16 or BF16 (C)
 * @param head any DType (V, C); the embedding itself when the head is tied
 */
public record LlamaWeights(RopePairing pairing, Tensor embedding, List<Layer> layers, Tensor finalNorm, Tensor head) {

    /**
     * The tensors of one layer.
     *
     * @param attentionNorm (C)
     * @param wq (H·D, C)
     * @param wk (KV·D, C)
     * @param wv (KV·D, C)
     * @param wo (C, H·D)
     * @param feedForwardNorm (C)
     * @param gate (F, C), w1 in Meta's code
     * @param up (F, C), w3 in Meta's code
     * @param down (C, F), w2 in Meta's code
     */
    public record Layer(
            Tensor attentionNorm,
            Linear wq,
            Linear wk,
            Linear wv,
            Linear wo,
            Tensor feedForwardNorm,
            Linear gate,
            Linear up,
            Linear down) {}

    private static final Set<DType> PLAIN = EnumSet.of(DType.F32, DType.F16, DType.BF16);

    public LlamaWeights {
        layers = List.copyOf(layers);
    }

    /**
     * Weights from whatever knows a tensor by its role.
     *
     * @param lookup gives each of {@link LlamaConfig#tensors()}, in the shape it asks for
     * @throws ConfigurationException if a tensor has another shape, or a norm or bias is quantized
     */
    public static LlamaWeights of(LlamaConfig config, RopePairing pairing, Function<LlamaTensor, Tensor> lookup) {
        Function<LlamaTensor, Tensor> checked = wanted -> {
            Tensor tensor = lookup.apply(wanted);
            if (!tensor.shape().equals(wanted.shape())) {
                throw new ConfigurationException(
                        wanted.toString(), tensor, "has another shape than the configuration asks for");
            }
            if (wanted.shape().rank() == 1 && !PLAIN.contains(tensor.dtype())) {
                throw new ConfigurationException(
                        wanted.toString(), tensor, "norms and biases are F32, F16 or BF16 in every known checkpoint");
            }
            return tensor;
        };
        List<Layer> layers = new ArrayList<>(config.layerCount());
        for (int layer = 0; layer < config.layerCount(); layer++) {
            layers.add(new Layer(
                    tensor(config, checked, Role.ATTENTION_NORM, layer),
                    linear(config, checked, Role.WQ, Role.WQ_BIAS, layer),
                    linear(config, checked, Role.WK, Role.WK_BIAS, layer),
                    linear(config, checked, Role.WV, Role.WV_BIAS, layer),
                    linear(config, checked, Role.WO, Role.WO_BIAS, layer),
                    tensor(config, checked, Role.FEED_FORWARD_NORM, layer),
                    linear(config, checked, Role.GATE, Role.GATE_BIAS, layer),
                    linear(config, checked, Role.UP, Role.UP_BIAS, layer),
                    linear(config, checked, Role.DOWN, Role.DOWN_BIAS, layer)));
        }
        Tensor embedding = tensor(config, checked, Role.EMBEDDING, 0);
        return new LlamaWeights(
                pairing,
                embedding,
                layers,
                tensor(config, checked, Role.FINAL_NORM, 0),
                config.tiedHead() ? embedding : tensor(config, checked, Role.HEAD, 0));
    }

    /** Bytes of all tensors together; a tied head counts once. */
    public long byteSize() {
        long bytes = embedding.data().byteSize() + finalNorm.data().byteSize();
        if (!head.equals(embedding)) {
            bytes += head.data().byteSize();
        }
        for (Layer layer : layers) {
            bytes += layer.attentionNorm.data().byteSize()
                    + layer.feedForwardNorm.data().byteSize();
            for (Linear linear : List.of(layer.wq, layer.wk, layer.wv, layer.wo, layer.gate, layer.up, layer.down)) {
                bytes += linear.weight().data().byteSize();
                if (linear instanceof Linear.Biased(Tensor weight, Tensor bias)) {
                    bytes += bias.data().byteSize();
                }
            }
        }
        return bytes;
    }

    private static Tensor tensor(LlamaConfig config, Function<LlamaTensor, Tensor> lookup, Role role, int layer) {
        return lookup.apply(new LlamaTensor(role, layer, config.shapeOf(role)));
    }

    private static Linear linear(
            LlamaConfig config, Function<LlamaTensor, Tensor> lookup, Role weight, Role bias, int layer) {
        Tensor matrix = tensor(config, lookup, weight, layer);
        return config.has(bias)
                ? new Linear.Biased(matrix, tensor(config, lookup, bias, layer))
                : new Linear.Plain(matrix);
    }
}
