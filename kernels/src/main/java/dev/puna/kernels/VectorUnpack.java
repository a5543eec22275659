package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;
import static dev.puna.tensor.Tensor.I16_LE;

import dev.puna.kernels.blocks.Q45KBlock;
import dev.puna.kernels.blocks.Q4Block;
import dev.puna.kernels.blocks.Q6KBlock;
import dev.puna.kernels.blocks.Q8Block;
import dev.puna.kernels.blocks.Rows;
import dev.puna.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Decodes weights into floats that lie in the first-level cache, to the bit as {@link Rows} does. One small loop per
 * DType: small enough that the compiler inlines every vector operation, without which each would allocate.
 */
final class VectorUnpack {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

    /** Whether a vector of bytes with as many lanes exists; with 128-bit vectors it does not. */
    private static final boolean WIDE = LANES >= 8;

    private static final VectorSpecies<Byte> B =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * 8)));
    private static final VectorSpecies<Short> S =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Math.max(64, LANES * 16)));

    private VectorUnpack() {}

    /** As {@link Rows#decode}; {@code halves} is scratch for {@code count} shorts. */
    static void unpack(DType dtype, MemorySegment memory, long offset, int count, float[] y, int at, short[] halves) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(memory, F32_LE, offset, y, at, count);
            case F16 -> f16(memory, offset, count, y, at, halves);
            case BF16 -> bf16(memory, offset, count, y, at);
            case Q8_0 -> q8(memory, offset, count, y, at);
            case Q4_0 -> q40(memory, offset, count, y, at);
            case Q4_1 -> q41(memory, offset, count, y, at);
            case Q4_K -> q4k(memory, offset, count, y, at);
            case Q5_K -> q5k(memory, offset, count, y, at);
            case Q6_K -> q6k(memory, offset, count, y, at);
            case F64, I8, I16, I32, I64, U8, Q5_0, Q5_1, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
                Rows.decode(dtype, memory, offset, count, y, at);
        }
    }

    private static void f16(MemorySegment memory, long offset, int count, float[] y, int at, short[] halves) {
        MemorySegment.copy(memory, I16_LE, offset, halves, 0, count);
        for (int i = 0; i < count; i++) { // compiled to vcvtph2ps
            y[at + i] = Float.float16ToFloat(halves[i]);
        }
    }

    private static void bf16(MemorySegment memory, long offset, int count, float[] y, int at) {
        int i = 0;
        if (WIDE) {
            for (; i <= count - LANES; i += LANES) {
                ((IntVector) ShortVector.fromMemorySegment(S, memory, offset + 2L * i, LE)
                                .convertShape(VectorOperators.S2I, I, 0))
                        .lanewise(VectorOperators.LSHL, 16)
                        .reinterpretAsFloats()
                        .intoArray(y, at + i);
            }
        }
        for (; i < count; i++) {
            y[at + i] = Float.intBitsToFloat(memory.get(I16_LE, offset + 2L * i) << 16);
        }
    }

    private static void q8(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q8_0, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q8Block.ELEMENTS, offset += Q8Block.BYTES) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q8Block.D));
            for (int i = 0; i < Q8Block.ELEMENTS; i += LANES) {
                floats(ByteVector.fromMemorySegment(B, memory, offset + Q8Block.Q + i, LE)
                                .convertShape(VectorOperators.B2I, I, 0))
                        .mul(d)
                        .intoArray(y, at + i);
            }
        }
    }

    private static void q40(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q4_0, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q4Block.ELEMENTS, offset += Q4Block.BYTES0) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q4Block.D));
            for (int i = 0; i < 16; i += LANES) {
                var both = ints(memory, offset + Q4Block.Q0 + i);
                floats(both.and(15).sub(8)).mul(d).intoArray(y, at + i);
                floats(both.lanewise(VectorOperators.LSHR, 4).and(15).sub(8))
                        .mul(d)
                        .intoArray(y, at + 16 + i);
            }
        }
    }

    private static void q41(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q4_1, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q4Block.ELEMENTS, offset += Q4Block.BYTES1) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q4Block.D));
            float m = Float.float16ToFloat(memory.get(I16_LE, offset + Q4Block.M1));
            for (int i = 0; i < 16; i += LANES) {
                var both = ints(memory, offset + Q4Block.Q1 + i);
                floats(both.and(15)).mul(d).add(m).intoArray(y, at + i);
                floats(both.lanewise(VectorOperators.LSHR, 4).and(15))
                        .mul(d)
                        .add(m)
                        .intoArray(y, at + 16 + i);
            }
        }
    }

    private static void q4k(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q4_K, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q45KBlock.ELEMENTS, offset += Q45KBlock.BYTES4) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D));
            float dMin = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D_MIN));
            long scales = offset + Q45KBlock.SCALES;
            for (int pair = 0; pair < 4; pair++) {
                float lowScale = d * Q45KBlock.scale(memory, scales, 2 * pair);
                float lowMin = dMin * Q45KBlock.minimum(memory, scales, 2 * pair);
                float highScale = d * Q45KBlock.scale(memory, scales, 2 * pair + 1);
                float highMin = dMin * Q45KBlock.minimum(memory, scales, 2 * pair + 1);
                long q = offset + Q45KBlock.Q4 + 32L * pair;
                int to = at + 64 * pair;
                for (int i = 0; i < 32; i += LANES) {
                    var both = ints(memory, q + i);
                    floats(both.and(15)).mul(lowScale).sub(lowMin).intoArray(y, to + i);
                    floats(both.lanewise(VectorOperators.LSHR, 4).and(15))
                            .mul(highScale)
                            .sub(highMin)
                            .intoArray(y, to + 32 + i);
                }
            }
        }
    }

    private static void q5k(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q5_K, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q45KBlock.ELEMENTS, offset += Q45KBlock.BYTES5) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D));
            float dMin = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D_MIN));
            long scales = offset + Q45KBlock.SCALES;
            for (int pair = 0; pair < 4; pair++) {
                float lowScale = d * Q45KBlock.scale(memory, scales, 2 * pair);
                float lowMin = dMin * Q45KBlock.minimum(memory, scales, 2 * pair);
                float highScale = d * Q45KBlock.scale(memory, scales, 2 * pair + 1);
                float highMin = dMin * Q45KBlock.minimum(memory, scales, 2 * pair + 1);
                long q = offset + Q45KBlock.LOW5 + 32L * pair;
                int to = at + 64 * pair;
                for (int i = 0; i < 32; i += LANES) {
                    var both = ints(memory, q + i);
                    var fifth = ints(memory, offset + Q45KBlock.HIGH5 + i).lanewise(VectorOperators.LSHR, 2 * pair);
                    var low = both.and(15).or(fifth.and(1).lanewise(VectorOperators.LSHL, 4));
                    var high = both.lanewise(VectorOperators.LSHR, 4)
                            .and(15)
                            .or(fifth.and(2).lanewise(VectorOperators.LSHL, 3));
                    floats(low).mul(lowScale).sub(lowMin).intoArray(y, to + i);
                    floats(high).mul(highScale).sub(highMin).intoArray(y, to + 32 + i);
                }
            }
        }
    }

    private static void q6k(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q6_K, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q6KBlock.ELEMENTS, offset += Q6KBlock.BYTES) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q6KBlock.D));
            for (int half = 0; half < 2; half++) {
                long low = offset + Q6KBlock.LOW + 64L * half;
                long high = offset + Q6KBlock.HIGH + 32L * half;
                long scales = offset + Q6KBlock.SCALES + 8L * half;
                int to = at + 128 * half;
                for (int i = 0; i < 32; i += LANES) {
                    long scale = scales + i / 16;
                    var first = ints(memory, low + i);
                    var second = ints(memory, low + 32 + i);
                    var top = ints(memory, high + i);
                    sixBits(first.and(15), top.and(3).lanewise(VectorOperators.LSHL, 4))
                            .mul(d * memory.get(ValueLayout.JAVA_BYTE, scale))
                            .intoArray(y, to + i);
                    sixBits(second.and(15), top.and(12).lanewise(VectorOperators.LSHL, 2))
                            .mul(d * memory.get(ValueLayout.JAVA_BYTE, scale + 2))
                            .intoArray(y, to + 32 + i);
                    sixBits(first.lanewise(VectorOperators.LSHR, 4).and(15), top.and(48))
                            .mul(d * memory.get(ValueLayout.JAVA_BYTE, scale + 4))
                            .intoArray(y, to + 64 + i);
                    sixBits(
                                    second.lanewise(VectorOperators.LSHR, 4).and(15),
                                    top.and(192).lanewise(VectorOperators.LSHR, 2))
                            .mul(d * memory.get(ValueLayout.JAVA_BYTE, scale + 6))
                            .intoArray(y, to + 96 + i);
                }
            }
        }
    }

    private static FloatVector sixBits(IntVector low, IntVector high) {
        return floats(low.or(high).sub(32));
    }

    /** One byte per lane, sign-extended. */
    private static IntVector ints(MemorySegment memory, long offset) {
        return (IntVector) ByteVector.fromMemorySegment(B, memory, offset, LE).convertShape(VectorOperators.B2I, I, 0);
    }

    private static FloatVector floats(Vector<Integer> ints) {
        return (FloatVector) ints.convertShape(VectorOperators.I2F, F, 0);
    }
}
