package dev.puna.model;

import dev.puna.kernels.Kernels;
import dev.puna.kernels.RopePairing;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Gradients beside those of a {@link ParameterStore}: what a replica of the model adds to until all are summed. */
public final class GradientBuffer implements AutoCloseable {
    private final ParameterStore parameters;
    private final Slab slab;
    private final List<Tensor> tensors = new ArrayList<>(); // as the store's parameters
    private final LlamaWeights gradients;

    /** All zero. */
    public GradientBuffer(ParameterStore parameters) {
        this.parameters = parameters;
        this.slab = new Slab(byteSize(parameters.config()));
        Map<LlamaTensor, Tensor> byDescription = new HashMap<>();
        for (ParameterStore.Parameter parameter : parameters.parameters()) {
            Shape shape = parameter.gradient().shape();
            long[] dims = new long[shape.rank()];
            for (int i = 0; i < dims.length; i++) {
                dims[i] = shape.dim(i);
            }
            Tensor tensor = slab.allocate(DType.F32, dims);
            tensors.add(tensor);
            byDescription.put(parameter.description(), tensor);
        }
        this.gradients = LlamaWeights.of(parameters.config(), RopePairing.HALVES, wanted -> {
            Tensor tensor = byDescription.get(wanted);
            if (tensor == null) {
                throw new IllegalStateException("no parameter " + wanted);
            }
            return tensor;
        });
    }

    /** Bytes of it. */
    public static long byteSize(LlamaConfig config) {
        return ParameterStore.byteSize(config, false) / 4;
    }

    /** The gradients in the places of their weights. */
    public LlamaWeights gradients() {
        return gradients;
    }

    /** Back to zero. */
    public void clear() {
        slab.whole().fill((byte) 0);
    }

    /** Adds everything to the store's gradients. */
    public void addToStore(Kernels kernels) {
        for (int p = 0; p < tensors.size(); p++) {
            kernels.add(matrix(parameters.parameters().get(p).gradient()), matrix(tensors.get(p)));
        }
    }

    private static Tensor matrix(Tensor tensor) {
        return tensor.shape().rank() == 2
                ? tensor
                : new Tensor(
                        tensor.data(), DType.F32, Shape.of(1, tensor.shape().elementCount()));
    }

    @Override
    public void close() {
        slab.close();
    }
}
