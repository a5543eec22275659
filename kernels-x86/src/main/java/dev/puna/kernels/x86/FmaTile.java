package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp32;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * A tile of a product in vector registers: up to 8 rows times up to 48 columns, 24 accumulators.
 *
 * <pre>
 * for each group of columns:
 *   c[rows][columns] = 0, or what is in memory
 *   for each step:
 *     b = the step's line of each of B's panels
 *     for each row: c[row] += broadcast(a[step][row]) · b       (fp32 FMA, or bf16 pairs with vdpbf16ps)
 *   store
 * </pre>
 *
 * Every element is one chain of additions along k, so its bits depend on nothing but its row and its column.
 */
final class FmaTile {
    static final int MAX_ROWS = 8;
    static final int MAX_VECTORS = 3;

    static final int A = 0;
    static final int B = 1;
    /** Bytes from one panel of sixteen columns to the next. */
    static final int B_PANEL = 2;

    static final int STEPS = 3;
    static final int C = 4;
    static final int C_STRIDE = 5;
    /** Not 0: c is added to. */
    static final int ACCUMULATE = 6;
    /** Bits of the columns of the last vector that exist. */
    static final int MASK = 7;

    static final int GROUPS = 8;

    private static final int UNROLL = 4;

    private static final Gp64 A_STEP = RAX;
    private static final Gp64[] B_STEP = {RBX, RCX, RDX};
    private static final Gp64 ROW = RSI;
    private static final Gp64 OUT = R8;
    private static final Gp64 OUT_STRIDE = R9;
    private static final Gp64 COUNT = R10;
    private static final Gp64 PANEL = R11;
    private static final Gp64 GROUP_COUNT = R12;
    private static final Mask LAST = Mask.K1;

    private final Assembler a;
    private final int rows;
    private final int vectors;
    private final boolean bf16;

    private FmaTile(Assembler a, int rows, int vectors, boolean bf16) {
        this.a = a;
        this.rows = rows;
        this.vectors = vectors;
        this.bf16 = bf16;
    }

    static Code code(int rows, int vectors, boolean bf16) {
        return Leaf.of(a -> new FmaTile(a, rows, vectors, bf16).emit());
    }

    private static Vec sum(int row, int vector) {
        return zmm(MAX_VECTORS * row + vector);
    }

    private static Vec column(int vector) {
        return zmm(MAX_ROWS * MAX_VECTORS + vector);
    }

    /** Two that take turns. */
    private static Vec broadcast(int row) {
        return zmm(MAX_ROWS * MAX_VECTORS + MAX_VECTORS + row % 2);
    }

    private void emit() {
        Label group = a.label("group");
        Label loaded = a.label("loaded");
        Label four = a.label("four");
        Label rest = a.label("rest");
        Label one = a.label("one");
        Label done = a.label("done");
        a.mov(OUT, argument(C));
        a.mov(OUT_STRIDE, argument(C_STRIDE));
        a.mov(B_STEP[0], argument(B));
        a.mov(PANEL, argument(B_PANEL));
        a.mov(GROUP_COUNT, argument(GROUPS));
        a.mov(Gp32.EAX, argument(MASK));
        a.kmovd(LAST, Gp32.EAX);
        a.bind(group);
        for (int v = 1; v < vectors; v++) {
            a.lea(B_STEP[v], Memory.at(B_STEP[v - 1], PANEL, 1));
        }
        a.comment("the next group's lines of c");
        eachLine((sum, memory, last) -> a.prefetcht0(memory.plus(64 * vectors)));
        for (int row = 0; row < rows; row++) {
            for (int v = 0; v < vectors; v++) {
                a.vpxord(sum(row, v), sum(row, v), sum(row, v));
            }
        }
        a.mov(COUNT, argument(ACCUMULATE));
        a.test(COUNT, COUNT);
        a.je(loaded);
        eachLine((sum, memory, last) -> a.vmovups(last ? sum.maskz(LAST) : sum, memory));
        a.bind(loaded);
        a.mov(A_STEP, argument(A));
        a.mov(COUNT, argument(STEPS));
        a.sub(COUNT, UNROLL);
        a.jl(rest);
        a.align(32);
        a.bind(four);
        steps(UNROLL);
        a.sub(COUNT, UNROLL);
        a.jge(four);
        a.bind(rest);
        a.add(COUNT, UNROLL);
        a.je(done);
        a.bind(one);
        steps(1);
        a.dec(COUNT);
        a.jne(one);
        a.bind(done);
        eachLine((sum, memory, last) -> {
            if (last) {
                a.vmovups(memory.mask(LAST), sum);
            } else {
                a.vmovups(memory, sum);
            }
        });
        a.comment("the next group begins where the last panel of this one ends");
        a.mov(B_STEP[0], argument(B));
        for (int v = 0; v < vectors; v++) {
            a.add(B_STEP[0], PANEL);
        }
        a.mov(argument(B), B_STEP[0]);
        a.add(OUT, 64L * vectors);
        a.dec(GROUP_COUNT);
        a.jne(group);
    }

    private interface Line {
        void emit(Vec sum, Memory memory, boolean last);
    }

    private void eachLine(Line line) {
        a.mov(ROW, OUT);
        for (int row = 0; row < rows; row++) {
            for (int v = 0; v < vectors; v++) {
                line.emit(sum(row, v), Memory.at(ROW, 64 * v), v == vectors - 1);
            }
            a.add(ROW, OUT_STRIDE);
        }
    }

    private void steps(int count) {
        for (int step = 0; step < count; step++) {
            for (int v = 0; v < vectors; v++) {
                a.vmovups(column(v), Memory.at(B_STEP[v], 64 * step));
            }
            for (int row = 0; row < rows; row++) {
                a.vbroadcastss(broadcast(row), Memory.at(A_STEP, 64 * step + 4 * row));
                for (int v = 0; v < vectors; v++) {
                    if (bf16) {
                        a.vdpbf16ps(sum(row, v), column(v), broadcast(row));
                    } else {
                        a.vfmadd231ps(sum(row, v), column(v), broadcast(row));
                    }
                }
            }
        }
        a.add(A_STEP, 64L * count);
        for (int v = 0; v < vectors; v++) {
            a.add(B_STEP[v], 64L * count);
        }
    }
}
