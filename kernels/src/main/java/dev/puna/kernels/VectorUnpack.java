package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;
import static dev.puna.tensor.Tensor.I16_LE;
import static dev.puna.tensor.Tensor.I32_LE;

import dev.puna.kernels.blocks.Q45KBlock;
import dev.puna.kernels.blocks.Q4Block;
import dev.puna.kernels.blocks.Q5Block;
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

    /** Sixteen lanes hold what every code of four bits stands for: one permutation decodes a vector. */
    private static final boolean TABLES = LANES == 16;

    private static final IntVector LANE_NUMBERS = IntVector.zero(I).addIndex(1);
    private static final FloatVector CODES = FloatVector.zero(F).addIndex(1);

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
            case Q5_0 -> q50(memory, offset, count, y, at);
            case Q5_1 -> q51(memory, offset, count, y, at);
            case Q4_K -> q4k(memory, offset, count, y, at);
            case Q5_K -> q5k(memory, offset, count, y, at);
            case Q6_K -> q6k(memory, offset, count, y, at);
            case F64, I8, I16, I32, I64, U8, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
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
            if (TABLES) {
                var values = CODES.sub(8f).mul(d).reinterpretAsInts();
                var both = ints(memory, offset + Q4Block.Q0);
                lookUp(values, both).intoArray(y, at);
                lookUp(values, both.lanewise(VectorOperators.LSHR, 4)).intoArray(y, at + 16);
            } else {
                for (int i = 0; i < 16; i += LANES) {
                    var both = ints(memory, offset + Q4Block.Q0 + i);
                    floats(both.and(15).sub(8)).mul(d).intoArray(y, at + i);
                    floats(both.lanewise(VectorOperators.LSHR, 4).and(15).sub(8))
                            .mul(d)
                            .intoArray(y, at + 16 + i);
                }
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
            if (TABLES) {
                var values = CODES.mul(d).add(m).reinterpretAsInts();
                var both = ints(memory, offset + Q4Block.Q1);
                lookUp(values, both).intoArray(y, at);
                lookUp(values, both.lanewise(VectorOperators.LSHR, 4)).intoArray(y, at + 16);
            } else {
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
    }

    private static void q50(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q5_0, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q5Block.ELEMENTS, offset += Q5Block.BYTES0) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q5Block.D));
            int high = memory.get(I32_LE, offset + Q5Block.HIGH0);
            for (int i = 0; i < 16; i += LANES) {
                var both = ints(memory, offset + Q5Block.LOW0 + i);
                floats(both.and(15).or(fifthBits(high >>> i)).sub(16)).mul(d).intoArray(y, at + i);
                floats(both.lanewise(VectorOperators.LSHR, 4)
                                .and(15)
                                .or(fifthBits(high >>> (16 + i)))
                                .sub(16))
                        .mul(d)
                        .intoArray(y, at + 16 + i);
            }
        }
    }

    private static void q51(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q5_1, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q5Block.ELEMENTS, offset += Q5Block.BYTES1) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q5Block.D));
            float m = Float.float16ToFloat(memory.get(I16_LE, offset + Q5Block.M1));
            int high = memory.get(I32_LE, offset + Q5Block.HIGH1);
            for (int i = 0; i < 16; i += LANES) {
                var both = ints(memory, offset + Q5Block.LOW1 + i);
                floats(both.and(15).or(fifthBits(high >>> i))).mul(d).add(m).intoArray(y, at + i);
                floats(both.lanewise(VectorOperators.LSHR, 4).and(15).or(fifthBits(high >>> (16 + i))))
                        .mul(d)
                        .add(m)
                        .intoArray(y, at + 16 + i);
            }
        }
    }

    /** Bit {@code l} of {@code word} as 16 in lane {@code l}. */
    private static IntVector fifthBits(int word) {
        return IntVector.broadcast(I, word)
                .lanewise(VectorOperators.LSHR, LANE_NUMBERS)
                .and(1)
                .lanewise(VectorOperators.LSHL, 4);
    }

    private static void q4k(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q4_K, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q45KBlock.ELEMENTS, offset += Q45KBlock.BYTES4) {
            float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D));
            float dMin = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D_MIN));
            long scales = Q45KBlock.scales(memory, offset + Q45KBlock.SCALES);
            long minima = Q45KBlock.minima(memory, offset + Q45KBlock.SCALES);
            long q = offset + Q45KBlock.Q4;
            for (int to = at; to < at + 256; to += 64, q += 32, scales >>>= 16, minima >>>= 16) {
                float lowScale = d * (scales & 63);
                float lowMin = dMin * (minima & 63);
                float highScale = d * ((scales >>> 8) & 63);
                float highMin = dMin * ((minima >>> 8) & 63);
                if (TABLES) {
                    var low = CODES.mul(lowScale).sub(lowMin).reinterpretAsInts();
                    var high = CODES.mul(highScale).sub(highMin).reinterpretAsInts();
                    var first = ints(memory, q);
                    var second = ints(memory, q + 16);
                    lookUp(low, first).intoArray(y, to);
                    lookUp(low, second).intoArray(y, to + 16);
                    lookUp(high, first.lanewise(VectorOperators.LSHR, 4)).intoArray(y, to + 32);
                    lookUp(high, second.lanewise(VectorOperators.LSHR, 4)).intoArray(y, to + 48);
                } else {
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
    }

    private static void q5k(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q5_K, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q45KBlock.ELEMENTS, offset += Q45KBlock.BYTES5) {
            for (int i = 0; i < 32; i += LANES) {
                q5kLanes(memory, offset, i, y, at + i);
            }
        }
    }

    /** Elements {@code i …} of each of the eight groups of a block: one vector of each. */
    private static void q5kLanes(MemorySegment memory, long offset, int i, float[] y, int to) {
        float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D));
        float dMin = Float.float16ToFloat(memory.get(I16_LE, offset + Q45KBlock.D_MIN));
        long scales = Q45KBlock.scales(memory, offset + Q45KBlock.SCALES);
        long minima = Q45KBlock.minima(memory, offset + Q45KBlock.SCALES);
        var fifth = ints(memory, offset + Q45KBlock.HIGH5 + i);
        long q = offset + Q45KBlock.LOW5 + i;
        for (int pair = 0; pair < 4; pair++, q += 32, to += 64, scales >>>= 16, minima >>>= 16) {
            var both = ints(memory, q);
            var low = both.and(15).or(fifth.and(1).lanewise(VectorOperators.LSHL, 4));
            floats(low).mul(d * (scales & 63)).sub(dMin * (minima & 63)).intoArray(y, to);
            var high = both.lanewise(VectorOperators.LSHR, 4)
                    .and(15)
                    .or(fifth.and(2).lanewise(VectorOperators.LSHL, 3));
            floats(high)
                    .mul(d * ((scales >>> 8) & 63))
                    .sub(dMin * ((minima >>> 8) & 63))
                    .intoArray(y, to + 32);
            fifth = fifth.lanewise(VectorOperators.LSHR, 2);
        }
    }

    private static void q6k(MemorySegment memory, long offset, int count, float[] y, int at) {
        if (!WIDE) {
            Rows.decode(DType.Q6_K, memory, offset, count, y, at);
            return;
        }
        for (int end = at + count; at < end; at += Q6KBlock.ELEMENTS, offset += Q6KBlock.BYTES) {
            q6kBlock(memory, offset, y, at);
        }
    }

    private static void q6kBlock(MemorySegment memory, long offset, float[] y, int at) {
        float d = Float.float16ToFloat(memory.get(I16_LE, offset + Q6KBlock.D));
        // Groups of 32 elements: 0 and 2 of a half share their low bytes, and so do 1 and 3.
        for (int i = 0; i < 128; i += LANES) {
            int half = i / 64;
            int group = i / 32 % 2;
            int element = i % 32;
            long low = offset + Q6KBlock.LOW + i;
            long high = offset + Q6KBlock.HIGH + 32L * half + element;
            long scale = offset + Q6KBlock.SCALES + 8L * half + 2L * group + element / 16;
            q6kLanes(
                    memory,
                    low,
                    high,
                    2 * group,
                    d * memory.get(ValueLayout.JAVA_BYTE, scale),
                    d * memory.get(ValueLayout.JAVA_BYTE, scale + 4),
                    y,
                    at + 128 * half + 32 * group + element);
        }
    }

    /** One vector of a group of 32 and of the group two after it; {@code shift} to the first one's upper bits. */
    private static void q6kLanes(
            MemorySegment memory, long low, long high, int shift, float scale, float later, float[] y, int to) {
        var both = ints(memory, low);
        var top = ints(memory, high).lanewise(VectorOperators.LSHR, shift);
        floats(both.and(15).or(top.and(3).lanewise(VectorOperators.LSHL, 4)).sub(32))
                .mul(scale)
                .intoArray(y, to);
        floats(both.lanewise(VectorOperators.LSHR, 4).and(15).or(top.and(48)).sub(32))
                .mul(later)
                .intoArray(y, to + 64);
    }

    /** The value of the low four bits of each lane; only those count. */
    private static FloatVector lookUp(IntVector values, IntVector codes) {
        return codes.selectFrom(values).reinterpretAsFloats();
    }

    /** One byte per lane, sign-extended. */
    private static IntVector ints(MemorySegment memory, long offset) {
        return (IntVector) ByteVector.fromMemorySegment(B, memory, offset, LE).convertShape(VectorOperators.B2I, I, 0);
    }

    private static FloatVector floats(Vector<Integer> ints) {
        return (FloatVector) ints.convertShape(VectorOperators.I2F, F, 0);
    }
}
