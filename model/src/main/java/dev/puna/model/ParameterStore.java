package dev.puna.model;

import dev.puna.kernels.RopePairing;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a trainer owns: fp32 master weights, their gradients and both moments of AdamW, each kind in a slab of its own. A
 * tied head is one parameter with one gradient to which both of its uses add. Where the recipe wants stochastic rounding
 * there is a fifth slab: the matrices as the model sees them, on the grid of bf16.
 */
public final class ParameterStore implements AutoCloseable {
    /**
     * One parameter.
     *
     * @param description what it is
     * @param weight F32
     * @param gradient F32, same shape
     * @param firstMoment F32, same shape
     * @param secondMoment F32, same shape
     */
    public record Parameter(
            LlamaTensor description, Tensor weight, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        /** Its name in a Hugging Face checkpoint. */
        public String name() {
            return HuggingFaceFormat.tensorName(description);
        }

        /** Whether it has two dimensions: what weight decay is for by default. */
        public boolean isMatrix() {
            return description.shape().rank() == 2;
        }
    }

    /**
     * How weights begin: normal, norms at 1.
     *
     * @param deviation of every matrix
     * @param depthScaled whether the matrices that write into the residual stream (wo and down) begin smaller by
     *     {@code 1/√(2L)} (GPT-2, §2.3)
     */
    public record Initialization(double deviation, boolean depthScaled) {
        public Initialization {
            if (!(deviation > 0 && deviation < 10)) {
                throw new ConfigurationException(
                        "initialization.deviation", deviation, "must be positive, usually 0.02");
            }
        }
    }

    private final LlamaConfig config;
    private final Slab[] slabs;
    private final List<Parameter> parameters = new ArrayList<>();
    private final Map<Integer, Tensor> rounded = new HashMap<>(); // by the parameter's place
    private final LlamaWeights weights;
    private final LlamaWeights gradients;

    /** All zero. */
    public ParameterStore(LlamaConfig config) {
        this(config, false);
    }

    /**
     * All zero.
     *
     * @param stochasticRounding whether the model sees what {@link #roundStochastically} made of the weights
     */
    public ParameterStore(LlamaConfig config, boolean stochasticRounding) {
        if (config.attentionBias() || config.mlpBias()) {
            throw new ConfigurationException(
                    "attentionBias", true, "no LLaMA was trained with biases; set it to false");
        }
        this.config = config;
        this.slabs = new Slab[stochasticRounding ? 5 : 4];
        long bytes = slabBytes(config);
        for (int i = 0; i < slabs.length; i++) {
            slabs[i] = new Slab(bytes);
        }
        Map<LlamaTensor, Parameter> byDescription = new HashMap<>();
        for (LlamaTensor description : config.tensors()) {
            Parameter parameter = new Parameter(
                    description,
                    take(0, description),
                    take(1, description),
                    take(2, description),
                    take(3, description));
            parameters.add(parameter);
            byDescription.put(description, parameter);
        }
        Map<LlamaTensor, Tensor> seen = new HashMap<>();
        for (int p = 0; p < parameters.size(); p++) {
            Parameter parameter = parameters.get(p);
            seen.put(parameter.description(), parameter.weight());
            if (stochasticRounding && parameter.isMatrix()) {
                Tensor copy = take(4, parameter.description());
                rounded.put(p, copy);
                seen.put(parameter.description(), copy);
            }
        }
        this.weights = LlamaWeights.of(config, RopePairing.HALVES, wanted -> {
            Tensor tensor = seen.get(wanted);
            if (tensor == null) {
                throw new IllegalStateException("no parameter " + wanted);
            }
            return tensor;
        });
        this.gradients = LlamaWeights.of(
                config, RopePairing.HALVES, wanted -> of(byDescription, wanted).gradient());
    }

    private static Parameter of(Map<LlamaTensor, Parameter> parameters, LlamaTensor wanted) {
        Parameter parameter = parameters.get(wanted);
        if (parameter == null) {
            throw new IllegalStateException("no parameter " + wanted);
        }
        return parameter;
    }

    private Tensor take(int slab, LlamaTensor description) {
        long[] dims = new long[description.shape().rank()];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = description.shape().dim(i);
        }
        return slabs[slab].allocate(DType.F32, dims);
    }

    private static long slabBytes(LlamaConfig config) {
        long bytes = 0;
        for (LlamaTensor tensor : config.tensors()) {
            bytes += Slab.bytesFor(DType.F32, tensor.shape().elementCount());
        }
        return bytes;
    }

    /** Bytes of weights, gradients and moments together, and of the rounded weights where there are any. */
    public static long byteSize(LlamaConfig config, boolean stochasticRounding) {
        return (stochasticRounding ? 5 : 4) * slabBytes(config);
    }

    public LlamaConfig config() {
        return config;
    }

    /** Every parameter once, in the order embedding, layers, final norm, head. */
    public List<Parameter> parameters() {
        return List.copyOf(parameters);
    }

    /** The weights as a model sees them: the masters, or what {@link #roundStochastically} made of them. */
    public LlamaWeights weights() {
        return weights;
    }

    /** The gradients in the same places. */
    public LlamaWeights gradients() {
        return gradients;
    }

    public void clearGradients(ThreadTeam threads) {
        MemorySegment all = slabs[1].whole();
        threads.forRange(
                all.byteSize(),
                1 << 20,
                (from, to) -> all.asSlice(from, to - from).fill((byte) 0));
    }

    /**
     * Fills the weights from a seed. Every element has its own place in the generator's sequence, so the number of
     * threads does not matter.
     */
    public void initialize(Initialization initialization, long seed, ThreadTeam threads) {
        for (int p = 0; p < parameters.size(); p++) {
            Tensor weight = parameters.get(p).weight();
            LlamaTensor description = parameters.get(p).description();
            long count = weight.shape().elementCount();
            if (!parameters.get(p).isMatrix()) {
                for (long i = 0; i < count; i++) {
                    weight.setFloat(i, 1);
                }
                continue;
            }
            double deviation = initialization.deviation();
            boolean residual = description.role() == LlamaTensor.Role.WO || description.role() == LlamaTensor.Role.DOWN;
            if (initialization.depthScaled() && residual) {
                deviation /= Math.sqrt(2.0 * config.layerCount());
            }
            double sigma = deviation;
            long stream = mix(seed * 0x9E3779B97F4A7C15L + p + 1);
            threads.forRange(count, 1024, (from, to) -> {
                for (long i = from; i < to; i++) {
                    double u = ((mix(stream + 2 * i) >>> 11) + 0.5) * 0x1p-53;
                    double angle = (mix(stream + 2 * i + 1) >>> 11) * 0x1p-53 * 2 * Math.PI;
                    double normal = StrictMath.sqrt(-2 * StrictMath.log(u)) * StrictMath.cos(angle);
                    weight.setFloat(i, (float) (sigma * normal));
                }
            });
        }
    }

    /**
     * Where the store was made for it, gives the model every matrix rounded to bf16, up or down with the probabilities
     * that make the mean the master weight. The draws depend on seed, update, parameter and element only: there is no
     * generator to save, and a resumed run rounds as the uninterrupted one.
     *
     * @param updates steps of the optimizer that the masters have seen
     */
    public void roundStochastically(long seed, long updates, ThreadTeam threads) {
        for (int p = 0; p < parameters.size(); p++) {
            Tensor master = parameters.get(p).weight();
            Tensor target = rounded.get(p);
            if (target == null) {
                continue;
            }
            long stream = mix(mix(seed ^ 0x5DEECE66DL) + (updates << 20) + p);
            threads.forRange(master.shape().elementCount(), 1024, (from, to) -> {
                for (long i = from; i < to; i++) {
                    target.setFloat(i, roundStochastically(master.getFloat(i), mix(stream + i)));
                }
            });
        }
    }

    /** {@code value} rounded to bf16 with 16 random bits: what they carry over decides between the two neighbours. */
    static float roundStochastically(float value, long random) {
        if (!Float.isFinite(value)) {
            return value;
        }
        int bits = Float.floatToRawIntBits(value) + (int) (random >>> 48);
        return Float.intBitsToFloat(bits & 0xFFFF0000);
    }

    /** SplitMix64 (Steele, Lea and Flood 2014). */
    private static long mix(long index) {
        long z = index * 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    @Override
    public void close() {
        for (Slab slab : slabs) {
            slab.close();
        }
    }
}
