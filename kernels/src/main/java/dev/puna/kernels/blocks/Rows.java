package dev.puna.kernels.blocks;

import static dev.puna.tensor.Tensor.F32_LE;
import static dev.puna.tensor.Tensor.F64_LE;
import static dev.puna.tensor.Tensor.I16_LE;
import static dev.puna.tensor.Tensor.I32_LE;
import static dev.puna.tensor.Tensor.I64_LE;

import dev.puna.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Decodes and encodes consecutive elements of any DType in plain Java. */
public final class Rows {
    private Rows() {}

    /**
     * Decodes {@code count} elements that begin at {@code offset} into {@code y[at …]}.
     *
     * @param offset bytes, at any alignment
     * @param count a whole number of blocks
     */
    public static void decode(DType dtype, MemorySegment memory, long offset, int count, float[] y, int at) {
        switch (dtype) {
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = memory.get(F32_LE, offset + 4L * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = Float.float16ToFloat(memory.get(I16_LE, offset + 2L * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = Float.intBitsToFloat(memory.get(I16_LE, offset + 2L * i) << 16);
                }
            }
            case F64 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = (float) memory.get(F64_LE, offset + 8L * i);
                }
            }
            case I8 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = memory.get(ValueLayout.JAVA_BYTE, offset + i);
                }
            }
            case U8 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = memory.get(ValueLayout.JAVA_BYTE, offset + i) & 0xFF;
                }
            }
            case I16 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = memory.get(I16_LE, offset + 2L * i);
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = memory.get(I32_LE, offset + 4L * i);
                }
            }
            case I64 -> {
                for (int i = 0; i < count; i++) {
                    y[at + i] = memory.get(I64_LE, offset + 8L * i);
                }
            }
            case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS -> {
                int blockSize = dtype.blockSize();
                int bytesPerBlock = dtype.bytesPerBlock();
                if (count % blockSize != 0) {
                    throw new IllegalArgumentException(count + " elements are no whole number of " + dtype + " blocks");
                }
                for (int i = 0; i < count; i += blockSize) {
                    decodeBlock(dtype, memory, offset, y, at + i);
                    offset += bytesPerBlock;
                }
            }
        }
    }

    private static void decodeBlock(DType dtype, MemorySegment memory, long offset, float[] y, int at) {
        switch (dtype) {
            case Q8_0 -> Q8Block.decode(memory, offset, y, at);
            case Q4_0 -> Q4Block.decode0(memory, offset, y, at);
            case Q4_1 -> Q4Block.decode1(memory, offset, y, at);
            case Q5_0 -> Q5Block.decode0(memory, offset, y, at);
            case Q5_1 -> Q5Block.decode1(memory, offset, y, at);
            case Q2_K -> Q2KBlock.decode(memory, offset, y, at);
            case Q3_K -> Q3KBlock.decode(memory, offset, y, at);
            case Q4_K -> Q45KBlock.decode4(memory, offset, y, at);
            case Q5_K -> Q45KBlock.decode5(memory, offset, y, at);
            case Q6_K -> Q6KBlock.decode(memory, offset, y, at);
            case IQ4_NL -> Iq4Block.decodeNl(memory, offset, y, at);
            case IQ4_XS -> Iq4Block.decodeXs(memory, offset, y, at);
            case F32, F16, BF16, F64, I8, I16, I32, I64, U8 ->
                throw new IllegalArgumentException(dtype + " has no blocks");
        }
    }

    /**
     * Encodes {@code count} elements {@code x[at …]} into the memory that begins at {@code offset}.
     *
     * @param offset bytes, at any alignment
     * @param count a whole number of blocks
     * @throws IllegalArgumentException for a DType that has no encoder
     */
    public static void encode(DType dtype, MemorySegment memory, long offset, int count, float[] x, int at) {
        switch (dtype) {
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    memory.set(F32_LE, offset + 4L * i, x[at + i]);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    memory.set(I16_LE, offset + 2L * i, Float.floatToFloat16(x[at + i]));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    memory.set(I16_LE, offset + 2L * i, bf16(x[at + i]));
                }
            }
            case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K -> {
                int blockSize = dtype.blockSize();
                int bytesPerBlock = dtype.bytesPerBlock();
                if (count % blockSize != 0) {
                    throw new IllegalArgumentException(count + " elements are no whole number of " + dtype + " blocks");
                }
                for (int i = 0; i < count; i += blockSize) {
                    encodeBlock(dtype, memory, offset, x, at + i);
                    offset += bytesPerBlock;
                }
            }
            case F64, I8, I16, I32, I64, U8, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
                throw new IllegalArgumentException("no encoder for " + dtype);
        }
    }

    private static void encodeBlock(DType dtype, MemorySegment memory, long offset, float[] x, int at) {
        switch (dtype) {
            case Q8_0 -> Q8Block.encode(memory, offset, x, at);
            case Q4_0 -> Q4Block.encode0(memory, offset, x, at);
            case Q4_1 -> Q4Block.encode1(memory, offset, x, at);
            case Q5_0 -> Q5Block.encode0(memory, offset, x, at);
            case Q5_1 -> Q5Block.encode1(memory, offset, x, at);
            case Q4_K -> Q45KBlock.encode4(memory, offset, x, at);
            case Q5_K -> Q45KBlock.encode5(memory, offset, x, at);
            case Q6_K -> Q6KBlock.encode(memory, offset, x, at);
            case F32, F16, BF16, F64, I8, I16, I32, I64, U8, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
                throw new IllegalArgumentException("no encoder for blocks of " + dtype);
        }
    }

    /** Rounds to nearest even; a NaN stays one. */
    static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }

    static void setF16(MemorySegment memory, long offset, float value) {
        memory.set(I16_LE, offset, Float.floatToFloat16(value));
    }

    static void setU8(MemorySegment memory, long offset, int value) {
        memory.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }

    static float f16(MemorySegment memory, long offset) {
        return Float.float16ToFloat(memory.get(I16_LE, offset));
    }

    /** {@code count} bits of a word, the lowest at {@code from}. */
    static int bits(int word, int from, int count) {
        return (word >>> from) & ((1 << count) - 1);
    }

    static int u8(MemorySegment memory, long offset) {
        return memory.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
    }
}
