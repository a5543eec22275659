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

/** Generators of everything that works on one row after the other, each a short loop over {@link Lanes}s. */
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

    private static final Vec EVENS = Vec.zmm(30);
    private static final Vec ODDS = Vec.zmm(31);

    private final Assembler a;
    /** Of a register. */
    private final int bytes;

    private RowKernels(Assembler a, int bytes) {
        this.a = a;
        this.bytes = bytes;
    }

    private interface Body {
        void emit(RowKernels kernels);
    }

    private static Code code(int bytes, Body body) {
        return Leaf.of(a -> body.emit(new RowKernels(a, bytes)));
    }

    private Vec v(int number) {
        return Vec.of(bytes, number);
    }

    private Memory everywhere(float value) {
        return PowerOfTwo.everywhere(a, bytes, value);
    }

    private void forEach(int unroll, Lanes.Body body) {
        Lanes.forEach(a, bytes, RCX, INDEX, LEFT, unroll, body);
    }

    /** {@code y += second} on every row: for a bias all rows share it, else each has its own. */
    static Code sum(int bytes, DType dtype, boolean shared) {
        return code(
                bytes,
                k -> k.rows(
                        !shared,
                        dtype.bytesPerBlock(),
                        () -> k.forEach(2, s -> {
                            Vec y = k.v(2 * s.turn());
                            Vec second = k.v(2 * s.turn() + 1);
                            s.load(k.a, DType.F32, y, RSI, INDEX);
                            s.load(k.a, dtype, second, RBX, INDEX);
                            k.a.vaddps(y, y, second);
                            s.store(k.a, y, RDX, INDEX);
                        })));
    }

    /** {@code y = x / sqrt(mean(x²) + ε) · second}; the gain is of type {@code dtype}. */
    static Code norm(int bytes, DType dtype) {
        return code(bytes, k -> k.rows(false, dtype.bytesPerBlock(), () -> k.norm(dtype)));
    }

    private void norm(DType dtype) {
        for (int i = 0; i < SUMS; i++) {
            a.vxorps(v(i), v(i), v(i));
        }
        forEach(SUMS, s -> {
            Vec x = v(4 + s.turn());
            s.load(a, DType.F32, x, RSI, INDEX);
            a.vfmadd231ps(v(s.turn()), x, x);
        });
        a.vaddps(v(0), v(0), v(1));
        a.vaddps(v(2), v(2), v(3));
        a.vaddps(v(0), v(0), v(2));
        Reduction.emit(a, v(0), v(1), Assembler::vaddps);
        a.vmulss(xmm(0), xmm(0), argument(INVERSE_COUNT).bytes(4));
        a.vaddss(xmm(0), xmm(0), argument(EPSILON).bytes(4));
        a.vsqrtss(xmm(0), xmm(0), xmm(0));
        a.vmovss(xmm(1), a.constant(1f));
        a.vdivss(xmm(0), xmm(1), xmm(0));
        a.vbroadcastss(v(0), xmm(0));
        forEach(2, s -> {
            Vec x = v(2 + 2 * s.turn());
            Vec gain = v(3 + 2 * s.turn());
            s.load(a, DType.F32, x, RSI, INDEX);
            s.load(a, dtype, gain, RBX, INDEX);
            a.vmulps(x, x, v(0));
            a.vmulps(x, x, gain);
            s.store(a, x, RDX, INDEX);
        });
    }

    /** {@code y = x / (1 + e^−x) · second}. */
    static Code swiGlu(int bytes) {
        return code(bytes, k -> k.rows(true, Float.BYTES, () -> k.forEach(bytes == 64 ? 4 : 3, k::swiGlu)));
    }

    private void swiGlu(Lanes s) {
        Vec x = v(5 * s.turn());
        Vec e = v(5 * s.turn() + 1);
        s.load(a, DType.F32, x, RSI, INDEX);
        a.vxorps(e, x, everywhere(-0f));
        Exponential.emit(a, e, v(5 * s.turn() + 2), v(5 * s.turn() + 3));
        a.vaddps(e, e, everywhere(1));
        a.vdivps(x, x, e);
        s.load(a, DType.F32, e, RBX, INDEX);
        a.vmulps(x, x, e);
        s.store(a, x, RDX, INDEX);
    }

    /** Runs {@code row} with y in rdx, x in rsi, the second input in rbx and the width in rcx. */
    private void rows(boolean secondMoves, int secondBytes, Runnable row) {
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
    static Code rope(int bytes, RopePairing pairing) {
        return code(bytes, k -> k.rope(pairing, false));
    }

    /** The same by the opposite angle, for heads in halves: what takes a gradient back. */
    static Code ropeBackward(int bytes) {
        return code(bytes, k -> k.rope(RopePairing.HALVES, true));
    }

    private void rope(RopePairing pairing, boolean back) {
        Label head = a.label("head");
        if (pairing == RopePairing.INTERLEAVED && bytes == 64) {
            a.vmovups(EVENS, a.constant(everySecond(0)));
            a.vmovups(ODDS, a.constant(everySecond(1)));
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
        forEach(1, s -> {
            Vec first = v(0);
            Vec second = v(1);
            Vec cos = v(2);
            Vec sin = v(3);
            s.load(a, DType.F32, cos, RBX, INDEX);
            s.load(a, DType.F32, sin, R12, INDEX);
            switch (pairing) {
                case HALVES -> {
                    s.load(a, DType.F32, first, RSI, INDEX);
                    s.load(a, DType.F32, second, R14, INDEX);
                }
                case INTERLEAVED -> separate(s, first, second);
            }
            a.vmulps(v(4), second, sin);
            a.vmulps(v(5), first, sin);
            if (back) {
                a.vfmadd213ps(first, cos, v(4));
                a.vfmsub213ps(second, cos, v(5));
            } else {
                a.vfmsub213ps(first, cos, v(4));
                a.vfmadd213ps(second, cos, v(5));
            }
            s.store(a, first, RDX, INDEX);
            s.store(a, second, R13, INDEX);
        });
        for (Gp64 pointer : new Gp64[] {RDX, RSI, R13, R14}) {
            a.lea(pointer, Memory.at(pointer, RCX, 8));
        }
        a.dec(R10);
        a.jne(head);
    }

    /** Two registers of floats at x + 2·index, the even ones to {@code first}, the odd ones to {@code second}. */
    private void separate(Lanes s, Vec first, Vec second) {
        Memory low = Memory.at(RSI, INDEX, 8);
        Memory high = low.plus(bytes);
        Vec highs = v(6);
        if (bytes == 32) {
            if (s.end()) {
                a.vmovss(first.xmm(), low.bytes(4));
                a.vmovss(second.xmm(), low.plus(4).bytes(4));
                return;
            }
            a.vmovups(highs, low);
            a.comment("even (odd) ones of both, in the order 0 4 1 5 of pairs");
            a.vshufps(first, highs, high, 0b10_00_10_00);
            a.vshufps(second, highs, high, 0b11_01_11_01);
            a.vpermpd(first, first, 0b11_01_10_00);
            a.vpermpd(second, second, 0b11_01_10_00);
            return;
        }
        if (s.end()) {
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
        a.vpermt2ps(first, EVENS, highs);
        a.vpermt2ps(second, ODDS, highs);
    }

    private static int[] everySecond(int from) {
        int[] index = new int[16];
        for (int i = 0; i < 16; i++) {
            index[i] = 2 * i + from;
        }
        return index;
    }

    /** Vectors of a plain type or Q8_0 as fp32, times {@code FACTOR}. */
    static Code decode(int bytes, DType dtype) {
        return code(bytes, k -> k.decode(dtype));
    }

    private void decode(DType dtype) {
        Vec factor = v(7);
        a.vbroadcastss(factor, argument(FACTOR).bytes(4));
        vectors(() -> {
            if (dtype == DType.Q8_0) {
                decodeBlocks(factor);
            } else {
                forEach(1, s -> {
                    s.load(a, dtype, v(0), RSI, INDEX);
                    a.vmulps(v(0), v(0), factor);
                    s.store(a, v(0), RDX, INDEX);
                });
            }
        });
    }

    private void decodeBlocks(Vec factor) {
        Label block = a.label("block");
        a.mov(R11, RSI);
        a.xor(INDEX, INDEX);
        a.bind(block);
        a.movzx(Gp32.EAX, Memory.at(R11, Q8Block.D).bytes(2));
        a.vmovd(xmm(4), Gp32.EAX);
        a.vcvtph2ps(xmm(4), xmm(4));
        a.vbroadcastss(v(4), xmm(4));
        int lanes = bytes / Float.BYTES;
        for (int part = 0; part < Q8Block.ELEMENTS / lanes; part++) {
            a.vpmovsxbd(v(part), Memory.at(R11, Q8Block.Q + lanes * part));
            a.vcvtdq2ps(v(part), v(part));
            a.vmulps(v(part), v(part), v(4));
            a.vmulps(v(part), v(part), factor);
            a.vmovups(Memory.at(RDX, INDEX, 4, bytes * part), v(part));
        }
        a.add(R11, Q8Block.BYTES);
        a.add(INDEX, Q8Block.ELEMENTS);
        a.cmp(INDEX, RCX);
        a.jl(block);
    }

    /** Vectors of fp32 as a plain type or Q8_0. */
    static Code encode(int bytes, DType dtype) {
        return code(bytes, k -> k.encode(dtype));
    }

    private void encode(DType dtype) {
        vectors(() -> {
            if (dtype == DType.Q8_0) {
                encodeBlocks();
            } else {
                forEach(1, s -> {
                    s.load(a, DType.F32, v(0), RSI, INDEX);
                    s.store(a, dtype, v(0), RDX, INDEX, v(1), v(2));
                });
            }
        });
    }

    /** {@code d = max|x| / 127}; each {@code x / d} to the nearest integer, ties away from zero. */
    private void encodeBlocks() {
        Label block = a.label("block");
        int lanes = bytes / Float.BYTES;
        int parts = Q8Block.ELEMENTS / lanes;
        Vec sign = v(15);
        Vec inverse = v(14);
        Vec largest = v(13);
        Vec t = v(12);
        a.vbroadcastss(sign, a.constant(-0f));
        a.mov(R11, RDX);
        a.xor(INDEX, INDEX);
        a.bind(block);
        for (int part = 0; part < parts; part++) {
            a.vmovups(v(part), Memory.at(RSI, INDEX, 4, bytes * part));
            a.vandnps(v(4 + part), sign, v(part));
            if (part == 0) {
                a.vmovaps(largest, v(4));
            } else {
                a.vmaxps(largest, largest, v(4 + part));
            }
        }
        Reduction.emit(a, largest, t, Assembler::vmaxps);
        Vec d = largest.xmm();
        a.vdivss(d, d, a.constant(127f));
        a.vmovss(inverse.xmm(), a.constant(1f));
        a.vdivss(inverse.xmm(), inverse.xmm(), d);
        a.vxorps(t.xmm(), t.xmm(), t.xmm());
        if (bytes == 64) {
            a.vcmpps(Mask.K2, d, t.xmm(), 4); // unequal, or NaN
            a.vmovss(inverse.xmm().maskz(Mask.K2), inverse.xmm(), inverse.xmm());
        } else {
            a.vcmpps(t.xmm(), d, t.xmm(), 4);
            a.vandps(inverse.xmm(), inverse.xmm(), t.xmm());
        }
        a.vbroadcastss(inverse, inverse.xmm());
        a.vcvtps2ph(d, d, 0);
        a.vmovd(Gp32.EAX, d);
        a.mov(Memory.at(R11, Q8Block.D), Gp16.AX);
        for (int part = 0; part < parts; part++) {
            a.vmulps(v(4 + part), v(4 + part), inverse);
            if (bytes == 64) {
                signedIntegers(v(part), v(4 + part), v(8), v(9));
                a.vpmovdb(Memory.at(R11, Q8Block.Q + lanes * part), v(8));
            } else {
                signedIntegers256(v(part), v(4 + part), v(8), v(9));
            }
        }
        if (bytes == 32) {
            a.vpackssdw(v(0), v(0), v(1));
            a.vpackssdw(v(2), v(2), v(3));
            a.vpacksswb(v(0), v(0), v(2));
            a.vmovdqu(t, a.constant(0, 4, 1, 5, 2, 6, 3, 7));
            a.vpermd(v(0), t, v(0));
            a.vmovdqu(Memory.at(R11, Q8Block.Q), v(0));
        }
        a.add(R11, Q8Block.BYTES);
        a.add(INDEX, Q8Block.ELEMENTS);
        a.cmp(INDEX, RCX);
        a.jl(block);
    }

    /** Rounds magnitudes into {@code rounded} and gives them the signs of {@code x}. */
    private void signedIntegers(Vec x, Vec magnitude, Vec rounded, Vec back) {
        Memory half = everywhere(0.5f);
        a.vaddps(rounded, magnitude, half);
        a.vcvttps2dq(rounded, rounded);
        a.comment("0.5 added to the float just below 0.5 gives 1: take it back");
        a.vcvtdq2ps(back, rounded);
        a.vsubps(back, back, magnitude);
        a.vcmpps(Mask.K2, back, half, 14);
        a.vpsubd(rounded.mask(Mask.K2), rounded, a.constant(1).broadcast());
        a.vpmovd2m(Mask.K3, x);
        a.vpxord(back, back, back);
        a.vpsubd(rounded.mask(Mask.K3), back, rounded);
    }

    /** The same, into {@code x}. */
    private void signedIntegers256(Vec x, Vec magnitude, Vec rounded, Vec back) {
        Memory half = everywhere(0.5f);
        a.vaddps(rounded, magnitude, half);
        a.vcvttps2dq(rounded, rounded);
        a.vcvtdq2ps(back, rounded);
        a.vsubps(back, back, magnitude);
        a.vcmpps(back, back, half, 14);
        a.vpaddd(rounded, rounded, back);
        a.vpsrad(x, x, 31);
        a.comment("the two's complement where all bits are ones");
        a.vpxor(rounded, rounded, x);
        a.vpsubd(x, rounded, x);
    }

    /** Runs {@code vector} with its target in rdx, its source in rsi and the count of its elements in rcx. */
    private void vectors(Runnable vector) {
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
