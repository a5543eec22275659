package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.kernels.blocks.Q45KBlock;
import dev.puna.kernels.blocks.Q4Block;
import dev.puna.kernels.blocks.Q6KBlock;
import dev.puna.kernels.blocks.Q8Block;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The product of one row, or of few: weights stream once, row by row, and chains are lanes. The sums have the order, and
 * so the bits, of {@link VectorTiles}.
 *
 * <p>Some kilobytes of weights at a time are copied into an array, because the compiler makes better loops of arrays
 * than of memory segments; scales become floats in loops of their own; and where a DType has a loop here, its weights go
 * straight from bytes into the multiply-adds. No loop calls a method of ours: the compiler stops inlining such methods
 * in large loops, and every vector that crosses a call is an object. Nor is one unrolled by hand: the compiler's own
 * unrolling needs fewer registers for addresses.
 *
 * <p>One instance per thread; it owns the scratch.
 */
final class VectorLines {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Byte> B =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * 8)));
    private static final VectorSpecies<Float> EIGHT = FloatVector.SPECIES_256;
    private static final VectorSpecies<Byte> EIGHT_BYTES = ByteVector.SPECIES_64;

    private static final FloatVector CODES = FloatVector.zero(F).addIndex(1);
    private static final FloatVector SIGNED_CODES = CODES.sub(8f);

    private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Sixteen lanes: one for each code of four bits. */
    private static final boolean SIXTEEN = LANES == 16;

    private static final int SUMS = VectorTiles.CHAINS;

    /** Weight rows whose sums are added up together. */
    private static final int TOTALS = 16;

    /** Bytes copied at a time, or one slice: with x and what is decoded they fit the first-level cache. */
    private static final int CHUNK = 4608;

    private byte[] bytes = new byte[0];
    private MemorySegment segment = MemorySegment.ofArray(bytes);
    private short[] halves = new short[0];
    private float[] scales = new float[0];
    private float[] minima = new float[0];
    private float[] factors = new float[0];
    private byte[] codes = new byte[0];
    private float[] weights = new float[0];
    private float[] totals = new float[0];
    private float[] sums = new float[0];

    /** Floats between rows of x: whole steps of all chains. */
    static int stride(int in) {
        return (in + VectorTiles.CHAINS - 1) / VectorTiles.CHAINS * VectorTiles.CHAINS;
    }

    /**
     * Weight rows [from, to) times {@code rows} rows of x.
     *
     * @param x rows of {@link #stride} floats, filled up with zeros
     */
    void multiply(Tensor y, Tensor w, long from, long to, float[] x, int rows) {
        int in = (int) w.columns();
        int stride = stride(in);
        DType dtype = w.dtype();
        boolean direct = isDirect(dtype);
        long rowBytes = w.rowBytes();
        int slice = Math.min(in, VectorTiles.SLICE);
        int together = in > slice ? 1 : Math.clamp(CHUNK / Math.max(1, rowBytes), 1, TOTALS);
        prepare(direct, together, slice, (int) dtype.byteSize(slice), rows);
        for (long group = from; group < to; group += TOTALS) {
            int groupRows = (int) Math.min(TOTALS, to - group);
            Arrays.fill(totals, 0);
            for (int k = 0; k < in; k += slice) {
                int length = Math.min(slice, in - k);
                int apart = direct ? (int) dtype.byteSize(length) : stride(length);
                for (int first = 0; first < groupRows; first += together) {
                    int count = Math.min(together, groupRows - first);
                    fetch(dtype, direct, w.data(), (group + first) * rowBytes + dtype.byteSize(k), count, length);
                    for (int i = 0; i < count; i += 2) {
                        int next = Math.min(i + 1, count - 1) - i;
                        for (int row = 0; row < rows; row++) {
                            int sumsAt = (row * TOTALS + first + i) * SUMS;
                            dots(dtype, direct, i, next, apart, length, x, row * stride + k, sumsAt);
                        }
                    }
                }
                for (int i = 0; i < rows * TOTALS; i += 8) {
                    addEight(totals, i, sums);
                }
            }
            for (int row = 0; row < rows; row++) {
                long at = (row * w.rows() + group) * Float.BYTES;
                MemorySegment.copy(totals, row * TOTALS, y.data(), F32_LE, at, groupRows);
            }
        }
    }

    /** Adds the sums of chains to eight totals: side by side, because an addition takes four cycles. */
    private static void addEight(float[] totals, int at, float[] sums) {
        float a = totals[at];
        float b = totals[at + 1];
        float c = totals[at + 2];
        float d = totals[at + 3];
        float e = totals[at + 4];
        float f = totals[at + 5];
        float g = totals[at + 6];
        float h = totals[at + 7];
        for (int i = at * SUMS; i < (at + 1) * SUMS; i++) {
            a += sums[i];
            b += sums[i + SUMS];
            c += sums[i + 2 * SUMS];
            d += sums[i + 3 * SUMS];
            e += sums[i + 4 * SUMS];
            f += sums[i + 5 * SUMS];
            g += sums[i + 6 * SUMS];
            h += sums[i + 7 * SUMS];
        }
        totals[at] = a;
        totals[at + 1] = b;
        totals[at + 2] = c;
        totals[at + 3] = d;
        totals[at + 4] = e;
        totals[at + 5] = f;
        totals[at + 6] = g;
        totals[at + 7] = h;
    }

    /** Whether a DType's weights are multiplied from their bytes. */
    private static boolean isDirect(DType dtype) {
        return SIXTEEN && (dtype == DType.Q8_0 || dtype == DType.Q4_0 || dtype == DType.Q4_K || dtype == DType.Q6_K);
    }

    private void prepare(boolean direct, int together, int slice, int sliceBytes, int rows) {
        if (bytes.length < together * sliceBytes) {
            bytes = new byte[together * sliceBytes];
            segment = MemorySegment.ofArray(bytes);
        }
        int elements = together * stride(slice);
        if (halves.length < elements) {
            halves = new short[elements];
            scales = new float[elements / 16];
            minima = new float[elements / 16];
            factors = new float[elements / 16];
            codes = new byte[elements / 16];
        }
        if (!direct && weights.length < elements) {
            weights = new float[elements];
        }
        if (totals.length < rows * TOTALS) {
            totals = new float[rows * TOTALS];
            sums = new float[rows * TOTALS * SUMS];
        }
    }

    /** Fetches {@code count} rows of {@code length} elements, and decodes what {@link #dots} wants decoded. */
    private void fetch(DType dtype, boolean direct, MemorySegment memory, long offset, int count, int length) {
        if (!direct) {
            int padded = stride(length);
            for (int i = 0; i < count; i++) {
                long at = offset + i * dtype.byteSize(length);
                VectorUnpack.unpack(dtype, memory, at, length, weights, i * padded, halves);
                Arrays.fill(weights, i * padded + length, (i + 1) * padded, 0);
            }
            return;
        }
        MemorySegment.copy(memory, offset, segment, 0, count * dtype.byteSize(length));
        int elements = count * length;
        switch (dtype) {
            case Q8_0 -> scales(bytes, Q8Block.D, Q8Block.BYTES, elements / Q8Block.ELEMENTS, halves, scales);
            case Q4_0 -> scales(bytes, Q4Block.D, Q4Block.BYTES0, elements / Q4Block.ELEMENTS, halves, scales);
            case Q4_K -> scalesOfQ4K(elements / Q45KBlock.ELEMENTS);
            case Q6_K -> scalesOfQ6K(elements / Q6KBlock.ELEMENTS);
            default -> throw new IllegalStateException(dtype + " has no loop of its own");
        }
    }

    /**
     * The sums of the chains of a slice, of two weight rows: the chains of one would wait for each other's additions.
     *
     * @param row its number among those fetched together
     * @param next 1 for the row after it, 0 for itself where there is none
     * @param apart from one row to the next in {@link #bytes} or {@link #weights}
     */
    private void dots(
            DType dtype, boolean direct, int row, int next, int apart, int length, float[] x, int xAt, int sumsAt) {
        int at = row * apart;
        int at2 = at + next * apart;
        int sumsAt2 = sumsAt + next * SUMS;
        if (!direct) {
            if (SIXTEEN) {
                sixteen(weights, at, at2, length, x, xAt, sums, sumsAt, sumsAt2);
            } else {
                narrow(weights, at, at2, length, x, xAt, sums, sumsAt, sumsAt2);
            }
            return;
        }
        switch (dtype) {
            case Q8_0 -> {
                int blocks = length / Q8Block.ELEMENTS;
                int s = row * blocks;
                q8(bytes, at, at2, blocks, scales, s, s + next * blocks, x, xAt, sums, sumsAt, sumsAt2);
            }
            case Q4_0 -> {
                int blocks = length / Q4Block.ELEMENTS;
                int s = row * blocks;
                q40(bytes, at, at2, blocks, scales, s, s + next * blocks, x, xAt, sums, sumsAt, sumsAt2);
            }
            case Q4_K -> {
                int groups = length / 32;
                q4k(bytes, at, length / 64, scales, minima, row * groups, x, xAt, sums, sumsAt);
                if (next > 0) {
                    q4k(bytes, at2, length / 64, scales, minima, (row + 1) * groups, x, xAt, sums, sumsAt2);
                }
            }
            case Q6_K -> {
                int groups = length / 16;
                q6k(bytes, at, length / 128, scales, row * groups, x, xAt, sums, sumsAt);
                if (next > 0) {
                    q6k(bytes, at2, length / 128, scales, (row + 1) * groups, x, xAt, sums, sumsAt2);
                }
            }
            default -> throw new IllegalStateException(dtype + " has no loop of its own");
        }
    }

    private static void sixteen(
            float[] w, int at, int at2, int count, float[] x, int xAt, float[] sums, int to, int to2) {
        var a = FloatVector.zero(F);
        var b = a;
        for (int k = 0; k < count; k += 16) {
            var x0 = FloatVector.fromArray(F, x, xAt + k);
            a = FloatVector.fromArray(F, w, at + k).fma(x0, a);
            b = FloatVector.fromArray(F, w, at2 + k).fma(x0, b);
        }
        a.intoArray(sums, to);
        b.intoArray(sums, to2);
    }

    /** As {@link #sixteen}, with vectors of four or eight floats. */
    private static void narrow(
            float[] w, int at, int at2, int count, float[] x, int xAt, float[] sums, int to, int to2) {
        for (int lane = 0; lane < SUMS; lane += 2 * LANES) {
            var a = FloatVector.zero(F);
            var b = a;
            var c = a;
            var d = a;
            for (int k = lane; k < count; k += 16) {
                var x0 = FloatVector.fromArray(F, x, xAt + k);
                var x1 = FloatVector.fromArray(F, x, xAt + k + LANES);
                a = FloatVector.fromArray(F, w, at + k).fma(x0, a);
                b = FloatVector.fromArray(F, w, at + k + LANES).fma(x1, b);
                c = FloatVector.fromArray(F, w, at2 + k).fma(x0, c);
                d = FloatVector.fromArray(F, w, at2 + k + LANES).fma(x1, d);
            }
            a.intoArray(sums, to + lane);
            b.intoArray(sums, to + lane + LANES);
            c.intoArray(sums, to2 + lane);
            d.intoArray(sums, to2 + lane + LANES);
        }
    }

    /** The scale at {@code at} in each block. */
    private static void scales(byte[] bytes, int at, int blockBytes, int blocks, short[] halves, float[] scales) {
        for (int i = 0; i < blocks; i++) {
            halves[i] = (short) SHORT.get(bytes, i * blockBytes + at);
        }
        for (int i = 0; i < blocks; i++) { // compiled to vcvtph2ps
            scales[i] = Float.float16ToFloat(halves[i]);
        }
    }

    private static void q8(
            byte[] q,
            int at,
            int at2,
            int blocks,
            float[] scales,
            int s,
            int s2,
            float[] x,
            int xAt,
            float[] sums,
            int to,
            int to2) {
        var a = FloatVector.zero(F);
        var b = a;
        for (int i = 0; i < blocks; i++) {
            int p = at + Q8Block.Q + Q8Block.BYTES * i;
            int p2 = at2 + Q8Block.Q + Q8Block.BYTES * i;
            var x0 = FloatVector.fromArray(F, x, xAt + 32 * i);
            var x1 = FloatVector.fromArray(F, x, xAt + 32 * i + 16);
            var d = FloatVector.broadcast(F, scales[s + i]);
            var e = FloatVector.broadcast(F, scales[s2 + i]);
            var w0 = (FloatVector) ByteVector.fromArray(B, q, p)
                    .convertShape(VectorOperators.B2I, I, 0)
                    .convertShape(VectorOperators.I2F, F, 0);
            var w1 = (FloatVector) ByteVector.fromArray(B, q, p + 16)
                    .convertShape(VectorOperators.B2I, I, 0)
                    .convertShape(VectorOperators.I2F, F, 0);
            a = w0.mul(d).fma(x0, a);
            a = w1.mul(d).fma(x1, a);
            var v0 = (FloatVector) ByteVector.fromArray(B, q, p2)
                    .convertShape(VectorOperators.B2I, I, 0)
                    .convertShape(VectorOperators.I2F, F, 0);
            var v1 = (FloatVector) ByteVector.fromArray(B, q, p2 + 16)
                    .convertShape(VectorOperators.B2I, I, 0)
                    .convertShape(VectorOperators.I2F, F, 0);
            b = v0.mul(e).fma(x0, b);
            b = v1.mul(e).fma(x1, b);
        }
        a.intoArray(sums, to);
        b.intoArray(sums, to2);
    }

    private static void q40(
            byte[] q,
            int at,
            int at2,
            int blocks,
            float[] scales,
            int s,
            int s2,
            float[] x,
            int xAt,
            float[] sums,
            int to,
            int to2) {
        var a = FloatVector.zero(F);
        var b = a;
        for (int i = 0; i < blocks; i++) {
            var x0 = FloatVector.fromArray(F, x, xAt + 32 * i);
            var x1 = FloatVector.fromArray(F, x, xAt + 32 * i + 16);
            var values =
                    SIGNED_CODES.mul(FloatVector.broadcast(F, scales[s + i])).reinterpretAsInts();
            var both = (IntVector) ByteVector.fromArray(B, q, at + Q4Block.Q0 + Q4Block.BYTES0 * i)
                    .convertShape(VectorOperators.B2I, I, 0);
            a = both.selectFrom(values).reinterpretAsFloats().fma(x0, a);
            a = both.lanewise(VectorOperators.LSHR, 4)
                    .selectFrom(values)
                    .reinterpretAsFloats()
                    .fma(x1, a);
            var values2 =
                    SIGNED_CODES.mul(FloatVector.broadcast(F, scales[s2 + i])).reinterpretAsInts();
            var both2 = (IntVector) ByteVector.fromArray(B, q, at2 + Q4Block.Q0 + Q4Block.BYTES0 * i)
                    .convertShape(VectorOperators.B2I, I, 0);
            b = both2.selectFrom(values2).reinterpretAsFloats().fma(x0, b);
            b = both2.lanewise(VectorOperators.LSHR, 4)
                    .selectFrom(values2)
                    .reinterpretAsFloats()
                    .fma(x1, b);
        }
        a.intoArray(sums, to);
        b.intoArray(sums, to2);
    }

    private void scalesOfQ4K(int blocks) {
        for (int i = 0; i < blocks; i++) {
            int at = Q45KBlock.BYTES4 * i;
            halves[2 * i] = (short) SHORT.get(bytes, at + Q45KBlock.D);
            halves[2 * i + 1] = (short) SHORT.get(bytes, at + Q45KBlock.D_MIN);
            int first = (int) INT.get(bytes, at + Q45KBlock.SCALES);
            int second = (int) INT.get(bytes, at + Q45KBlock.SCALES + 4);
            int third = (int) INT.get(bytes, at + Q45KBlock.SCALES + 8);
            LONG.set(codes, 16 * i, Q45KBlock.scales(first, third));
            LONG.set(codes, 16 * i + 8, Q45KBlock.minima(second, third));
        }
        for (int i = 0; i < 2 * blocks; i++) {
            factors[i] = Float.float16ToFloat(halves[i]);
        }
        for (int i = 0; i < blocks; i++) {
            ((FloatVector) ByteVector.fromArray(EIGHT_BYTES, codes, 16 * i).convertShape(VectorOperators.B2F, EIGHT, 0))
                    .mul(factors[2 * i])
                    .intoArray(scales, 8 * i);
            ((FloatVector) ByteVector.fromArray(EIGHT_BYTES, codes, 16 * i + 8)
                            .convertShape(VectorOperators.B2F, EIGHT, 0))
                    .mul(factors[2 * i + 1])
                    .intoArray(minima, 8 * i);
        }
    }

    /** Pairs of groups of 32: the lower and the upper nibbles of 32 bytes. */
    private static void q4k(
            byte[] q,
            int at,
            int pairs,
            float[] scales,
            float[] minima,
            int s,
            float[] x,
            int xAt,
            float[] sums,
            int to) {
        var a = FloatVector.zero(F);
        for (int i = 0; i < pairs; i++) {
            int p = at + Q45KBlock.Q4 + (i >> 2) * Q45KBlock.BYTES4 + (i & 3) * 32;
            var low = CODES.mul(FloatVector.broadcast(F, scales[s + 2 * i]))
                    .sub(FloatVector.broadcast(F, minima[s + 2 * i]))
                    .reinterpretAsInts();
            var high = CODES.mul(FloatVector.broadcast(F, scales[s + 2 * i + 1]))
                    .sub(FloatVector.broadcast(F, minima[s + 2 * i + 1]))
                    .reinterpretAsInts();
            var first = (IntVector) ByteVector.fromArray(B, q, p).convertShape(VectorOperators.B2I, I, 0);
            var second = (IntVector) ByteVector.fromArray(B, q, p + 16).convertShape(VectorOperators.B2I, I, 0);
            a = first.selectFrom(low).reinterpretAsFloats().fma(FloatVector.fromArray(F, x, xAt + 64 * i), a);
            a = second.selectFrom(low).reinterpretAsFloats().fma(FloatVector.fromArray(F, x, xAt + 64 * i + 16), a);
            a = first.lanewise(VectorOperators.LSHR, 4)
                    .selectFrom(high)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromArray(F, x, xAt + 64 * i + 32), a);
            a = second.lanewise(VectorOperators.LSHR, 4)
                    .selectFrom(high)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromArray(F, x, xAt + 64 * i + 48), a);
        }
        a.intoArray(sums, to);
    }

    private void scalesOfQ6K(int blocks) {
        for (int i = 0; i < blocks; i++) {
            halves[i] = (short) SHORT.get(bytes, Q6KBlock.BYTES * i + Q6KBlock.D);
        }
        for (int i = 0; i < blocks; i++) {
            factors[i] = Float.float16ToFloat(halves[i]);
        }
        for (int i = 0; i < blocks; i++) {
            int at = Q6KBlock.BYTES * i + Q6KBlock.SCALES;
            ((FloatVector) ByteVector.fromArray(EIGHT_BYTES, bytes, at).convertShape(VectorOperators.B2F, EIGHT, 0))
                    .mul(factors[i])
                    .intoArray(scales, 16 * i);
            ((FloatVector) ByteVector.fromArray(EIGHT_BYTES, bytes, at + 8).convertShape(VectorOperators.B2F, EIGHT, 0))
                    .mul(factors[i])
                    .intoArray(scales, 16 * i + 8);
        }
    }

    /** Halves of blocks: eight groups of 16 that share bytes. */
    private static void q6k(
            byte[] q, int at, int count, float[] scales, int sAt, float[] x, int xAt, float[] sums, int to) {
        var a = FloatVector.zero(F);
        for (int i = 0; i < count; i++) {
            int low = at + (i >> 1) * Q6KBlock.BYTES + Q6KBlock.LOW + (i & 1) * 64;
            int high = at + (i >> 1) * Q6KBlock.BYTES + Q6KBlock.HIGH + (i & 1) * 32;
            int s = sAt + 8 * i;
            int k = xAt + 128 * i;
            var first0 = (IntVector) ByteVector.fromArray(B, q, low).convertShape(VectorOperators.B2I, I, 0);
            var first1 = (IntVector) ByteVector.fromArray(B, q, low + 16).convertShape(VectorOperators.B2I, I, 0);
            var second0 = (IntVector) ByteVector.fromArray(B, q, low + 32).convertShape(VectorOperators.B2I, I, 0);
            var second1 = (IntVector) ByteVector.fromArray(B, q, low + 48).convertShape(VectorOperators.B2I, I, 0);
            var top0 = (IntVector) ByteVector.fromArray(B, q, high).convertShape(VectorOperators.B2I, I, 0);
            var top1 = (IntVector) ByteVector.fromArray(B, q, high + 16).convertShape(VectorOperators.B2I, I, 0);
            a = ((FloatVector) first0.and(15)
                            .or(top0.and(3).lanewise(VectorOperators.LSHL, 4))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 0]))
                    .fma(FloatVector.fromArray(F, x, k + 0), a);
            a = ((FloatVector) first1.and(15)
                            .or(top1.and(3).lanewise(VectorOperators.LSHL, 4))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 1]))
                    .fma(FloatVector.fromArray(F, x, k + 16), a);
            a = ((FloatVector) second0.and(15)
                            .or(top0.and(12).lanewise(VectorOperators.LSHL, 2))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 2]))
                    .fma(FloatVector.fromArray(F, x, k + 32), a);
            a = ((FloatVector) second1.and(15)
                            .or(top1.and(12).lanewise(VectorOperators.LSHL, 2))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 3]))
                    .fma(FloatVector.fromArray(F, x, k + 48), a);
            a = ((FloatVector) first0.lanewise(VectorOperators.LSHR, 4)
                            .and(15)
                            .or(top0.and(48))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 4]))
                    .fma(FloatVector.fromArray(F, x, k + 64), a);
            a = ((FloatVector) first1.lanewise(VectorOperators.LSHR, 4)
                            .and(15)
                            .or(top1.and(48))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 5]))
                    .fma(FloatVector.fromArray(F, x, k + 80), a);
            a = ((FloatVector) second0.lanewise(VectorOperators.LSHR, 4)
                            .and(15)
                            .or(top0.lanewise(VectorOperators.LSHR, 2).and(48))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 6]))
                    .fma(FloatVector.fromArray(F, x, k + 96), a);
            a = ((FloatVector) second1.lanewise(VectorOperators.LSHR, 4)
                            .and(15)
                            .or(top1.lanewise(VectorOperators.LSHR, 2).and(48))
                            .sub(32)
                            .convertShape(VectorOperators.I2F, F, 0))
                    .mul(FloatVector.broadcast(F, scales[s + 7]))
                    .fma(FloatVector.fromArray(F, x, k + 112), a);
        }
        a.intoArray(sums, to);
    }
}
