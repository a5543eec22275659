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
import dev.puna.assembler.Tile;
import dev.puna.assembler.Vec;
import java.util.List;

/**
 * Attention's products {@code C (m, n) = A (m, k) · B (k, n)}, or added to C, of factors that lie in scratch in whole
 * panels. A panel of B or C is one register wide: a line for every row. So the five products of attention are one.
 *
 * <pre>
 * for each one or two panels of columns:
 *   for each sixteen rows:
 *     c = 0, or what is in memory
 *     for each step along k: c[row] += broadcast(a[row][step]) · b[step]     (or tile by tile with tdpbf16ps)
 *     store
 * </pre>
 *
 * Every element is one chain of additions along k, so its bits depend on nothing but its row and its column.
 */
final class AttentionProduct {
    /** Rows of a panel of A. */
    static final int ROWS = 16;

    static final int A = 0;
    /** Bytes from sixteen rows to the next sixteen. */
    static final int A_PANEL = 1;
    /** With two terms: bytes from the first term of A to the second, and of B. */
    static final int A_TERM = 2;

    static final int B_TERM = 3;
    static final int B = 4;
    static final int B_PANEL = 5;
    /** Blocks of k: as many steps as there are lanes, or 32 elements of bf16. */
    static final int BLOCKS = 6;
    /** Steps beyond the blocks; fp32 only. */
    static final int TAIL = 7;

    static final int C = 8;
    static final int C_PANEL = 9;
    /** Panels of sixteen rows. */
    static final int PANELS = 10;
    /** Groups of {@link Shape#columns} panels. */
    static final int GROUPS = 11;
    /** Not 0: c is added to. */
    static final int ACCUMULATE = 12;

    /** With {@link Shape#ahead}: memory that is needed next, asked for 1 KiB with every block of sixteen rows. */
    static final int AHEAD = 13;

    private static final int AHEAD_BYTES = 1024;

    /** Bytes of a block of bf16 of sixteen rows or columns. */
    static final int BF16_BLOCK = OperandPanel.BLOCK_BYTES;

    /** Whether the second term of A is multiplied, and of B; else the first. */
    private record Pair(boolean secondOfA, boolean secondOfB) {}

    /**
     * Which of the terms of factors are multiplied: a number is its leading bf16, or that and the bf16 of what is left.
     * The product of two small terms is below fp32's own rounding of the others.
     */
    enum Terms {
        ONE,
        TWO;

        private List<Pair> pairs() {
            return switch (this) {
                case ONE -> List.of(new Pair(false, false));
                case TWO -> List.of(new Pair(false, false), new Pair(true, false), new Pair(false, true));
            };
        }
    }

    /**
     * What code on vectors depends on: where row {@code r}, step {@code s} of A is.
     *
     * @param bf16 pairs of bf16 with {@code vdpbf16ps}, else fp32
     * @param bytes of a register
     * @param columns panels side by side, 1 or 2
     * @param row bytes from one row of sixteen to the next
     * @param step bytes from one step of a block to the next
     * @param block bytes from one block to the next
     * @param ahead whether memory is asked for what is needed next
     */
    record Shape(boolean bf16, int bytes, int columns, int row, int step, int block, boolean ahead) {
        int lanes() {
            return bytes / Float.BYTES;
        }

        /** Rows whose sums are in registers at a time. */
        int rows() {
            return bytes == 64 ? ROWS / columns : ROWS / 2 / columns;
        }
    }

    private static final Gp64 A_ROWS = RAX;
    private static final Gp64[] A_STEP = {RBX, RCX, R12, R13};
    private static final Gp64 B_GROUP = RDX;
    private static final Gp64[] B_STEP = {RSI, R8};
    private static final Gp64 OUT = R9;
    private static final Gp64 OUT_SECOND = R10;
    private static final Gp64 COUNT = R11;
    private static final Gp64 PANEL_COUNT = R14;
    private static final Gp64 OUT_ROWS = R15;
    private static final Gp64 LINE = RBP;

    private AttentionProduct() {}

    /** On vector registers. */
    static Code vectors(Shape shape) {
        return Leaf.of(a -> groups(a, shape.columns, () -> {
            Label panel = a.label("panel");
            a.bind(panel);
            for (int first = 0; first < ROWS; first += shape.rows()) {
                new Vectors(a, shape, first).emit();
            }
            a.add(A_ROWS, argument(A_PANEL));
            a.add(OUT_ROWS, (long) ROWS * shape.bytes);
            a.dec(PANEL_COUNT);
            a.jne(panel);
        }));
    }

    /** The loop over groups of columns; {@code rows} does all panels of rows. */
    private static void groups(Assembler a, int columns, Runnable rows) {
        Label group = a.label("group");
        a.mov(B_GROUP, argument(B));
        a.mov(OUT, argument(C));
        a.bind(group);
        a.mov(A_ROWS, argument(A));
        a.mov(OUT_ROWS, OUT);
        a.mov(PANEL_COUNT, argument(PANELS));
        rows.run();
        for (int i = 0; i < columns; i++) {
            a.add(B_GROUP, argument(B_PANEL));
            a.add(OUT, argument(C_PANEL));
        }
        a.dec(argument(GROUPS).bytes(8));
        a.jne(group);
    }

    /** Some rows of a panel. */
    private record Vectors(Assembler a, Shape shape, int first) {
        private Vec sum(int row, int column) {
            return Vec.of(shape.bytes, row * shape.columns + column);
        }

        private Vec right(int column) {
            return Vec.of(shape.bytes, shape.rows() * shape.columns + column);
        }

        private Vec left(int row) {
            return Vec.of(shape.bytes, shape.rows() * shape.columns + 2 + row % 2);
        }

        private void lines(boolean store) {
            for (int row = 0; row < shape.rows(); row++) {
                for (int column = 0; column < shape.columns; column++) {
                    Memory line = Memory.at(column == 0 ? OUT_ROWS : OUT_SECOND, (first + row) * shape.bytes);
                    if (store) {
                        a.vmovups(line, sum(row, column));
                    } else {
                        a.vmovups(sum(row, column), line);
                    }
                }
            }
        }

        void emit() {
            Label loaded = a.label("loaded");
            Label block = a.label("block");
            Label rest = a.label("rest");
            Label one = a.label("one");
            Label done = a.label("done");
            a.mov(OUT_SECOND, OUT_ROWS);
            a.add(OUT_SECOND, argument(C_PANEL));
            for (int row = 0; row < shape.rows(); row++) {
                for (int column = 0; column < shape.columns; column++) {
                    a.vxorps(sum(row, column), sum(row, column), sum(row, column));
                }
            }
            a.mov(COUNT, argument(ACCUMULATE));
            a.test(COUNT, COUNT);
            a.je(loaded);
            lines(false);
            a.bind(loaded);
            a.lea(A_STEP[0], Memory.at(A_ROWS, first * shape.row));
            a.mov(B_STEP[0], B_GROUP);
            a.mov(B_STEP[1], B_GROUP);
            a.add(B_STEP[1], argument(B_PANEL));
            a.mov(COUNT, argument(BLOCKS));
            a.test(COUNT, COUNT);
            a.je(rest);
            a.align(32);
            a.bind(block);
            if (shape.ahead && first == 0) {
                a.mov(B_STEP[1], argument(AHEAD));
                a.add(argument(AHEAD).bytes(8), AHEAD_BYTES);
            }
            for (int step = 0; step < shape.lanes(); step++) {
                if (shape.ahead && first == 0) {
                    a.prefetcht0(Memory.at(B_STEP[1], step * AHEAD_BYTES / shape.lanes()));
                }
                step(step);
            }
            forward(shape.block, shape.lanes());
            a.dec(COUNT);
            a.jne(block);
            a.bind(rest);
            if (!shape.bf16) {
                a.mov(COUNT, argument(TAIL));
                a.test(COUNT, COUNT);
                a.je(done);
                a.bind(one);
                step(0);
                forward(shape.step, 1);
                a.dec(COUNT);
                a.jne(one);
            }
            a.bind(done);
            lines(true);
        }

        private void forward(int left, int lines) {
            a.add(A_STEP[0], left);
            for (int column = 0; column < shape.columns; column++) {
                a.add(B_STEP[column], (long) lines * shape.bytes);
            }
        }

        private void step(int step) {
            for (int column = 0; column < shape.columns; column++) {
                a.vmovups(right(column), Memory.at(B_STEP[column], step * shape.bytes));
            }
            for (int row = 0; row < shape.rows(); row++) {
                a.vbroadcastss(left(row), Memory.at(A_STEP[0], row * shape.row + step * shape.step));
                for (int column = 0; column < shape.columns; column++) {
                    if (shape.bf16) {
                        a.vdpbf16ps(sum(row, column), right(column), left(row));
                    } else {
                        a.vfmadd231ps(sum(row, column), right(column), left(row));
                    }
                }
            }
        }
    }

    /** With one panel of columns three take turns, so that a load does not wait for the product before. */
    private static Tile a(int i, int columns) {
        return Tile.tmm(4 + i % (4 - columns));
    }

    private static Tile b(int j, int columns) {
        return Tile.tmm(8 - columns + j);
    }

    /** On tile registers: two panels of rows times two of columns, or four times one. */
    static Code tiles(int columns, Terms terms) {
        return Leaf.of(a -> {
            byte[] configuration = new byte[64];
            configuration[0] = 1;
            for (int tile = 0; tile < 8; tile++) {
                configuration[16 + 2 * tile] = 64;
                configuration[48 + tile] = 16;
            }
            a.ldtilecfg(a.constant(configuration));
            a.mov(LINE, 64);
            int together = 4 / columns;
            Label single = a.label("single");
            Label several = a.label("several");
            Label done = a.label("done");
            groups(a, columns, () -> {
                a.cmp(PANEL_COUNT, together);
                a.jl(single);
                a.bind(several);
                panels(a, together, columns, terms);
                a.sub(PANEL_COUNT, together);
                a.je(done);
                a.cmp(PANEL_COUNT, together);
                a.jge(several);
                a.bind(single);
                panels(a, 1, columns, terms);
                a.dec(PANEL_COUNT);
                a.jne(single);
                a.bind(done);
            });
            a.tilerelease();
        });
    }

    private static void panels(Assembler a, int rows, int columns, Terms terms) {
        Label zero = a.label("zero");
        Label begin = a.label("begin");
        Gp64[] out = {OUT_ROWS, OUT_SECOND};
        a.mov(OUT_SECOND, OUT_ROWS);
        a.add(OUT_SECOND, argument(C_PANEL));
        a.mov(COUNT, argument(ACCUMULATE));
        a.test(COUNT, COUNT);
        a.je(zero);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                a.tileloadd(c(i, j, columns), Memory.at(out[j], LINE, 1, 1024 * i));
            }
        }
        a.jmp(begin);
        a.bind(zero);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                a.tilezero(c(i, j, columns));
            }
        }
        a.bind(begin);
        for (Pair pair : terms.pairs()) {
            Label block = a.label("block");
            a.mov(A_STEP[0], A_ROWS);
            if (pair.secondOfA) {
                a.add(A_STEP[0], argument(A_TERM));
            }
            for (int i = 1; i < rows; i++) {
                a.mov(A_STEP[i], A_STEP[i - 1]);
                a.add(A_STEP[i], argument(A_PANEL));
            }
            a.mov(B_STEP[0], B_GROUP);
            if (pair.secondOfB) {
                a.add(B_STEP[0], argument(B_TERM));
            }
            if (columns > 1) {
                a.mov(B_STEP[1], B_STEP[0]);
                a.add(B_STEP[1], argument(B_PANEL));
            }
            a.mov(COUNT, argument(BLOCKS));
            a.bind(block);
            for (int j = 0; j < columns; j++) {
                a.tileloadd(b(j, columns), Memory.at(B_STEP[j], LINE, 1));
                a.add(B_STEP[j], BF16_BLOCK);
                for (int i = 0; i < rows; i++) {
                    if (j == 0) {
                        a.tileloadd(a(i, columns), Memory.at(A_STEP[i], LINE, 1));
                        a.add(A_STEP[i], BF16_BLOCK);
                    }
                    a.tdpbf16ps(c(i, j, columns), a(i, columns), b(j, columns));
                }
            }
            a.dec(COUNT);
            a.jne(block);
        }
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                a.tilestored(Memory.at(out[j], LINE, 1, 1024 * i), c(i, j, columns));
            }
            a.add(A_ROWS, argument(A_PANEL));
        }
        a.add(OUT_ROWS, 1024L * rows);
    }

    private static Tile c(int i, int j, int columns) {
        return Tile.tmm(columns * i + j);
    }
}
