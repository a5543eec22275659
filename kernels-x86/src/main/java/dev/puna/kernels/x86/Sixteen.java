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
 * Sixteen consecutive elements of a run, the last of which may be fewer: those are read and written under a mask, so
 * that nothing beyond the run is touched. Written once, a loop body serves whole and masked registers.
 *
 * @param first the first element, counted from the loop's index
 * @param masked whether only the elements in {@link #TAIL} exist
 */
record Sixteen(int first, boolean masked) {
    /** The elements that exist in the last register of a run. */
    static final Mask TAIL = Mask.K1;

    interface Body {
        void emit(Sixteen sixteen);
    }

    /**
     * <pre>
     * for (index = 0; index + 16·unroll ≤ count; index += 16·unroll) body(0), body(16), …
     * for (; index + 16 ≤ count; index += 16) body(0)
     * if (index &lt; count) body(0) under a mask
     * </pre>
     *
     * @param left is overwritten; as {@code index}, it belongs to the loop
     */
    static void forEach(Assembler a, Gp64 count, Gp64 index, Gp64 left, int unroll, Body body) {
        Label single = a.label("single");
        Label tail = a.label("tail");
        Label done = a.label("done");
        a.xor(index, index);
        a.mov(left, count);
        if (unroll > 1) {
            Label several = a.label("several");
            a.sub(left, 16L * unroll);
            a.jl(single);
            a.bind(several);
            for (int u = 0; u < unroll; u++) {
                body.emit(new Sixteen(16 * u, false));
            }
            a.add(index, 16L * unroll);
            a.sub(left, 16L * unroll);
            a.jge(several);
            a.bind(single);
            a.add(left, 16L * unroll);
        }
        Label loop = a.label("sixteen");
        a.sub(left, 16);
        a.jl(tail);
        a.bind(loop);
        body.emit(new Sixteen(0, false));
        a.add(index, 16);
        a.sub(left, 16);
        a.jge(loop);
        a.bind(tail);
        a.add(left, 16);
        a.je(done);
        a.push(Gp64.RAX);
        a.mov(Gp64.RAX, -1);
        a.bzhi(Gp64.RAX, Gp64.RAX, left);
        a.kmovq(TAIL, Gp64.RAX);
        a.pop(Gp64.RAX);
        body.emit(new Sixteen(0, true));
        a.bind(done);
    }

    /** Which of {@code unroll} accumulators this step uses. */
    int turn() {
        return first / 16;
    }

    /** As a destination that keeps what is outside the run. */
    Operand kept(Vec to) {
        return masked ? to.mask(TAIL) : to;
    }

    private Operand zeroed(Vec to) {
        return masked ? to.maskz(TAIL) : to;
    }

    /** Elements {@code base[index + first …]} as fp32; zeros outside the run. */
    void load(Assembler a, DType dtype, Vec to, Gp64 base, Gp64 index) {
        switch (dtype) {
            case F32 -> a.vmovups(zeroed(to), Memory.at(base, index, 4, 4 * first));
            case F16 -> a.vcvtph2ps(zeroed(to), Memory.at(base, index, 2, 2 * first));
            case BF16 -> {
                a.vpmovzxwd(zeroed(to), Memory.at(base, index, 2, 2 * first));
                a.vpslld(to, to, 16);
            }
            default -> throw new IllegalArgumentException("no plain floats in " + dtype);
        }
    }

    void store(Assembler a, Vec from, Gp64 base, Gp64 index) {
        Memory to = Memory.at(base, index, 4, 4 * first);
        a.vmovups(masked ? to.mask(TAIL) : to, from);
    }

    /** Stores as F32, F16 or BF16, rounded to nearest even; {@code t0} and {@code t1} are overwritten, and K2. */
    void store(Assembler a, DType dtype, Vec from, Gp64 base, Gp64 index, Vec t0, Vec t1) {
        Memory at = Memory.at(base, index, 2, 2 * first);
        Operand to = masked ? at.mask(TAIL) : at;
        switch (dtype) {
            case F32 -> store(a, from, base, index);
            case F16 -> a.vcvtps2ph(to, from, 0);
            case BF16 -> {
                a.comment("bits + 0x7fff + (bits >> 16 & 1), or a quiet NaN");
                a.vpsrld(t0, from, 16);
                a.vpord(t1, t0, a.constant(0x40).broadcast());
                a.vpandd(t0, t0, a.constant(1).broadcast());
                a.vpaddd(t0, t0, from);
                a.vpaddd(t0, t0, a.constant(0x7fff).broadcast());
                a.vpsrld(t0, t0, 16);
                a.vcmpps(Mask.K2, from, from, 3);
                a.vmovdqa32(t0.mask(Mask.K2), t1);
                a.vpmovdw(to, t0);
            }
            default -> throw new IllegalArgumentException("no plain floats in " + dtype);
        }
    }
}
