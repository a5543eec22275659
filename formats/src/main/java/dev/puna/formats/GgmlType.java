package dev.puna.formats;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The tensor types of GGUF, with their number in the file and their blocks ({@code ggml.h} of llama.cpp). Types without
 * a {@link DType} are known by name only.
 */
enum GgmlType {
    F32(0, DType.F32),
    F16(1, DType.F16),
    Q4_0(2, DType.Q4_0),
    Q4_1(3, DType.Q4_1),
    Q5_0(6, DType.Q5_0),
    Q5_1(7, DType.Q5_1),
    Q8_0(8, DType.Q8_0),
    Q8_1(9, 32, 36),
    Q2_K(10, DType.Q2_K),
    Q3_K(11, DType.Q3_K),
    Q4_K(12, DType.Q4_K),
    Q5_K(13, DType.Q5_K),
    Q6_K(14, DType.Q6_K),
    Q8_K(15, 256, 292),
    IQ2_XXS(16, 256, 66),
    IQ2_XS(17, 256, 74),
    IQ3_XXS(18, 256, 98),
    IQ1_S(19, 256, 50),
    IQ4_NL(20, DType.IQ4_NL),
    IQ3_S(21, 256, 110),
    IQ2_S(22, 256, 82),
    IQ4_XS(23, DType.IQ4_XS),
    I8(24, DType.I8),
    I16(25, DType.I16),
    I32(26, DType.I32),
    I64(27, DType.I64),
    F64(28, DType.F64),
    IQ1_M(29, 256, 56),
    BF16(30, DType.BF16),
    TQ1_0(34, 256, 54),
    TQ2_0(35, 256, 66),
    MXFP4(39, 32, 17),
    NVFP4(40, 64, 36),
    Q1_0(41, 128, 18);

    private static final Map<Integer, GgmlType> BY_NUMBER = new HashMap<>();
    private static final Map<DType, GgmlType> BY_DTYPE = new HashMap<>();

    static {
        for (GgmlType type : values()) {
            BY_NUMBER.put(type.number, type);
            if (type.dtype != null) {
                BY_DTYPE.put(type.dtype, type);
            }
        }
    }

    private final int number;
    private final int blockSize;
    private final int bytesPerBlock;
    private final @Nullable DType dtype;

    GgmlType(int number, DType dtype) {
        this.number = number;
        this.blockSize = dtype.blockSize();
        this.bytesPerBlock = dtype.bytesPerBlock();
        this.dtype = dtype;
    }

    GgmlType(int number, int blockSize, int bytesPerBlock) {
        this.number = number;
        this.blockSize = blockSize;
        this.bytesPerBlock = bytesPerBlock;
        this.dtype = null;
    }

    static Optional<GgmlType> ofNumber(int number) {
        return Optional.ofNullable(BY_NUMBER.get(number));
    }

    /** @throws ConfigurationException if GGUF has no such type */
    static GgmlType of(DType dtype) {
        GgmlType type = BY_DTYPE.get(dtype);
        if (type == null) {
            throw new ConfigurationException("tensor type", dtype, "GGUF has no such type");
        }
        return type;
    }

    int number() {
        return number;
    }

    int blockSize() {
        return blockSize;
    }

    int bytesPerBlock() {
        return bytesPerBlock;
    }

    Optional<DType> dtype() {
        return Optional.ofNullable(dtype);
    }
}
