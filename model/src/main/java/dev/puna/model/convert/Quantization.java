package dev.puna.model.convert;

import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTensor;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Which type each tensor of a GGUF file gets, by the rules of llama.cpp ({@code llama_tensor_get_type} in
 * {@code llama-quant.cpp}, without an importance matrix): norms and biases stay F32; the head is Q6_K, where most is
 * smaller than Q8_0; the mixtures {@code _M} and {@code _S} give more bits to wv and to down in the first and last
 * eighth of the layers and in every third between; what does not come in blocks of 256 falls back to a type with blocks
 * of 32, and what does not come in those to F16.
 */
public enum Quantization {
    F32(DType.F32, 0),
    F16(DType.F16, 1),
    BF16(DType.BF16, 32),
    Q4_0(DType.Q4_0, 2),
    Q4_1(DType.Q4_1, 3),
    Q5_0(DType.Q5_0, 8),
    Q5_1(DType.Q5_1, 9),
    Q8_0(DType.Q8_0, 7),
    Q4_K_S(DType.Q4_K, 14),
    Q4_K_M(DType.Q4_K, 15),
    Q5_K_S(DType.Q5_K, 16),
    Q5_K_M(DType.Q5_K, 17),
    Q6_K(DType.Q6_K, 18);

    private final DType main;
    private final int fileType;

    Quantization(DType main, int fileType) {
        this.main = main;
        this.fileType = fileType;
    }

    /**
     * The mixture of that name; {@code Q4_K} and {@code Q5_K} mean the {@code _M} ones, as in llama.cpp.
     *
     * @throws ConfigurationException naming the known ones
     */
    public static Quantization of(String name) {
        String upper = name.toUpperCase(Locale.ROOT).replace('-', '_');
        if (upper.equals("Q4_K") || upper.equals("Q5_K")) {
            upper += "_M";
        }
        for (Quantization quantization : values()) {
            if (quantization.name().equals(upper)) {
                return quantization;
            }
        }
        throw new ConfigurationException(
                "quantize",
                name,
                "known are " + Arrays.stream(values()).map(Enum::name).collect(Collectors.joining(", ")));
    }

    /** The type of most tensors. */
    public DType main() {
        return main;
    }

    /** {@code general.file_type} of GGUF ({@code enum llama_ftype}). */
    public int fileType() {
        return fileType;
    }

    /** The type that a tensor gets. */
    public DType dtypeOf(LlamaTensor tensor, LlamaConfig config) {
        if (tensor.shape().rank() < 2) {
            return DType.F32;
        }
        if (!main.isQuantized()) {
            return main;
        }
        long columns = tensor.shape().columns();
        boolean isHead = tensor.role() == Role.HEAD || (config.tiedHead() && tensor.role() == Role.EMBEDDING);
        DType wanted = isHead ? headType(columns) : bodyType(tensor, config);
        return fitting(wanted, columns);
    }

    private DType headType(long columns) {
        if (columns % main.blockSize() != 0 || main == DType.Q8_0) {
            return DType.Q8_0;
        }
        return DType.Q6_K;
    }

    private DType bodyType(LlamaTensor tensor, LlamaConfig config) {
        int layers = config.layerCount();
        boolean moreBits = hasMoreBits(tensor.layer(), layers);
        boolean mixed = this == Q4_K_M || this == Q5_K_M;
        if (tensor.role() == Role.WV) {
            DType type = main;
            if (mixed && moreBits) {
                type = DType.Q6_K;
            } else if (this == Q4_K_S && tensor.layer() < 4) {
                type = DType.Q5_K;
            }
            // 70B: eight heads share wv, which is small therefore and gets more.
            boolean is70b = layers == 80 && config.headCount() != config.kvHeadCount();
            return is70b && type == DType.Q4_K ? DType.Q5_K : type;
        }
        if (tensor.role() == Role.DOWN) {
            if (mixed && moreBits) {
                return DType.Q6_K;
            }
            if (this == Q4_K_S && tensor.layer() < layers / 8) {
                return DType.Q5_K;
            }
        }
        return main;
    }

    private static boolean hasMoreBits(int layer, int layers) {
        return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
    }

    private static DType fitting(DType wanted, long columns) {
        if (columns % wanted.blockSize() == 0) {
            return wanted;
        }
        DType smaller = switch (wanted) {
            case Q4_K -> DType.Q5_0;
            case Q5_K -> DType.Q5_1;
            case Q6_K -> DType.Q8_0;
            case F32, F16, BF16, F64, I8, I16, I32, I64, U8, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
                DType.F16;
        };
        return columns % smaller.blockSize() == 0 ? smaller : DType.F16;
    }
}
