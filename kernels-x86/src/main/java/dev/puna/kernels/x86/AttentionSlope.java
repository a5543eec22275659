package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Operand;
import dev.puna.assembler.Vec;

/**
 * Between the products of attention's backward pass (Dao et al. 2022), queries in lanes and keys in rows:
 *
 * <pre>
 * p[t]  = 2^(s[t] − logSumExp)              0 where not visible
 * ds[t] = p[t] · (dp[t] − whole)            whole = dy · y of the query
 * </pre>
 *
 * Written as what the last three products take: fp32 in the place of {@code s} and {@code dp}; or bf16, p and ds with
 * keys as rows of a left factor, and ds as a right factor too.
 */
final class AttentionSlope {
    static final int SCORES = 0;
    /** dp on the way in. */
    static final int SLOPES = 1;

    static final int PANEL = 2;
    /** Rows, a multiple of 32. */
    static final int COUNT = 3;
    /** Of queries; of bf16 an even number. */
    static final int PANELS = 4;
    /** One register per panel: to the base 2; dy · y; the first and the last key that each query sees. */
    static final int LOG_SUM_EXP = 5;

    static final int WHOLE = 6;
    static final int FIRST = 7;
    static final int LAST = 8;
    static final int KEY = 9;

    /** Where p goes as a left factor, and ds; bytes from sixteen keys to the next. */
    static final int LEFT_P = 10;

    static final int LEFT_DS = 11;
    static final int LEFT_PANEL = 12;
    /** Where ds goes as a right factor, and bytes from panel to panel. */
    static final int RIGHT_DS = 13;

    static final int RIGHT_PANEL = 14;

    /** What the code depends on, as {@link AttentionSoftmax.Shape}. */
    record Shape(int bytes, boolean bf16, boolean masked) {}

    private static final Gp64 SCORE = RSI;
    private static final Gp64 SLOPE = RDX;
    private static final Gp64 LEFT = RCX;
    private static final Gp64 LANES = RBX;
    private static final Gp64 PANEL_SCORES = R8;
    private static final Gp64 PANEL_SLOPES = R9;
    private static final Gp64 COUNTER = R10;
    private static final Gp64 P_LINE = R11;
    private static final Gp64 DS_LINE = R12;
    private static final Gp64 DS_RIGHT = R13;
    private static final Gp64 DS_RIGHT_SECOND = R14;
    private static final Gp64 BLOCK = R15;
    private static final Gp64 SECOND = RBP;

    private final Assembler a;
    private final Shape shape;
    private final int bytes;
    private final Operand[] coefficients;

    private AttentionSlope(Assembler a, Shape shape) {
        this.a = a;
        this.shape = shape;
        this.bytes = shape.bytes;
        this.coefficients = PowerOfTwo.coefficients(
                a, bytes, shape.bf16 ? PowerOfTwo.Accuracy.BF16 : PowerOfTwo.Accuracy.F32, bytes == 64 ? 24 : -1);
    }

    static Code code(Shape shape) {
        return Leaf.of(a -> {
            AttentionSlope slope = new AttentionSlope(a, shape);
            if (shape.bf16) {
                slope.pairs();
            } else {
                slope.plain();
            }
        });
    }

    private Vec v(int number) {
        return Vec.of(bytes, number);
    }

    private void begin() {
        a.mov(PANEL_SCORES, argument(SCORES));
        a.mov(PANEL_SLOPES, argument(SLOPES));
        a.mov(COUNTER, argument(PANELS));
        a.xor(LANES, LANES);
    }

    private void lanes(Vec logSumExp, Vec whole, Visibility visibility, int at) {
        a.mov(RAX, argument(LOG_SUM_EXP));
        a.vmovups(logSumExp, Memory.at(RAX, LANES, 1, at));
        a.mov(RAX, argument(WHOLE));
        a.vmovups(whole, Memory.at(RAX, LANES, 1, at));
        if (shape.masked) {
            a.mov(RAX, argument(FIRST));
            a.vmovups(visibility.first(), Memory.at(RAX, LANES, 1, at));
            a.mov(RAX, argument(LAST));
            a.vmovups(visibility.last(), Memory.at(RAX, LANES, 1, at));
            visibility.begin(argument(KEY));
        }
    }

    /** One panel after the other, in place. */
    private void plain() {
        Label panel = a.label("panel");
        Label row = a.label("row");
        Vec logSumExp = v(0);
        Vec whole = v(1);
        Visibility visibility = new Visibility(a, bytes, 2);
        int unroll = bytes == 64 ? 4 : 2;
        begin();
        a.bind(panel);
        lanes(logSumExp, whole, visibility, 0);
        a.mov(SCORE, PANEL_SCORES);
        a.mov(SLOPE, PANEL_SLOPES);
        a.mov(LEFT, argument(COUNT));
        a.align(32);
        a.bind(row);
        for (int i = 0; i < unroll; i++) {
            Vec p = v(7 + 3 * i);
            Vec t = v(8 + 3 * i);
            slope(p, t, v(9 + 3 * i), logSumExp, whole, visibility, Memory.at(SCORE, bytes * i), SLOPE, bytes * i);
            a.vmovups(Memory.at(SCORE, bytes * i), p);
            a.vmovups(Memory.at(SLOPE, bytes * i), t);
        }
        a.add(SCORE, (long) bytes * unroll);
        a.add(SLOPE, (long) bytes * unroll);
        a.sub(LEFT, unroll);
        a.jne(row);
        a.add(PANEL_SCORES, argument(PANEL));
        a.add(PANEL_SLOPES, argument(PANEL));
        a.add(LANES, bytes);
        a.dec(COUNTER);
        a.jne(panel);
    }

    /** {@code p} and, in {@code ds}, its slope. */
    private void slope(
            Vec p, Vec ds, Vec t, Vec logSumExp, Vec whole, Visibility visibility, Memory score, Gp64 slopes, int at) {
        a.vmovups(p, score);
        a.vsubps(p, p, logSumExp);
        PowerOfTwo.emit(a, p, ds, t, v(15), coefficients);
        a.vmovups(ds, Memory.at(slopes, at));
        a.vsubps(ds, ds, whole);
        a.vmulps(ds, ds, p);
        if (shape.masked) {
            visibility.next();
            visibility.clear(p);
            visibility.clear(ds);
        }
    }

    /** Two panels side by side, two rows at a time: lines of 32 queries, and pairs of keys. */
    private void pairs() {
        Label panel = a.label("panels");
        Label block = a.label("sixteen");
        Label row = a.label("rows");
        short[] low = new short[32];
        short[] high = new short[32];
        for (int i = 0; i < 32; i++) {
            low[i] = (short) (i / 2 + i % 2 * 32);
            high[i] = (short) (low[i] + 16);
        }
        Vec lowPairs = v(28);
        Vec highPairs = v(29);
        a.vmovdqu16(lowPairs, a.constant(low));
        a.vmovdqu16(highPairs, a.constant(high));
        Visibility[] visibility = {new Visibility(a, bytes, 16), new Visibility(a, bytes, 20)};
        begin();
        a.bind(panel);
        lanes(v(0), v(2), visibility[0], 0);
        lanes(v(1), v(3), visibility[1], bytes);
        a.mov(SCORE, PANEL_SCORES);
        a.mov(SLOPE, PANEL_SLOPES);
        a.mov(SECOND, argument(PANEL));
        a.mov(P_LINE, argument(LEFT_P));
        a.mov(DS_LINE, argument(LEFT_DS));
        a.mov(DS_RIGHT, argument(RIGHT_DS));
        a.mov(DS_RIGHT_SECOND, DS_RIGHT);
        a.add(DS_RIGHT_SECOND, argument(RIGHT_PANEL));
        a.mov(LEFT, argument(COUNT));
        a.bind(block);
        a.mov(BLOCK, 8);
        a.align(32);
        a.bind(row);
        Vec[] p = {v(4), v(7), v(10), v(13)}; // even row, both panels; odd row
        Vec[] ds = {v(5), v(8), v(11), v(14)};
        Vec[] t = {v(6), v(9), v(12), v(15)};
        for (int i = 0; i < 4; i++) {
            int side = i % 2;
            int at = bytes * (i / 2);
            Memory score = side == 0 ? Memory.at(SCORE, at) : Memory.at(SCORE, SECOND, 1, at);
            a.vmovups(p[i], score);
            a.vsubps(p[i], p[i], v(side));
            PowerOfTwo.emit(a, p[i], ds[i], t[i], t[i], coefficients);
            a.vmovups(ds[i], side == 0 ? Memory.at(SLOPE, at) : Memory.at(SLOPE, SECOND, 1, at));
            a.vsubps(ds[i], ds[i], v(2 + side));
            a.vmulps(ds[i], ds[i], p[i]);
            if (shape.masked) {
                visibility[side].next();
                visibility[side].clear(p[i]);
                visibility[side].clear(ds[i]);
            }
        }
        for (int i = 0; i < 2; i++) {
            a.vcvtne2ps2bf16(p[2 * i], p[2 * i + 1], p[2 * i]);
            a.vmovups(Memory.at(P_LINE, 64 * i), p[2 * i]);
            a.vcvtne2ps2bf16(ds[2 * i], ds[2 * i + 1], ds[2 * i]);
            a.vmovups(Memory.at(DS_LINE, 64 * i), ds[2 * i]);
        }
        a.vmovaps(t[0], ds[0]);
        a.vpermt2w(t[0], lowPairs, ds[2]);
        a.vmovups(Memory.at(DS_RIGHT), t[0]);
        a.vpermt2w(ds[0], highPairs, ds[2]);
        a.vmovups(Memory.at(DS_RIGHT_SECOND), ds[0]);
        for (Gp64 pointer : new Gp64[] {SCORE, SLOPE, P_LINE, DS_LINE}) {
            a.add(pointer, 128);
        }
        a.add(DS_RIGHT, 64);
        a.add(DS_RIGHT_SECOND, 64);
        a.dec(BLOCK);
        a.jne(row);
        for (Gp64 pointer : new Gp64[] {P_LINE, DS_LINE}) {
            a.add(pointer, argument(LEFT_PANEL));
            a.sub(pointer, 1024);
        }
        a.sub(LEFT, 16);
        a.jne(block);
        a.comment("the next 32 queries: one block further in left factors, two panels in others");
        a.add(argument(LEFT_P).bytes(8), 1024);
        a.add(argument(LEFT_DS).bytes(8), 1024);
        for (int i = 0; i < 2; i++) {
            Leaf.advance(a, RIGHT_DS, RIGHT_PANEL, RAX);
            a.add(PANEL_SCORES, SECOND);
            a.add(PANEL_SLOPES, SECOND);
        }
        a.add(LANES, 2L * bytes);
        a.sub(COUNTER, 2);
        a.jne(panel);
    }
}
