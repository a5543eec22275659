package dev.puna.kernels;

import dev.puna.kernels.blocks.Q4Block;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * One row of x times rows of Q4_0, without the detour over decoded floats in the cache: two weight rows
 * lie as bytes in a Java array, their scales are made into floats in a loop of their own, and each block's sixteen
 * possible values stand in one vector from which a permutation picks. Weights have the bits that {@link VectorUnpack}
 * gives them and meet x in the order of {@link VectorTiles}; so the sums have the same bits.
 *
 * <p>Two rows, because a sum waits four cycles for its last multiply-add. One instance per thread; it owns the scratch.
 */
final class VectorLines {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Byte> B =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * 8)));

    private static final FloatVector CODES = FloatVector.zero(F).addIndex(1).sub(8f);

    private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

    private byte[] bytes = new byte[0];
    private MemorySegment segment = MemorySegment.ofArray(bytes);
    private short[] halves = new short[0];
    private float[] scales = new float[0];

    /** Sixteen lanes: one for each code of four bits. */
    static final boolean AVAILABLE = LANES == 16;

    /**
     * Sums of two weight rows, {@code LANES} floats each.
     *
     * @param offset of the first row
     * @param next bytes to the second; 0 computes the first twice
     * @param in elements of a row
     */
    void pair(MemorySegment memory, long offset, long next, int in, float[] x, int xAt, float[] sums, int at) {
        int rowBytes = in / Q4Block.ELEMENTS * Q4Block.BYTES0;
        if (bytes.length < 2 * rowBytes) {
            bytes = new byte[2 * rowBytes];
            segment = MemorySegment.ofArray(bytes);
            scales = new float[in / 16];
            halves = new short[in / 16];
        }
        if (next == rowBytes) {
            MemorySegment.copy(memory, offset, segment, 0, 2L * rowBytes);
        } else {
            MemorySegment.copy(memory, offset, segment, 0, rowBytes);
            MemorySegment.copy(memory, offset + next, segment, rowBytes, rowBytes);
        }
        scales(bytes, 2 * (in / Q4Block.ELEMENTS), halves, scales);
        multiply(bytes, rowBytes, in, scales, x, xAt, sums, at);
    }

    private static void scales(byte[] bytes, int blocks, short[] halves, float[] scales) {
        for (int i = 0; i < blocks; i++) {
            halves[i] = (short) SHORT.get(bytes, i * Q4Block.BYTES0 + Q4Block.D);
        }
        for (int i = 0; i < blocks; i++) { // compiled to vcvtph2ps
            scales[i] = Float.float16ToFloat(halves[i]);
        }
    }

    private static void multiply(
            byte[] bytes, int rowBytes, int in, float[] scales, float[] x, int xAt, float[] sums, int at) {
        int blocks = in / Q4Block.ELEMENTS;
        var a = FloatVector.zero(F);
        var b = a;
        for (int i = 0; i < blocks; i++) {
            int q = i * Q4Block.BYTES0 + Q4Block.Q0;
            var x0 = FloatVector.fromArray(F, x, xAt + 32 * i);
            var x1 = FloatVector.fromArray(F, x, xAt + 32 * i + 16);
            var values = CODES.mul(scales[i]).reinterpretAsInts();
            var both = ints(bytes, q);
            a = pick(values, both).fma(x0, a);
            a = pick(values, both.lanewise(VectorOperators.LSHR, 4)).fma(x1, a);
            var values2 = CODES.mul(scales[blocks + i]).reinterpretAsInts();
            var both2 = ints(bytes, rowBytes + q);
            b = pick(values2, both2).fma(x0, b);
            b = pick(values2, both2.lanewise(VectorOperators.LSHR, 4)).fma(x1, b);
        }
        a.intoArray(sums, at);
        b.intoArray(sums, at + LANES);
    }

    /** The value of the low four bits of each lane; only those count. */
    private static FloatVector pick(IntVector values, IntVector codes) {
        return codes.selectFrom(values).reinterpretAsFloats();
    }

    /** One byte per lane, sign-extended. */
    private static IntVector ints(byte[] bytes, int at) {
        return (IntVector) ByteVector.fromArray(B, bytes, at).convertShape(VectorOperators.B2I, I, 0);
    }
}
