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
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/** {@link QuantizedRows} on 256-bit registers: the same arguments, the same layout, the same bits. */
final class Avx2QuantizedRows {
    private Avx2QuantizedRows() {}

    /**
     * <pre>
     * for each row, for each 32 elements:
     *   d = max|x| / 127;  q = round(x · 127 / max|x|)
     *   starts = −zeroPoint · Σq;  sums = d · Σq     (per group)
     * </pre>
     */
    static Code code(int groupSize) {
        return Leaf.of(a -> {
            Label rowLoop = a.label("row");
            Label blockLoop = a.label("block");
            Label done = a.label("done");
            Vec absolute = ymm(12);
            Vec limit = xmm(13);
            Vec inverseLimit = xmm(14);
            Vec zeroPoint = xmm(15);
            Vec order = ymm(11);
            a.vpbroadcastd(absolute, a.constant(0x7fffffff));
            a.vmovss(limit, a.constant(127f));
            a.vmovss(inverseLimit, a.constant(1 / 127f));
            a.vmovd(zeroPoint, argument(QuantizedRows.ZERO_POINT).bytes(4));
            a.vmovdqu(order, a.constant(0, 4, 1, 5, 2, 6, 3, 7));
            a.mov(RCX, argument(QuantizedRows.ROWS));
            a.test(RCX, RCX);
            a.je(done);
            a.mov(RSI, argument(QuantizedRows.X));
            a.mov(RDX, argument(QuantizedRows.OUT));
            a.bind(rowLoop);
            a.mov(R8, argument(QuantizedRows.IN));
            a.mov(R10, RSI); // x
            a.mov(R11, RDX); // q
            a.lea(R12, Memory.at(RDX, R8, 1)); // scales
            a.mov(RAX, R8);
            a.shr(RAX, 3); // in / 32 · 4
            a.lea(R13, Memory.at(R12, RAX, 1)); // starts
            a.mov(RBX, R8);
            a.shr(RBX, groupSize == 32 ? 3 : 2);
            a.lea(R14, Memory.at(R13, RBX, 1)); // sums
            a.shr(R8, 5); // blocks
            a.bind(blockLoop);
            for (int i = 0; i < 4; i++) {
                a.vmovups(ymm(i), Memory.at(R10, 32 * i));
                a.vpand(ymm(4 + i), absolute, ymm(i));
            }
            a.comment("largest magnitude, as integers so that NaN is the largest of all");
            a.vpmaxud(ymm(4), ymm(4), ymm(5));
            a.vpmaxud(ymm(6), ymm(6), ymm(7));
            a.vpmaxud(ymm(4), ymm(4), ymm(6));
            reduce(a, ymm(4), ymm(5), Assembler::vpmaxud);
            a.vmulss(xmm(8), xmm(4), inverseLimit);
            a.vmovss(Memory.at(R12), xmm(8));
            a.vdivss(xmm(5), limit, xmm(4));
            a.vxorps(xmm(6), xmm(6), xmm(6));
            a.vcmpps(xmm(6), xmm(4), xmm(6), 4); // unequal, or NaN
            a.vandps(xmm(5), xmm(5), xmm(6));
            a.vbroadcastss(ymm(5), xmm(5));
            for (int i = 0; i < 4; i++) {
                a.vmulps(ymm(i), ymm(i), ymm(5));
                a.vcvtps2dq(ymm(i), ymm(i));
            }
            a.vpackssdw(ymm(4), ymm(0), ymm(1));
            a.vpackssdw(ymm(5), ymm(2), ymm(3));
            a.vpacksswb(ymm(4), ymm(4), ymm(5));
            a.vpermd(ymm(4), order, ymm(4));
            a.vmovdqu(Memory.at(R11), ymm(4));
            a.vpaddd(ymm(0), ymm(0), ymm(1));
            a.vpaddd(ymm(2), ymm(2), ymm(3));
            if (groupSize == 32) {
                a.vpaddd(ymm(0), ymm(0), ymm(2));
                group(a, ymm(0), 0, zeroPoint);
            } else {
                group(a, ymm(0), 0, zeroPoint);
                group(a, ymm(2), 4, zeroPoint);
            }
            a.add(R10, 128);
            a.add(R11, 32);
            a.add(R12, 4);
            a.add(R13, QuantizedRows.BLOCK / groupSize * 4L);
            a.add(R14, QuantizedRows.BLOCK / groupSize * 4L);
            a.dec(R8);
            a.jne(blockLoop);
            a.add(RSI, argument(QuantizedRows.X_STRIDE));
            a.add(RDX, argument(QuantizedRows.OUT_STRIDE));
            a.dec(RCX);
            a.jne(rowLoop);
            a.bind(done);
        });
    }

    /** Stores the start value and the sum of a group, whose integers are in the lanes of {@code q}; its scale is in xmm8. */
    private static void group(Assembler a, Vec q, int offset, Vec zeroPoint) {
        reduce(a, q, ymm(5), Assembler::vpaddd);
        a.vcvtdq2ps(xmm(5), q.xmm());
        a.vmulss(xmm(5), xmm(5), xmm(8));
        a.vmovss(Memory.at(R14, offset), xmm(5));
        a.vpmulld(xmm(5), q.xmm(), zeroPoint);
        a.vpxor(xmm(6), xmm(6), xmm(6));
        a.vpsubd(xmm(6), xmm(6), xmm(5));
        a.vmovd(Memory.at(R13, offset).bytes(4), xmm(6));
    }

    private interface Combine {
        void emit(Assembler a, Vec to, Vec left, Vec right);
    }

    /** Combines the 8 lanes of {@code v} into its lowest. */
    private static void reduce(Assembler a, Vec v, Vec temporary, Combine combine) {
        a.vextracti128(temporary.xmm(), v, 1);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b1110);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b01);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
    }
}
