package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.xmm;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import dev.puna.tensor.DType;

/** Generators of what training does besides products and attention, each a short loop over {@link Lanes}s. */
final class TrainingKernels {
    /** Elements of a run, of a row where there are rows. */
    static final int COUNT = 0;

    /** Arguments of {@link #normBackward}. */
    static final int DX = 1;

    static final int DY = 2;
    static final int X = 3;
    static final int WEIGHT = 4;
    /** One row of fp32 to which the weight's gradient is added. */
    static final int DWEIGHT = 5;

    static final int ROWS = 6;
    static final int EPSILON = 7;
    static final int INVERSE_COUNT = 8;

    /** Arguments of {@link #swiGluBackward}, besides {@link #DY}. */
    static final int DGATE = 1;

    static final int DUP = 3;
    static final int GATE = 4;
    static final int UP = 5;

    /** Arguments of {@link #exponentials}: a row, and where its maximum (fp32) and its sum (fp64) go. */
    static final int ROW = 1;

    static final int MAXIMUM = 2;
    static final int SUM = 3;
    /** Argument of {@link #scale}, besides {@link #ROW}. */
    static final int FACTOR = 2;

    /** Arguments of {@link #adamW}: four runs, then the step's numbers. */
    static final int W = 1;

    static final int M = 2;
    static final int V = 3;
    static final int G = 4;
    static final int BETA1 = 5;
    static final int REST1 = 6;
    static final int BETA2 = 7;
    static final int REST2 = 8;
    static final int GRADIENT_SCALE = 9;
    static final int SHRINK = 10;
    static final int STEP_SIZE = 11;
    static final int CORRECTION = 12;
    static final int ADAM_EPSILON = 13;

    private static final Gp64 INDEX = R8;
    private static final Gp64 LEFT = R9;

    private TrainingKernels() {}

    /**
     * <pre>
     * for each row:
     *   s = 1 / sqrt(mean(x²) + ε);  b = s³ · mean(dy ∘ weight ∘ x)
     *   dx += s · dy ∘ weight − b · x;  dweight += dy ∘ x · s
     * </pre>
     */
    static Code normBackward() {
        return Leaf.of(a -> {
            Label row = a.label("row");
            a.mov(RCX, argument(COUNT));
            a.mov(RDX, argument(DX));
            a.mov(R12, argument(DY));
            a.mov(RSI, argument(X));
            a.mov(RBX, argument(WEIGHT));
            a.mov(R13, argument(DWEIGHT));
            a.mov(R10, argument(ROWS));
            a.bind(row);
            for (int i = 0; i < 4; i++) {
                a.vpxord(zmm(i), zmm(i), zmm(i));
            }
            Lanes.forEach(a, RCX, INDEX, LEFT, 2, s -> {
                Vec x = zmm(4 + 2 * s.turn());
                Vec g = zmm(5 + 2 * s.turn());
                s.load(a, DType.F32, x, RSI, INDEX);
                s.load(a, DType.F32, g, RBX, INDEX);
                a.vfmadd231ps(zmm(s.turn()), x, x);
                a.vmulps(g, g, x);
                s.load(a, DType.F32, x, R12, INDEX);
                a.vfmadd231ps(zmm(2 + s.turn()), g, x);
            });
            a.vaddps(zmm(0), zmm(0), zmm(1));
            a.vaddps(zmm(2), zmm(2), zmm(3));
            Reduction.emit(a, zmm(0), zmm(1), Assembler::vaddps);
            Reduction.emit(a, zmm(2), zmm(1), Assembler::vaddps);
            a.vmulss(xmm(0), xmm(0), argument(INVERSE_COUNT).bytes(4));
            a.vaddss(xmm(0), xmm(0), argument(EPSILON).bytes(4));
            a.vsqrtss(xmm(0), xmm(0), xmm(0));
            a.vmovss(xmm(1), a.constant(1f));
            a.vdivss(xmm(0), xmm(1), xmm(0));
            a.vmulss(xmm(2), xmm(2), argument(INVERSE_COUNT).bytes(4));
            for (int i = 0; i < 3; i++) {
                a.vmulss(xmm(2), xmm(2), xmm(0));
            }
            Vec scale = zmm(0);
            Vec back = zmm(1);
            a.vbroadcastss(back, xmm(2));
            a.vbroadcastss(scale, xmm(0));
            Lanes.forEach(a, RCX, INDEX, LEFT, 2, s -> {
                Vec x = zmm(2 + 4 * s.turn());
                Vec dy = zmm(3 + 4 * s.turn());
                Vec t = zmm(4 + 4 * s.turn());
                Vec d = zmm(5 + 4 * s.turn());
                s.load(a, DType.F32, x, RSI, INDEX);
                s.load(a, DType.F32, dy, R12, INDEX);
                s.load(a, DType.F32, t, R13, INDEX);
                s.load(a, DType.F32, d, RDX, INDEX);
                a.vmulps(dy, dy, scale);
                a.vfmadd231ps(t, dy, x);
                s.store(a, t, R13, INDEX);
                s.load(a, DType.F32, t, RBX, INDEX);
                a.vfmadd231ps(d, dy, t);
                a.vfnmadd231ps(d, x, back);
                s.store(a, d, RDX, INDEX);
            });
            for (Gp64 pointer : new Gp64[] {RDX, RSI, R12}) {
                a.lea(pointer, Memory.at(pointer, RCX, 4));
            }
            a.dec(R10);
            a.jne(row);
        });
    }

    /** {@code dup = dy ∘ silu(gate)}, {@code dgate = dy ∘ up ∘ σ · (1 + gate · (1 − σ))} with {@code σ = 1 / (1 + e^−gate)}. */
    static Code swiGluBackward() {
        return Leaf.of(a -> {
            Vec one = zmm(31);
            a.mov(RCX, argument(COUNT));
            a.mov(RDX, argument(DGATE));
            a.mov(R10, argument(DUP));
            a.mov(RSI, argument(DY));
            a.mov(RBX, argument(GATE));
            a.mov(R11, argument(UP));
            a.vbroadcastss(one, a.constant(1f));
            Lanes.forEach(a, RCX, INDEX, LEFT, 4, s -> {
                Vec gate = zmm(5 * s.turn());
                Vec sigma = zmm(5 * s.turn() + 1);
                Vec t = zmm(5 * s.turn() + 2);
                Vec u = zmm(5 * s.turn() + 3);
                s.load(a, DType.F32, gate, RBX, INDEX);
                a.vxorps(sigma, gate, a.constant(0x80000000).broadcast());
                Exponential.emit(a, sigma, t, u);
                a.vaddps(sigma, sigma, one);
                a.vdivps(sigma, one, sigma);
                s.load(a, DType.F32, t, RSI, INDEX);
                s.load(a, DType.F32, u, R11, INDEX);
                a.vmulps(t, t, sigma);
                a.vmulps(u, u, t);
                a.vmulps(t, t, gate);
                s.store(a, t, R10, INDEX);
                a.vsubps(sigma, one, sigma);
                a.vfmadd213ps(gate, sigma, one);
                a.vmulps(u, u, gate);
                s.store(a, u, RDX, INDEX);
            });
        });
    }

    /** {@code row = e^(row − maximum)}; the maximum, and the sum of the results, added up in fp64. */
    static Code exponentials() {
        return Leaf.of(a -> {
            Vec maximum = zmm(31);
            Vec[] sums = {zmm(29), zmm(30)};
            a.mov(RCX, argument(COUNT));
            a.mov(RDX, argument(ROW));
            a.vbroadcastss(maximum, a.constant(Float.NEGATIVE_INFINITY));
            Lanes.forEach(a, RCX, INDEX, LEFT, 4, s -> {
                if (s.end()) {
                    a.vbroadcastss(zmm(0), a.constant(Float.NEGATIVE_INFINITY));
                    a.vmovups(s.kept(zmm(0)), Memory.at(RDX, INDEX, 4));
                    a.vmaxps(maximum, maximum, zmm(0));
                } else {
                    a.vmaxps(maximum, maximum, Memory.at(RDX, INDEX, 4, 4 * s.first()));
                }
            });
            Reduction.emit(a, maximum, zmm(0), Assembler::vmaxps);
            a.mov(RSI, argument(MAXIMUM));
            a.vmovss(Memory.at(RSI).bytes(4), maximum.xmm());
            a.vbroadcastss(maximum, maximum.xmm());
            for (Vec sum : sums) {
                a.vpxord(sum, sum, sum);
            }
            Lanes.forEach(a, RCX, INDEX, LEFT, 4, s -> {
                Vec x = zmm(4 * s.turn());
                Vec t = zmm(4 * s.turn() + 1);
                Vec u = zmm(4 * s.turn() + 2);
                s.load(a, DType.F32, x, RDX, INDEX);
                a.vsubps(x, x, maximum);
                Exponential.emit(a, x, t, u);
                s.store(a, x, RDX, INDEX);
                if (s.end()) {
                    a.vmovaps(x.maskz(Lanes.TAIL), x);
                }
                a.vcvtps2pd(t, x.ymm());
                a.vextractf64x4(u.ymm(), x, 1);
                a.vcvtps2pd(u, u.ymm());
                a.vaddpd(sums[0], sums[0], t);
                a.vaddpd(sums[1], sums[1], u);
            });
            a.vaddpd(sums[0], sums[0], sums[1]);
            sumOfDoubles(a, sums[0], zmm(0));
            a.mov(RSI, argument(SUM));
            a.vmovsd(Memory.at(RSI).bytes(8), sums[0].xmm());
        });
    }

    /** The eight lanes into the lowest, in the order of a tree. */
    private static void sumOfDoubles(Assembler a, Vec v, Vec temporary) {
        a.vextractf64x4(temporary.ymm(), v, 1);
        a.vaddpd(v.ymm(), v.ymm(), temporary.ymm());
        a.vextracti32x4(temporary.xmm(), v.ymm(), 1);
        a.vaddpd(v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b1110);
        a.vaddpd(v.xmm(), v.xmm(), temporary.xmm());
    }

    /** {@code row *= factor}. */
    static Code scale() {
        return Leaf.of(a -> {
            a.mov(RCX, argument(COUNT));
            a.mov(RDX, argument(ROW));
            a.vbroadcastss(zmm(31), argument(FACTOR).bytes(4));
            Lanes.forEach(a, RCX, INDEX, LEFT, 4, s -> {
                s.load(a, DType.F32, zmm(s.turn()), RDX, INDEX);
                a.vmulps(zmm(s.turn()), zmm(s.turn()), zmm(31));
                s.store(a, zmm(s.turn()), RDX, INDEX);
            });
        });
    }

    /**
     * <pre>
     * g ← g · scale;  m ← β1·m + (1−β1)·g;  v ← β2·v + (1−β2)·g²
     * w ← w·shrink − size·m / (√v · correction + ε)
     * </pre>
     */
    static Code adamW() {
        return Leaf.of(a -> {
            Vec[] numbers = new Vec[ADAM_EPSILON + 1];
            for (int i = BETA1; i <= ADAM_EPSILON; i++) {
                numbers[i] = zmm(16 + i);
                a.vbroadcastss(numbers[i], argument(i).bytes(4));
            }
            a.mov(RCX, argument(COUNT));
            a.mov(RDX, argument(W));
            a.mov(RSI, argument(M));
            a.mov(RBX, argument(V));
            a.mov(R10, argument(G));
            Lanes.forEach(a, RCX, INDEX, LEFT, 4, s -> {
                Vec g = zmm(4 * s.turn());
                Vec m = zmm(4 * s.turn() + 1);
                Vec v = zmm(4 * s.turn() + 2);
                Vec w = zmm(4 * s.turn() + 3);
                s.load(a, DType.F32, g, R10, INDEX);
                s.load(a, DType.F32, m, RSI, INDEX);
                s.load(a, DType.F32, v, RBX, INDEX);
                s.load(a, DType.F32, w, RDX, INDEX);
                a.vmulps(g, g, numbers[GRADIENT_SCALE]);
                a.vmulps(m, m, numbers[BETA1]);
                a.vfmadd231ps(m, g, numbers[REST1]);
                a.vmulps(g, g, g);
                a.vmulps(v, v, numbers[BETA2]);
                a.vfmadd231ps(v, g, numbers[REST2]);
                s.store(a, m, RSI, INDEX);
                s.store(a, v, RBX, INDEX);
                a.vsqrtps(v, v);
                a.vfmadd213ps(v, numbers[CORRECTION], numbers[ADAM_EPSILON]);
                a.vmulps(m, m, numbers[STEP_SIZE]);
                a.vdivps(m, m, v);
                a.vfmsub213ps(w, numbers[SHRINK], m);
                s.store(a, w, RDX, INDEX);
            });
        });
    }

    /** {@code Σ row²} in fp64, to where {@link #SUM} says. */
    static Code squares() {
        return Leaf.of(a -> {
            for (int i = 0; i < 4; i++) {
                a.vpxord(zmm(28 + i), zmm(28 + i), zmm(28 + i));
            }
            a.mov(RCX, argument(COUNT));
            a.mov(RDX, argument(ROW));
            Lanes.forEach(a, RCX, INDEX, LEFT, 2, s -> {
                Vec low = zmm(2 * s.turn());
                Vec high = zmm(2 * s.turn() + 1);
                s.load(a, DType.F32, low, RDX, INDEX);
                a.vextractf64x4(high.ymm(), low, 1);
                a.vcvtps2pd(low, low.ymm());
                a.vcvtps2pd(high, high.ymm());
                a.vfmadd231pd(zmm(28 + 2 * s.turn()), low, low);
                a.vfmadd231pd(zmm(29 + 2 * s.turn()), high, high);
            });
            a.vaddpd(zmm(28), zmm(28), zmm(29));
            a.vaddpd(zmm(30), zmm(30), zmm(31));
            a.vaddpd(zmm(28), zmm(28), zmm(30));
            sumOfDoubles(a, zmm(28), zmm(0));
            a.mov(RSI, argument(SUM));
            a.vmovsd(Memory.at(RSI).bytes(8), zmm(28).xmm());
        });
    }
}
