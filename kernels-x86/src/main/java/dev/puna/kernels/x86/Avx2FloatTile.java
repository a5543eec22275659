package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Up to four rows of a factor, read where it lies, times up to 24 packed columns of the other: twelve accumulators.
 *
 * <pre>
 * for each four rows:
 *   c[rows][columns] = 0, or what is in memory
 *   for each step along k:
 *     b = the step's line of each panel
 *     for each row: c[row] += broadcast(a[row][step]) · b
 *   store
 * </pre>
 *
 * Every element is one chain of additions along k, so its bits depend on nothing but its row and its column.
 */
final class Avx2FloatTile {
    static final int MAX_ROWS = 4;
    static final int MAX_VECTORS = 3;

    static final int A = 0;
    /** Bytes from row to row of A, and from step to step. */
    static final int A_ROW = 1;

    static final int A_STEP = 2;
    static final int B = 3;
    static final int STEPS = 4;
    static final int C = 5;
    static final int C_STRIDE = 6;
    /** Not 0: c is added to. */
    static final int ACCUMULATE = 7;
    /** Where eight doublewords are, negative for the columns of the last panel that exist. */
    static final int MASK = 8;
    /** Groups of rows. */
    static final int GROUPS = 9;

    /**
     * What the code depends on.
     *
     * @param rows 1 to 4
     * @param vectors panels of eight columns, 1 to 3
     * @param masked whether the last panel has columns that do not exist
     * @param panelBytes from panel to panel
     */
    record Shape(int rows, int vectors, boolean masked, int panelBytes) {}

    private static final int UNROLL = 4;

    private static final Gp64 A_ROWS = RAX;
    private static final Gp64 A_AT = RBX;
    private static final Gp64 ROW = RCX;
    private static final Gp64 ROW_3 = RDX;
    private static final Gp64 STEP = RSI;
    private static final Gp64 B_AT = R8;
    private static final Gp64 COUNT = R9;
    private static final Gp64 OUT = R10;
    private static final Gp64 OUT_STRIDE = R11;
    private static final Gp64 LINE = R12;
    private static final Gp64 GROUP_COUNT = R13;
    private static final Vec BROADCAST = ymm(15);

    private final Assembler a;
    private final Shape shape;

    private Avx2FloatTile(Assembler a, Shape shape) {
        this.a = a;
        this.shape = shape;
    }

    static Code code(Shape shape) {
        return Leaf.of(a -> new Avx2FloatTile(a, shape).emit());
    }

    private static Vec sum(int row, int vector) {
        return ymm(MAX_VECTORS * row + vector);
    }

    private static Vec column(int vector) {
        return ymm(MAX_ROWS * MAX_VECTORS + vector);
    }

    private void emit() {
        Label group = a.label("group");
        Label loaded = a.label("loaded");
        Label several = a.label("several");
        Label rest = a.label("rest");
        Label one = a.label("one");
        Label done = a.label("done");
        a.mov(A_ROWS, argument(A));
        a.mov(ROW, argument(A_ROW));
        a.lea(ROW_3, Memory.at(ROW, ROW, 2));
        a.mov(STEP, argument(A_STEP));
        a.mov(OUT, argument(C));
        a.mov(OUT_STRIDE, argument(C_STRIDE));
        a.mov(GROUP_COUNT, argument(GROUPS));
        a.bind(group);
        for (int row = 0; row < shape.rows; row++) {
            for (int v = 0; v < shape.vectors; v++) {
                a.vxorps(sum(row, v), sum(row, v), sum(row, v));
            }
        }
        a.mov(COUNT, argument(ACCUMULATE));
        a.test(COUNT, COUNT);
        a.je(loaded);
        lines(false);
        a.bind(loaded);
        a.mov(A_AT, A_ROWS);
        a.mov(B_AT, argument(B));
        a.mov(COUNT, argument(STEPS));
        a.sub(COUNT, UNROLL);
        a.jl(rest);
        a.align(32);
        a.bind(several);
        steps(UNROLL);
        a.sub(COUNT, UNROLL);
        a.jge(several);
        a.bind(rest);
        a.add(COUNT, UNROLL);
        a.je(done);
        a.bind(one);
        steps(1);
        a.dec(COUNT);
        a.jne(one);
        a.bind(done);
        lines(true);
        a.lea(A_ROWS, Memory.at(A_ROWS, ROW, MAX_ROWS));
        a.lea(OUT, Memory.at(OUT, OUT_STRIDE, MAX_ROWS));
        a.dec(GROUP_COUNT);
        a.jne(group);
    }

    private void lines(boolean store) {
        Vec mask = column(0);
        if (shape.masked) {
            a.mov(LINE, argument(MASK));
            a.vmovups(mask, Memory.at(LINE));
        }
        a.mov(LINE, OUT);
        for (int row = 0; row < shape.rows; row++) {
            for (int v = 0; v < shape.vectors; v++) {
                Memory at = Memory.at(LINE, Avx2FloatPanel.LINE * v);
                boolean masked = shape.masked && v == shape.vectors - 1;
                if (store) {
                    if (masked) {
                        a.vmaskmovps(at, mask, sum(row, v));
                    } else {
                        a.vmovups(at, sum(row, v));
                    }
                } else if (masked) {
                    a.vmaskmovps(sum(row, v), mask, at);
                } else {
                    a.vmovups(sum(row, v), at);
                }
            }
            a.add(LINE, OUT_STRIDE);
        }
    }

    private Memory left(int row) {
        return switch (row) {
            case 0 -> Memory.at(A_AT);
            case 1 -> Memory.at(A_AT, ROW, 1);
            case 2 -> Memory.at(A_AT, ROW, 2);
            default -> Memory.at(A_AT, ROW_3, 1);
        };
    }

    private void steps(int count) {
        for (int step = 0; step < count; step++) {
            for (int v = 0; v < shape.vectors; v++) {
                a.vmovups(column(v), Memory.at(B_AT, v * shape.panelBytes + step * Avx2FloatPanel.LINE));
            }
            for (int row = 0; row < shape.rows; row++) {
                a.vbroadcastss(BROADCAST, left(row));
                for (int v = 0; v < shape.vectors; v++) {
                    a.vfmadd231ps(sum(row, v), column(v), BROADCAST);
                }
            }
            a.add(A_AT, STEP);
        }
        a.add(B_AT, (long) Avx2FloatPanel.LINE * count);
    }
}
