package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.xmm;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Activations as 8-bit integers, once per row of a product: blocks of 32 with one fp32 scale each, and the sums that
 * undo the zero points of the weights.
 *
 * <p>A row of {@code in} elements is, one after the other: {@code in} bytes {@code q}; {@code in/32} fp32 scales
 * {@code d = max|x| / 127} with {@code x ≈ d·q}; per group of weights {@code −zeroPoint · Σq} as int32, the value that
 * an integer dot product starts from; per group {@code d · Σq} in fp32, which a minimum of the weights multiplies.
 * A group is 32 or 16 elements, as the weights have scales. NaN and infinity make their block's scale so.
 *
 * <p>A few rows lie in records instead: for each 32 elements, for each row, a cache line with the 32 {@code q}, the scale
 * at {@link #RECORD_SCALE}, the start values at {@link #RECORD_STARTS} and the sums at {@link #RECORD_SUMS}. Many rows
 * for tile registers lie in {@link TokenTiles}.
 */
final class QuantizedRows {
    /** Elements that share a scale. */
    static final int BLOCK = 32;

    static final int X = 0;
    static final int X_STRIDE = 1;
    static final int OUT = 2;
    static final int OUT_STRIDE = 3;
    static final int IN = 4;
    static final int ROWS = 5;
    static final int ZERO_POINT = 6;
    /** Records only: bytes from one block of a row to its next. */
    static final int RECORD_STEP = 7;

    static final int RECORD_BYTES = 64;
    static final int RECORD_SCALE = 32;
    static final int RECORD_STARTS = 36;
    static final int RECORD_SUMS = 44;

    private QuantizedRows() {}

    static long scalesOffset(long in) {
        return in;
    }

    static long startsOffset(long in) {
        return in + in / BLOCK * Float.BYTES;
    }

    static long sumsOffset(long in, int groupSize) {
        return startsOffset(in) + in / groupSize * Integer.BYTES;
    }

    /** Bytes from one quantized row to the next. */
    static long stride(long in, int groupSize) {
        return sumsOffset(in, groupSize) + in / groupSize * Float.BYTES + 63 & -64;
    }

    /**
     * <pre>
     * for each row, for each 32 elements:
     *   d = max|x| / 127;  q = round(x · 127 / max|x|)
     *   starts = −zeroPoint · Σq;  sums = d · Σq     (per group)
     * </pre>
     *
     * @param records whether rows become records
     */
    static Code code(int groupSize, boolean records) {
        return Leaf.of(a -> {
            Label rowLoop = a.label("row");
            Label blockLoop = a.label("block");
            Label done = a.label("done");
            Vec absolute = zmm(16);
            Vec limit = xmm(17);
            Vec inverseLimit = xmm(18);
            Vec zeroPoint = xmm(19);
            a.vpbroadcastd(absolute, a.constant(0x7fffffff));
            a.vmovss(limit, a.constant(127f));
            a.vmovss(inverseLimit, a.constant(1 / 127f));
            a.vmovd(zeroPoint, argument(ZERO_POINT).bytes(4));
            a.mov(RCX, argument(ROWS));
            a.test(RCX, RCX);
            a.je(done);
            a.mov(RSI, argument(X));
            a.mov(RDX, argument(OUT));
            a.bind(rowLoop);
            a.mov(R8, argument(IN));
            a.mov(R10, RSI); // x
            a.mov(R11, RDX); // q
            if (records) {
                a.lea(R12, Memory.at(RDX, RECORD_SCALE));
                a.lea(R13, Memory.at(RDX, RECORD_STARTS));
                a.lea(R14, Memory.at(RDX, RECORD_SUMS));
            } else {
                a.lea(R12, Memory.at(RDX, R8, 1)); // scales
                a.mov(RAX, R8);
                a.shr(RAX, 3); // in / 32 · 4
                a.lea(R13, Memory.at(R12, RAX, 1)); // starts
                a.mov(RBX, R8);
                a.shr(RBX, groupSize == 32 ? 3 : 2);
                a.lea(R14, Memory.at(R13, RBX, 1)); // sums
            }
            a.shr(R8, 5); // blocks
            a.bind(blockLoop);
            a.vmovups(zmm(0), Memory.at(R10));
            a.vmovups(zmm(1), Memory.at(R10, 64));
            a.comment("largest magnitude, as integers so that NaN is the largest of all");
            a.vpandd(zmm(2), absolute, zmm(0));
            a.vpandd(zmm(3), absolute, zmm(1));
            a.vpmaxud(zmm(2), zmm(2), zmm(3));
            reduce(a, zmm(2), zmm(3), Assembler::vpmaxud);
            a.vmulss(xmm(4), xmm(2), inverseLimit);
            a.vmovss(Memory.at(R12), xmm(4));
            a.vdivss(xmm(5), limit, xmm(2));
            a.vxorps(xmm(6), xmm(6), xmm(6));
            a.vcmpps(Mask.K1, xmm(2), xmm(6), 4); // unequal, or NaN
            a.vmovss(xmm(5).maskz(Mask.K1), xmm(5), xmm(5));
            a.vbroadcastss(zmm(5), xmm(5));
            a.vmulps(zmm(0), zmm(0), zmm(5));
            a.vmulps(zmm(1), zmm(1), zmm(5));
            a.vcvtps2dq(zmm(0), zmm(0));
            a.vcvtps2dq(zmm(1), zmm(1));
            a.vpmovsdb(Memory.at(R11), zmm(0));
            a.vpmovsdb(Memory.at(R11, 16), zmm(1));
            if (groupSize == 32) {
                a.vpaddd(zmm(0), zmm(0), zmm(1));
                group(a, 0, zeroPoint);
            } else {
                group(a, 0, zeroPoint);
                a.vmovdqa32(zmm(0), zmm(1));
                group(a, 4, zeroPoint);
            }
            a.add(R10, 128);
            if (records) {
                for (Gp64 pointer : new Gp64[] {R11, R12, R13, R14}) {
                    a.add(pointer, argument(RECORD_STEP));
                }
            } else {
                a.add(R11, 32);
                a.add(R12, 4);
                a.add(R13, BLOCK / groupSize * 4L);
                a.add(R14, BLOCK / groupSize * 4L);
            }
            a.dec(R8);
            a.jne(blockLoop);
            a.add(RSI, argument(X_STRIDE));
            a.add(RDX, argument(OUT_STRIDE));
            a.dec(RCX);
            a.jne(rowLoop);
            a.bind(done);
        });
    }

    /** Stores the start value and the sum of a group, whose integers are in the lanes of zmm0; its scale is in xmm4. */
    private static void group(Assembler a, int offset, Vec zeroPoint) {
        reduce(a, zmm(0), zmm(3), Assembler::vpaddd);
        a.vcvtdq2ps(xmm(3), xmm(0));
        a.vmulss(xmm(3), xmm(3), xmm(4));
        a.vmovss(Memory.at(R14, offset), xmm(3));
        a.vpmulld(xmm(0), xmm(0), zeroPoint);
        a.vpxor(xmm(6), xmm(6), xmm(6));
        a.vpsubd(xmm(0), xmm(6), xmm(0));
        a.vmovd(Memory.at(R13, offset).bytes(4), xmm(0));
    }

    private interface Combine {
        void emit(Assembler a, Vec to, Vec left, Vec right);
    }

    /** Combines the 16 lanes of {@code v} into its lowest. */
    private static void reduce(Assembler a, Vec v, Vec temporary, Combine combine) {
        a.vextracti64x4(temporary.ymm(), v, 1);
        combine.emit(a, v.ymm(), v.ymm(), temporary.ymm());
        a.vextracti128(temporary.xmm(), ymm(v.number()), 1);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b1110);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b01);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
    }
}
