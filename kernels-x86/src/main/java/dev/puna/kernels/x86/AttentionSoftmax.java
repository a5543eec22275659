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
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp32;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Operand;
import dev.puna.assembler.Vec;

/**
 * The softmax between attention's two products (Milakov and Gimelshein 2018; Dao et al. 2022), for queries that lie in
 * lanes and keys that lie in rows: nothing crosses lanes, so what a query computes does not depend on its neighbours.
 *
 * <pre>
 * for each panel of queries:
 *   m = max(maximum, all scores of the block);  c = 2^(maximum − m)
 *   p[t] = 2^(s[t] − m), 0 where not visible;   total = total · c + Σ p[t], t in order
 *   result = result · c, unless every c is 1
 * </pre>
 *
 * Weights are written as what the second product takes: fp32 in the place of the scores, or pairs of bf16.
 */
final class AttentionSoftmax {
    static final int SCORES = 0;
    static final int SCORES_PANEL = 1;
    /** Rows, a multiple of four; of bf16 a multiple of 32. */
    static final int COUNT = 2;

    static final int PANELS = 3;
    /** One register of fp32 per panel: the largest score so far, and the sum. */
    static final int MAXIMA = 4;

    static final int TOTALS = 5;
    static final int RESULTS = 6;
    static final int RESULTS_PANEL = 7;
    static final int RESULT_ROWS = 8;
    /** One register of 32-bit integers per panel: the first and the last key that each query sees. */
    static final int FIRST = 9;

    static final int LAST = 10;
    /** Number of the first row's key. */
    static final int KEY = 11;
    /** Where bf16 goes, bytes from panel to panel, and from the first term to the second. */
    static final int WEIGHTS = 12;

    static final int WEIGHTS_PANEL = 13;
    static final int WEIGHTS_TERM = 14;

    /** Before any score: finite, so that the difference of two of them is a number. */
    static final float NOTHING = -Float.MAX_VALUE;

    /** What the second product takes. */
    enum Weights {
        F32(PowerOfTwo.Accuracy.F32),
        BF16(PowerOfTwo.Accuracy.BF16),
        TWO_BF16(PowerOfTwo.Accuracy.TWO_BF16);

        private final PowerOfTwo.Accuracy accuracy;

        Weights(PowerOfTwo.Accuracy accuracy) {
            this.accuracy = accuracy;
        }
    }

    /**
     * What the code depends on.
     *
     * @param bytes of a register
     * @param masked whether some query does not see some key
     */
    record Shape(int bytes, Weights weights, boolean masked) {}

    private static final Gp64 ROW = RSI;
    private static final Gp64 OUT = RDX;
    private static final Gp64 LEFT = RCX;
    private static final Gp64 MAXIMUM = RBX;
    private static final Gp64 TOTAL = R8;
    private static final Gp64 RESULT = R9;
    private static final Gp64 PANEL = R10;
    private static final Gp64 PANEL_SCORES = R11;
    private static final Gp64 PANEL_WEIGHTS = R12;
    private static final Gp64 PANEL_RESULTS = R13;
    private static final Gp64 RANGE = R14;

    private final Assembler a;
    private final Shape shape;
    private final int bytes;
    /** Rows that are computed side by side. */
    private final int unroll;

    private AttentionSoftmax(Assembler a, Shape shape) {
        this.a = a;
        this.shape = shape;
        this.bytes = shape.bytes;
        this.unroll = bytes == 64 ? 4 : 2;
    }

    static Code code(Shape shape) {
        return Leaf.of(a -> new AttentionSoftmax(a, shape).emit());
    }

    private Vec v(int number) {
        return Vec.of(bytes, number);
    }

    private Vec maximum() {
        return v(0);
    }

    private Vec sum() {
        return v(1);
    }

    private Vec correction() {
        return v(2);
    }

    private void emit() {
        Label panel = a.label("panel");
        Label same = a.label("same");
        a.mov(PANEL_SCORES, argument(SCORES));
        a.mov(PANEL_WEIGHTS, argument(WEIGHTS));
        a.mov(PANEL_RESULTS, argument(RESULTS));
        a.mov(MAXIMUM, argument(MAXIMA));
        a.mov(TOTAL, argument(TOTALS));
        a.mov(PANEL, argument(PANELS));
        a.xor(RANGE, RANGE);
        Operand[] coefficients = PowerOfTwo.coefficients(a, bytes, shape.weights.accuracy, bytes == 64 ? 24 : -1);
        if (shape.weights != Weights.F32) {
            short[] interleave = new short[32];
            for (int i = 0; i < 32; i++) {
                interleave[i] = (short) (i / 2 + i % 2 * 16);
            }
            a.vmovdqu16(v(23), a.constant(interleave));
            a.vbroadcastss(v(22), a.constant(0xFFFF0000));
        }
        a.bind(panel);
        maxima();
        a.comment("what was summed before");
        Vec changed = v(4);
        a.vmovups(correction(), Memory.at(MAXIMUM));
        a.vmovups(Memory.at(MAXIMUM), maximum());
        if (bytes == 64) {
            a.vcmpps(Mask.K3, correction(), maximum(), 4);
            a.kmovd(Gp32.EAX, Mask.K3);
        } else {
            a.vcmpps(changed, correction(), maximum(), 4);
            a.vmovmskps(Gp32.EAX, changed);
        }
        a.vsubps(correction(), correction(), maximum());
        PowerOfTwo.emit(
                a, correction(), v(3), v(4), v(5), PowerOfTwo.coefficients(a, bytes, PowerOfTwo.Accuracy.F32, -1));
        a.test(RAX, RAX);
        a.je(same);
        scaleResults();
        a.bind(same);
        weights(coefficients);
        a.vmovups(v(3), Memory.at(TOTAL));
        a.vfmadd231ps(sum(), correction(), v(3));
        a.vmovups(Memory.at(TOTAL), sum());
        a.add(PANEL_SCORES, argument(SCORES_PANEL));
        a.add(PANEL_WEIGHTS, argument(WEIGHTS_PANEL));
        a.add(PANEL_RESULTS, argument(RESULTS_PANEL));
        a.add(MAXIMUM, bytes);
        a.add(TOTAL, bytes);
        a.add(RANGE, bytes);
        a.dec(PANEL);
        a.jne(panel);
    }

    private void maxima() {
        Label rows = a.label("maxima");
        a.mov(ROW, PANEL_SCORES);
        a.mov(LEFT, argument(COUNT));
        for (int i = 0; i < 4; i++) {
            a.vmovups(i == 0 ? maximum() : v(3 + i), Memory.at(MAXIMUM));
        }
        Visibility visibility = new Visibility(a, bytes, 10);
        if (shape.masked) {
            a.mov(RAX, argument(FIRST));
            a.vmovups(visibility.first(), Memory.at(RAX, RANGE, 1));
            a.mov(RAX, argument(LAST));
            a.vmovups(visibility.last(), Memory.at(RAX, RANGE, 1));
            visibility.begin(argument(KEY));
            a.vbroadcastss(v(9), a.constant(Float.NEGATIVE_INFINITY));
        }
        a.align(16);
        a.bind(rows);
        for (int i = 0; i < 4; i++) {
            Vec max = i == 0 ? maximum() : v(3 + i);
            Memory score = Memory.at(ROW, bytes * i);
            if (shape.masked) {
                visibility.keep(v(8), v(9), score);
                a.vmovups(score, v(8));
                a.vmaxps(max, max, v(8));
            } else {
                a.vmaxps(max, max, score);
            }
        }
        a.add(ROW, 4L * bytes);
        a.sub(LEFT, 4);
        a.jne(rows);
        a.vmaxps(maximum(), maximum(), v(4));
        a.vmaxps(v(5), v(5), v(6));
        a.vmaxps(maximum(), maximum(), v(5));
    }

    private void scaleResults() {
        Label rows = a.label("results");
        a.mov(RESULT, PANEL_RESULTS);
        a.mov(LEFT, argument(RESULT_ROWS));
        a.bind(rows);
        a.vmulps(v(3), correction(), Memory.at(RESULT));
        a.vmovups(Memory.at(RESULT), v(3));
        a.add(RESULT, bytes);
        a.dec(LEFT);
        a.jne(rows);
    }

    private void weights(Operand[] coefficients) {
        Label rows = a.label("weights");
        a.mov(ROW, PANEL_SCORES);
        a.mov(OUT, PANEL_WEIGHTS);
        a.mov(LEFT, argument(COUNT));
        a.vxorps(sum(), sum(), sum());
        a.align(32);
        a.bind(rows);
        for (int i = 0; i < unroll; i++) {
            a.vmovups(row(i), Memory.at(ROW, bytes * i));
            a.vsubps(row(i), row(i), maximum());
            PowerOfTwo.emit(a, row(i), temporary(i), v(5 + 3 * i), v(15), coefficients);
        }
        for (int i = 0; i < unroll; i++) {
            a.vaddps(sum(), sum(), row(i));
            if (shape.weights == Weights.F32) {
                a.vmovups(Memory.at(ROW, bytes * i), row(i));
            }
        }
        if (shape.weights != Weights.F32) {
            for (int i = 0; i < unroll; i += 2) {
                pair(row(i), row(i + 1), temporary(i), 64 * (i / 2));
            }
            a.add(OUT, 64L * unroll / 2);
        }
        a.add(ROW, (long) bytes * unroll);
        a.sub(LEFT, unroll);
        a.jne(rows);
    }

    private Vec row(int i) {
        return v(3 + 3 * i);
    }

    private Vec temporary(int i) {
        return v(4 + 3 * i);
    }

    /** Two rows as a line of pairs, and with two terms what their rounding left. */
    private void pair(Vec even, Vec odd, Vec line, int at) {
        a.vcvtne2ps2bf16(line, odd, even);
        a.vpermw(line, v(23), line);
        a.vmovups(Memory.at(OUT, at), line);
        if (shape.weights == Weights.TWO_BF16) {
            Vec t = Vec.of(bytes, line.number() + 1);
            a.vpslld(t, line, 16);
            a.vsubps(even, even, t);
            a.vpandd(t, line, v(22));
            a.vsubps(odd, odd, t);
            a.vcvtne2ps2bf16(line, odd, even);
            a.vpermw(line, v(23), line);
            a.mov(RAX, argument(WEIGHTS_TERM));
            a.vmovups(Memory.at(OUT, RAX, 1, at), line);
        }
    }
}
