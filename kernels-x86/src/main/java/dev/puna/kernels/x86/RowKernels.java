package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.xmm;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp16;
import dev.puna.assembler.Gp32;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.blocks.Q8Block;
import dev.puna.tensor.DType;

/** Generators of everything that works on one row after the other, each a short loop over {@link Sixteen}s. */
final class RowKernels {
    /** Arguments of {@link #sum}, {@link #norm}, {@link #swiGlu}: fp32 rows without gaps between them. */
    static final int Y = 0;

    static final int X = 1;
    static final int SECOND = 2;
    static final int COUNT = 3;
    static final int ROWS = 4;
    static final int EPSILON = 5;
    static final int INVERSE_COUNT = 6;

    /** Arguments of {@link #rope}, besides {@link #Y}, {@link #X}: one row of {@code HEADS} heads of 2·PAIRS. */
    static final int COS = 2;

    static final int SIN = 3;
    static final int PAIRS = 4;
    static final int HEADS = 5;

    /**
     * Arguments of {@link #decode} and {@link #encode}: {@code OUTER × INNER} vectors of {@code COUNT} elements, with
     * byte strides of both loops on both sides.
     */
    static final int TO = 0;

    static final int FROM = 1;
    static final int INNER = 2;
    static final int OUTER = 4;
    static final int TO_INNER = 5;
    static final int TO_OUTER = 6;
    static final int FROM_INNER = 7;
    static final int FROM_OUTER = 8;
    static final int FACTOR = 9;

    private static final Gp64 INDEX = R8;
    private static final Gp64 LEFT = R9;

    /** Independent sums of squares, so that additions do not wait for each other. */
    private static final int SUMS = 4;

    private RowKernels() {}

    /** {@code y += second} on every row: for a bias all rows share it, else each has its own. */
    static Code sum(DType dtype, boolean shared) {
        return Leaf.of(a -> rows(
                a,
                !shared,
                dtype.bytesPerBlock(),
                () -> Sixteen.forEach(a, RCX, INDEX, LEFT, 2, s -> {
                    Vec y = zmm(2 * s.turn());
                    Vec second = zmm(2 * s.turn() + 1);
                    s.load(a, DType.F32, y, RSI, INDEX);
                    s.load(a, dtype, second, RBX, INDEX);
                    a.vaddps(y, y, second);
                    s.store(a, y, RDX, INDEX);
                })));
    }

    /** {@code y = x / sqrt(mean(x²) + ε) · second}; the gain is of type {@code dtype}. */
    static Code norm(DType dtype) {
        return Leaf.of(a -> rows(a, false, dtype.bytesPerBlock(), () -> {
            for (int i = 0; i < SUMS; i++) {
                a.vpxord(zmm(i), zmm(i), zmm(i));
            }
            Sixteen.forEach(a, RCX, INDEX, LEFT, SUMS, s -> {
                Vec x = zmm(4 + s.turn());
                s.load(a, DType.F32, x, RSI, INDEX);
                a.vfmadd231ps(zmm(s.turn()), x, x);
            });
            a.vaddps(zmm(0), zmm(0), zmm(1));
            a.vaddps(zmm(2), zmm(2), zmm(3));
            a.vaddps(zmm(0), zmm(0), zmm(2));
            Reduction.emit(a, zmm(0), zmm(1), Assembler::vaddps);
            a.vmulss(xmm(0), xmm(0), argument(INVERSE_COUNT).bytes(4));
            a.vaddss(xmm(0), xmm(0), argument(EPSILON).bytes(4));
            a.vsqrtss(xmm(0), xmm(0), xmm(0));
            a.vmovss(xmm(1), a.constant(1f));
            a.vdivss(xmm(0), xmm(1), xmm(0));
            a.vbroadcastss(zmm(0), xmm(0));
            Sixteen.forEach(a, RCX, INDEX, LEFT, 2, s -> {
                Vec x = zmm(2 + 2 * s.turn());
                Vec gain = zmm(3 + 2 * s.turn());
                s.load(a, DType.F32, x, RSI, INDEX);
                s.load(a, dtype, gain, RBX, INDEX);
                a.vmulps(x, x, zmm(0));
                a.vmulps(x, x, gain);
                s.store(a, x, RDX, INDEX);
            });
        }));
    }

    /** {@code y = x / (1 + e^−x) · second}. */
    static Code swiGlu() {
        return Leaf.of(a -> rows(
                a,
                true,
                Float.BYTES,
                () -> Sixteen.forEach(a, RCX, INDEX, LEFT, 4, s -> {
                    Vec x = zmm(5 * s.turn());
                    Vec e = zmm(5 * s.turn() + 1);
                    s.load(a, DType.F32, x, RSI, INDEX);
                    a.vxorps(e, x, a.constant(0x80000000).broadcast());
                    Exponential.emit(a, e, zmm(5 * s.turn() + 2), zmm(5 * s.turn() + 3));
                    a.vaddps(e, e, a.constant(1f).broadcast());
                    a.vdivps(x, x, e);
                    s.load(a, DType.F32, e, RBX, INDEX);
                    a.vmulps(x, x, e);
                    s.store(a, x, RDX, INDEX);
                })));
    }

    /** Runs {@code row} with y in rdx, x in rsi, the second input in rbx and the width in rcx. */
    private static void rows(Assembler a, boolean secondMoves, int secondBytes, Runnable row) {
        Label loop = a.label("row");
        a.mov(RDX, argument(Y));
        a.mov(RSI, argument(X));
        a.mov(RBX, argument(SECOND));
        a.mov(RCX, argument(COUNT));
        a.mov(R10, argument(ROWS));
        a.bind(loop);
        row.run();
        a.lea(RDX, Memory.at(RDX, RCX, 4));
        a.lea(RSI, Memory.at(RSI, RCX, 4));
        if (secondMoves) {
            a.lea(RBX, Memory.at(RBX, RCX, secondBytes));
        }
        a.dec(R10);
        a.jne(loop);
    }

    /**
     * <pre>
     * for each head, for each pair (a, b):  y[i] = a·cos − b·sin;  y[i + D/2] = b·cos + a·sin
     * </pre>
     */
    static Code rope(RopePairing pairing) {
        return rope(pairing, false);
    }

    /** The same by the opposite angle, for heads in halves: what takes a gradient back. */
    static Code ropeBackward() {
        return rope(RopePairing.HALVES, true);
    }

    private static Code rope(RopePairing pairing, boolean back) {
        return Leaf.of(a -> {
            Label head = a.label("head");
            Vec evens = zmm(30);
            Vec odds = zmm(31);
            if (pairing == RopePairing.INTERLEAVED) {
                a.vmovups(evens, a.constant(everySecond(0)));
                a.vmovups(odds, a.constant(everySecond(1)));
            }
            a.mov(RDX, argument(Y));
            a.mov(RSI, argument(X));
            a.mov(RBX, argument(COS));
            a.mov(R12, argument(SIN));
            a.mov(RCX, argument(PAIRS));
            a.mov(R10, argument(HEADS));
            a.lea(R13, Memory.at(RDX, RCX, 4)); // second half of y
            a.lea(R14, Memory.at(RSI, RCX, 4)); // second half of x
            a.bind(head);
            Sixteen.forEach(a, RCX, INDEX, LEFT, 1, s -> {
                Vec first = zmm(0);
                Vec second = zmm(1);
                Vec cos = zmm(2);
                Vec sin = zmm(3);
                s.load(a, DType.F32, cos, RBX, INDEX);
                s.load(a, DType.F32, sin, R12, INDEX);
                switch (pairing) {
                    case HALVES -> {
                        s.load(a, DType.F32, first, RSI, INDEX);
                        s.load(a, DType.F32, second, R14, INDEX);
                    }
                    case INTERLEAVED -> separate(a, s, first, second, evens, odds);
                }
                a.vmulps(zmm(4), second, sin);
                a.vmulps(zmm(5), first, sin);
                if (back) {
                    a.vfmadd213ps(first, cos, zmm(4));
                    a.vfmsub213ps(second, cos, zmm(5));
                } else {
                    a.vfmsub213ps(first, cos, zmm(4));
                    a.vfmadd213ps(second, cos, zmm(5));
                }
                s.store(a, first, RDX, INDEX);
                s.store(a, second, R13, INDEX);
            });
            for (Gp64 pointer : new Gp64[] {RDX, RSI, R13, R14}) {
                a.lea(pointer, Memory.at(pointer, RCX, 8));
            }
            a.dec(R10);
            a.jne(head);
        });
    }

    /** Thirty-two floats at x + 2·index, the even ones to {@code first}, the odd ones to {@code second}. */
    private static void separate(Assembler a, Sixteen s, Vec first, Vec second, Vec evens, Vec odds) {
        Memory low = Memory.at(RSI, INDEX, 8);
        Memory high = low.plus(64);
        Vec highs = zmm(6);
        if (s.masked()) {
            a.lea(RAX, Memory.at(LEFT, LEFT, 1));
            a.mov(R11, -1);
            a.bzhi(RAX, R11, RAX);
            a.kmovq(Mask.K2, RAX);
            a.kshiftrq(Mask.K3, Mask.K2, 16);
            a.vmovups(first.maskz(Mask.K2), low);
            a.vmovups(highs.maskz(Mask.K3), high);
        } else {
            a.vmovups(first, low);
            a.vmovups(highs, high);
        }
        a.vmovaps(second, first);
        a.vpermt2ps(first, evens, highs);
        a.vpermt2ps(second, odds, highs);
    }

    private static int[] everySecond(int from) {
        int[] index = new int[16];
        for (int i = 0; i < 16; i++) {
            index[i] = 2 * i + from;
        }
        return index;
    }

    /** Vectors of a plain type or Q8_0 as fp32, times {@code FACTOR}. */
    static Code decode(DType dtype) {
        return Leaf.of(a -> {
            Vec factor = zmm(31);
            a.vbroadcastss(factor, argument(FACTOR).bytes(4));
            vectors(a, () -> {
                if (dtype == DType.Q8_0) {
                    decodeBlocks(a, factor);
                } else {
                    Sixteen.forEach(a, RCX, INDEX, LEFT, 1, s -> {
                        s.load(a, dtype, zmm(0), RSI, INDEX);
                        a.vmulps(zmm(0), zmm(0), factor);
                        s.store(a, zmm(0), RDX, INDEX);
                    });
                }
            });
        });
    }

    private static void decodeBlocks(Assembler a, Vec factor) {
        Label block = a.label("block");
        a.mov(R11, RSI);
        a.xor(INDEX, INDEX);
        a.bind(block);
        a.movzx(Gp32.EAX, Memory.at(R11, Q8Block.D).bytes(2));
        a.vmovd(xmm(2), Gp32.EAX);
        a.vcvtph2ps(xmm(2), xmm(2));
        a.vbroadcastss(zmm(2), xmm(2));
        for (int half = 0; half < 2; half++) {
            a.vpmovsxbd(zmm(half), Memory.at(R11, Q8Block.Q + 16 * half));
            a.vcvtdq2ps(zmm(half), zmm(half));
            a.vmulps(zmm(half), zmm(half), zmm(2));
            a.vmulps(zmm(half), zmm(half), factor);
            a.vmovups(Memory.at(RDX, INDEX, 4, 64 * half), zmm(half));
        }
        a.add(R11, Q8Block.BYTES);
        a.add(INDEX, Q8Block.ELEMENTS);
        a.cmp(INDEX, RCX);
        a.jl(block);
    }

    /** Vectors of fp32 as a plain type or Q8_0. */
    static Code encode(DType dtype) {
        return Leaf.of(a -> vectors(a, () -> {
            if (dtype == DType.Q8_0) {
                encodeBlocks(a);
            } else {
                Sixteen.forEach(a, RCX, INDEX, LEFT, 1, s -> {
                    s.load(a, DType.F32, zmm(0), RSI, INDEX);
                    s.store(a, dtype, zmm(0), RDX, INDEX, zmm(1), zmm(2));
                });
            }
        }));
    }

    /** {@code d = max|x| / 127}; each {@code x / d} to the nearest integer, ties away from zero. */
    private static void encodeBlocks(Assembler a) {
        Label block = a.label("block");
        a.mov(R11, RDX);
        a.xor(INDEX, INDEX);
        a.bind(block);
        a.vmovups(zmm(0), Memory.at(RSI, INDEX, 4));
        a.vmovups(zmm(1), Memory.at(RSI, INDEX, 4, 64));
        Vec sign = zmm(8);
        a.vpbroadcastd(sign, a.constant(0x80000000));
        a.vpandnd(zmm(2), sign, zmm(0));
        a.vpandnd(zmm(3), sign, zmm(1));
        a.vmaxps(zmm(4), zmm(2), zmm(3));
        Reduction.emit(a, zmm(4), zmm(5), Assembler::vmaxps);
        a.vdivss(xmm(4), xmm(4), a.constant(127f));
        a.vmovss(xmm(5), a.constant(1f));
        a.vdivss(xmm(5), xmm(5), xmm(4));
        a.vpxord(xmm(6), xmm(6), xmm(6));
        a.vcmpps(Mask.K2, xmm(4), xmm(6), 4); // unequal, or NaN
        a.vmovss(xmm(5).maskz(Mask.K2), xmm(5), xmm(5));
        a.vbroadcastss(zmm(5), xmm(5));
        a.vcvtps2ph(xmm(4), xmm(4), 0);
        a.vmovd(Gp32.EAX, xmm(4));
        a.mov(Memory.at(R11, Q8Block.D), Gp16.AX);
        for (int half = 0; half < 2; half++) {
            Vec magnitude = zmm(2 + half);
            Vec rounded = zmm(6);
            Vec back = zmm(7);
            a.vmulps(magnitude, magnitude, zmm(5));
            a.vaddps(rounded, magnitude, a.constant(0.5f).broadcast());
            a.vcvttps2dq(rounded, rounded);
            a.comment("0.5 added to the float just below 0.5 gives 1: take it back");
            a.vcvtdq2ps(back, rounded);
            a.vsubps(back, back, magnitude);
            a.vcmpps(Mask.K2, back, a.constant(0.5f).broadcast(), 14);
            a.vpsubd(rounded.mask(Mask.K2), rounded, a.constant(1).broadcast());
            a.vpmovd2m(Mask.K3, zmm(half));
            a.vpxord(back, back, back);
            a.vpsubd(rounded.mask(Mask.K3), back, rounded);
            a.vpmovdb(Memory.at(R11, Q8Block.Q + 16 * half), rounded);
        }
        a.add(R11, Q8Block.BYTES);
        a.add(INDEX, Q8Block.ELEMENTS);
        a.cmp(INDEX, RCX);
        a.jl(block);
    }

    /** Runs {@code vector} with its target in rdx, its source in rsi and the count of its elements in rcx. */
    private static void vectors(Assembler a, Runnable vector) {
        Label outer = a.label("outer");
        Label inner = a.label("inner");
        a.mov(RCX, argument(COUNT));
        a.mov(R12, argument(TO));
        a.mov(R13, argument(FROM));
        a.mov(R14, argument(OUTER));
        a.bind(outer);
        a.mov(R10, argument(INNER));
        a.mov(RDX, R12);
        a.mov(RSI, R13);
        a.bind(inner);
        vector.run();
        a.add(RDX, argument(TO_INNER));
        a.add(RSI, argument(FROM_INNER));
        a.dec(R10);
        a.jne(inner);
        a.add(R12, argument(TO_OUTER));
        a.add(R13, argument(FROM_OUTER));
        a.dec(R14);
        a.jne(outer);
    }
}
