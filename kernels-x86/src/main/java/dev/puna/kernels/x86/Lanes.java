package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Operand;
import dev.puna.assembler.Vec;
import dev.puna.tensor.DType;

/**
 * Consecutive elements of a run, as many as a register has lanes; the last may be fewer. Of 512-bit registers those are
 * read and written under a mask; with 256 bits, which have no masks for all types, each of them alone in the first lane.
 * Nothing beyond the run is touched. Written once, a loop body serves whole registers and ends.
 *
 * @param bytes of a register: 64 or 32
 * @param first the first element, counted from the loop's index
 * @param end whether only the elements in {@link #TAIL} exist, or, with 256 bits, only one
 */
record Lanes(int bytes, int first, boolean end) {
    /** The elements that exist in the last register of a run. */
    static final Mask TAIL = Mask.K1;

    interface Body {
        void emit(Lanes lanes);
    }

    private boolean masked() {
        return end && bytes == 64;
    }

    private boolean single() {
        return end && bytes == 32;
    }

    /** The loop of 512-bit registers. */
    static void forEach(Assembler a, Gp64 count, Gp64 index, Gp64 left, int unroll, Body body) {
        forEach(a, 64, count, index, left, unroll, body);
    }

    /**
     * <pre>
     * for (index = 0; index + lanes·unroll ≤ count; index += lanes·unroll) body(0), body(lanes), …
     * for (; index + lanes ≤ count; index += lanes) body(0)
     * if (index &lt; count) body(0) under a mask               (or for each that is left: body(0) of one)
     * </pre>
     *
     * @param left is overwritten; as {@code index}, it belongs to the loop
     */
    static void forEach(Assembler a, int bytes, Gp64 count, Gp64 index, Gp64 left, int unroll, Body body) {
        int lanes = bytes / Float.BYTES;
        Label single = a.label("single");
        Label tail = a.label("tail");
        Label done = a.label("done");
        a.xor(index, index);
        a.mov(left, count);
        if (unroll > 1) {
            Label several = a.label("several");
            a.sub(left, (long) lanes * unroll);
            a.jl(single);
            a.bind(several);
            for (int u = 0; u < unroll; u++) {
                body.emit(new Lanes(bytes, lanes * u, false));
            }
            a.add(index, (long) lanes * unroll);
            a.sub(left, (long) lanes * unroll);
            a.jge(several);
            a.bind(single);
            a.add(left, (long) lanes * unroll);
        }
        Label loop = a.label("register");
        a.sub(left, lanes);
        a.jl(tail);
        a.bind(loop);
        body.emit(new Lanes(bytes, 0, false));
        a.add(index, lanes);
        a.sub(left, lanes);
        a.jge(loop);
        a.bind(tail);
        a.add(left, lanes);
        a.je(done);
        if (bytes == 64) {
            a.push(Gp64.RAX);
            a.mov(Gp64.RAX, -1);
            a.bzhi(Gp64.RAX, Gp64.RAX, left);
            a.kmovq(TAIL, Gp64.RAX);
            a.pop(Gp64.RAX);
            body.emit(new Lanes(bytes, 0, true));
        } else {
            Label one = a.label("one");
            a.bind(one);
            body.emit(new Lanes(bytes, 0, true));
            a.inc(index);
            a.dec(left);
            a.jne(one);
        }
        a.bind(done);
    }

    /** Which of {@code unroll} accumulators this step uses. */
    int turn() {
        return first * Float.BYTES / bytes;
    }

    /** As a destination that keeps what is outside the run. */
    Operand kept(Vec to) {
        return masked() ? to.mask(TAIL) : to;
    }

    private Operand zeroed(Vec to) {
        return masked() ? to.maskz(TAIL) : to;
    }

    /** Elements {@code base[index + first …]} as fp32; zeros outside the run. */
    void load(Assembler a, DType dtype, Vec to, Gp64 base, Gp64 index) {
        Memory from = Memory.at(base, index, dtype.bytesPerBlock(), dtype.bytesPerBlock() * first);
        if (single()) {
            loadOne(a, dtype, to, from);
            return;
        }
        switch (dtype) {
            case F32 -> a.vmovups(zeroed(to), from);
            case F16 -> a.vcvtph2ps(zeroed(to), from);
            case BF16 -> {
                a.vpmovzxwd(zeroed(to), from);
                a.vpslld(to, to, 16);
            }
            default -> throw new IllegalArgumentException("no plain floats in " + dtype);
        }
    }

    private static void loadOne(Assembler a, DType dtype, Vec to, Memory from) {
        switch (dtype) {
            case F32 -> a.vmovss(to.xmm(), from.bytes(4));
            case F16 -> {
                a.vpxor(to.xmm(), to.xmm(), to.xmm());
                a.vpinsrw(to.xmm(), to.xmm(), from.bytes(2), 0);
                a.vcvtph2ps(to, to.xmm());
            }
            case BF16 -> {
                a.vpxor(to.xmm(), to.xmm(), to.xmm());
                a.vpinsrw(to.xmm(), to.xmm(), from.bytes(2), 1);
            }
            default -> throw new IllegalArgumentException("no plain floats in " + dtype);
        }
    }

    void store(Assembler a, Vec from, Gp64 base, Gp64 index) {
        Memory to = Memory.at(base, index, 4, 4 * first);
        if (single()) {
            a.vmovss(to.bytes(4), from.xmm());
        } else {
            a.vmovups(masked() ? to.mask(TAIL) : to, from);
        }
    }

    /** Stores as F32, F16 or BF16, rounded to nearest even; {@code t0} and {@code t1} are overwritten, and K2. */
    void store(Assembler a, DType dtype, Vec from, Gp64 base, Gp64 index, Vec t0, Vec t1) {
        Memory at = Memory.at(base, index, 2, 2 * first);
        Operand to = masked() ? at.mask(TAIL) : at;
        switch (dtype) {
            case F32 -> store(a, from, base, index);
            case F16 -> {
                if (single()) {
                    a.vcvtps2ph(t0.xmm(), from.xmm(), 0);
                    a.vpextrw(at.bytes(2), t0.xmm(), 0);
                } else {
                    a.vcvtps2ph(to, from, 0);
                }
            }
            case BF16 -> {
                a.comment("bits + 0x7fff + (bits >> 16 & 1), or a quiet NaN");
                a.vpsrld(t0, from, 16);
                if (bytes == 64) {
                    a.vpord(t1, t0, a.constant(0x40).broadcast());
                    a.vpandd(t0, t0, a.constant(1).broadcast());
                    a.vpaddd(t0, t0, from);
                    a.vpaddd(t0, t0, a.constant(0x7fff).broadcast());
                    a.vpsrld(t0, t0, 16);
                    a.vcmpps(Mask.K2, from, from, 3);
                    a.vmovdqa32(t0.mask(Mask.K2), t1);
                    a.vpmovdw(to, t0);
                } else {
                    bf16(a, from, at, t0, t1);
                }
            }
            default -> throw new IllegalArgumentException("no plain floats in " + dtype);
        }
    }

    /** The same in 256 bits; {@code from} is lost. */
    private void bf16(Assembler a, Vec from, Memory at, Vec t0, Vec t1) {
        a.vpor(t1, t0, PowerOfTwo.everywhere(a, bytes, 0x40));
        a.vpand(t0, t0, PowerOfTwo.everywhere(a, bytes, 1));
        a.vpaddd(t0, t0, from);
        a.vpaddd(t0, t0, PowerOfTwo.everywhere(a, bytes, 0x7fff));
        a.vpsrld(t0, t0, 16);
        a.vcmpps(from, from, from, 3);
        a.vblendvps(t0, t0, t1, from);
        a.vpackusdw(t0, t0, t0);
        a.vpermq(t0, t0, 0b1000);
        if (single()) {
            a.vpextrw(at.bytes(2), t0.xmm(), 0);
        } else {
            a.vmovdqu(at, t0.xmm());
        }
    }
}
