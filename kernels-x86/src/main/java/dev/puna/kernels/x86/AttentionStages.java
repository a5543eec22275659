package dev.puna.kernels.x86;

import dev.puna.kernels.x86.AttentionProduct.Terms;
import dev.puna.kernels.x86.AttentionSoftmax.Weights;
import dev.puna.kernels.x86.Gemm.Unit;
import dev.puna.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * The steps of attention as calls of generated code, all on scratch. Queries lie in lanes, keys and elements of heads in
 * rows; what multiplies is a {@link Unit}, and decides what factors look like:
 *
 * <ul>
 *   <li>a left factor of fp32 is rows of numbers, wherever they are; of bf16, panels of sixteen rows that are blocks of
 *       16 rows × 32 elements ({@link OperandPanel.Order#LANES});
 *   <li>a right factor is panels of as many columns as a register has lanes, a line for every step: a number, or a pair
 *       of bf16, of every column;
 *   <li>results are such panels, too.
 * </ul>
 *
 * Registers have 512 bits, or 256 and fp32 only.
 *
 * @param unit what multiplies
 * @param terms into how many bf16 a number is divided, so that their sum has 8 or 16 bits
 */
record AttentionStages(CodeCache codes, RowOperations rows, Unit unit, int terms) {
    /** Rows of a panel of a left factor; lanes of 512 bits. */
    static final int LANES = 16;

    static final int LINE = 64;

    /** Keys that are met at a time; blocks begin at multiples of it. */
    static final int KEYS = 128;

    /** Bytes of the scores of a panel of queries with a block of keys. */
    static final long SCORES_PANEL = (long) KEYS * LINE;

    /** Elements of bf16 in a block of a factor. */
    private static final int BF16_DEPTH = 32;

    private record TilesKey(int columns, Terms terms) {}

    private record TurnedKey(boolean divided) {}

    private record RowsKey(DType dtype, int size) {}

    private record PanelKey(boolean keys, int padded, int terms, int lines) {}

    private enum Plain {
        DOTS,
        REMAINDERS,
        COLUMNS
    }

    /**
     * A left factor.
     *
     * @param panel bytes from sixteen rows to the next
     * @param term bytes from the first to the second of two terms
     * @param row bytes from row to row
     * @param step bytes from step to step of a block
     * @param block bytes from block to block
     */
    record Left(long address, long panel, long term, int row, int step, int block) {}

    /** A right factor: panels of sixteen columns, and where its second term is. */
    record Right(long address, long panel, long term) {}

    /** Keys and values that are needed next: where, and bytes from row to row; none if that is 0. */
    record Ahead(long keys, long values, long stride) {
        static final Ahead NOTHING = new Ahead(0, 0, 0);

        int lines() {
            return (int) ((stride + LINE - 1) / LINE);
        }
    }

    /** Addresses in scratch, one after the other; made twice, first to know how much it is. */
    static final class Plan {
        private long at;

        Plan(long base) {
            this.at = base;
        }

        long take(long bytes) {
            long address = at;
            at += (bytes + LINE - 1) & -LINE;
            return address;
        }

        long end() {
            return at;
        }
    }

    boolean bf16() {
        return unit.bf16();
    }

    /** Bytes of a register. */
    int line() {
        return rows.bytes();
    }

    /** Columns of a panel. */
    int lanes() {
        return line() / Float.BYTES;
    }

    static int roundUp(int value, int multiple) {
        return (value + multiple - 1) / multiple * multiple;
    }

    /** Elements of a row of scratch for a head: whole registers. */
    static int padded(int headSize) {
        return roundUp(headSize, LANES);
    }

    /** Panels for so many columns: one, or an even number. */
    int panels(int columns) {
        int panels = (columns + lanes() - 1) / lanes();
        return panels <= 1 ? 1 : roundUp(panels, 2);
    }

    /** Bytes of a panel with {@code k} elements each. */
    long panelBytes(int k) {
        return bf16()
                ? (long) roundUp(k, BF16_DEPTH) / BF16_DEPTH * AttentionProduct.BF16_BLOCK
                : (long) roundUp(k, lanes()) * line();
    }

    /** Bytes of a packed factor with all its terms. */
    long factorBytes(int panels, int k) {
        return (long) terms * panels * panelBytes(k);
    }

    /** fp32 rows of {@code padded} elements as a left factor whose rows they are. */
    Left along(long address, int padded) {
        int row = padded * Float.BYTES;
        return new Left(address, (long) LANES * row, 0, row, Float.BYTES, line());
    }

    /** fp32 rows of {@code padded} elements as a left factor whose columns they are. */
    Left across(long address, int padded) {
        int row = padded * Float.BYTES;
        return new Left(address, (long) LANES * Float.BYTES, 0, Float.BYTES, row, lanes() * row);
    }

    /** fp32 panels of sixteen queries, a line for every key, as a left factor whose rows are keys. */
    static Left panelsOfKeys(long address) {
        return new Left(address, (long) LANES * LINE, 0, LINE, Float.BYTES, (int) SCORES_PANEL);
    }

    /** Packed bf16. */
    static Left packed(long address, long panel, long term) {
        return new Left(address, panel, term, LINE, 4, AttentionProduct.BF16_BLOCK);
    }

    /**
     * Packs fp32 rows into panels, which are of rows if {@code alongK}, else of columns; with two terms the rows are
     * lost.
     *
     * @param from rows of {@code padded} fp32
     * @param lanes rows, or columns
     * @param k the other of both
     * @param panel bytes from panel to panel
     */
    void pack(
            ArgumentBlock arguments,
            long from,
            int padded,
            int lanes,
            int k,
            boolean alongK,
            OperandPanel.Order order,
            long to,
            long panel,
            long term) {
        for (int i = 0; i < terms; i++) {
            if (i > 0) {
                arguments
                        .set(AttentionRows.LEFT, from)
                        .set(AttentionRows.COUNT, (long) (alongK ? lanes : k) * padded / LANES)
                        .call(codes.get(Plain.REMAINDERS, AttentionRows::remainders));
            }
            for (int lane = 0; lane < lanes; lane += LANES) {
                int perBlock = LANES * (bf16() ? 2 : 1);
                OperandPanel.Shape shape = new OperandPanel.Shape(
                        DType.F32, bf16(), alongK, order, Math.min(LANES, lanes - lane), k % perBlock);
                arguments
                        .set(OperandPanel.SOURCE, from + (alongK ? (long) lane * padded : lane) * Float.BYTES)
                        .set(OperandPanel.STRIDE, (long) padded * Float.BYTES)
                        .set(OperandPanel.BLOCKS, k / perBlock)
                        .set(OperandPanel.OUT, to + i * term + (long) (lane / LANES) * panel)
                        .call(codes.get(shape, () -> OperandPanel.code(shape)));
            }
        }
    }

    /** Packs fp32 rows of queries as a right factor whose columns they are; with two terms the rows are lost. */
    void packQueries(ArgumentBlock arguments, long from, int padded, int panels, int size, long to, long panel) {
        if (line() == LINE) {
            OperandPanel.Order order = OperandPanel.Order.STEPS;
            pack(arguments, from, padded, panels * LANES, size, true, order, to, panel, panels * panel);
            return;
        }
        arguments
                .set(AttentionRows.FROM, from)
                .set(AttentionRows.TO, to)
                .set(AttentionRows.PANELS, panels)
                .set(AttentionRows.SQUARES, roundUp(size, lanes()) / lanes())
                .set(AttentionRows.ROW_BYTES, (long) padded * Float.BYTES)
                .call(codes.get(Plain.COLUMNS, AttentionRows::columns256));
    }

    /** Rows of a cache or tensor, {@code stride} bytes apart, as fp32 rows of {@code padded} elements. */
    void load(ArgumentBlock arguments, DType dtype, int size, int count, long from, long stride, long to, int padded) {
        if (size % LANES == 0) {
            arguments
                    .set(AttentionPanel.FROM, from)
                    .set(AttentionPanel.STRIDE, stride)
                    .set(AttentionPanel.TO, to)
                    .set(AttentionPanel.COUNT, count)
                    .call(codes.get(new RowsKey(dtype, size), () -> AttentionPanel.rows(line(), dtype, size)));
            return;
        }
        RowOperations.vectors(arguments, 1, count, size)
                .set(RowKernels.TO_INNER, (long) padded * Float.BYTES)
                .set(RowKernels.FROM_INNER, stride)
                .set(RowKernels.FACTOR, 1f)
                .set(RowKernels.TO, to)
                .set(RowKernels.FROM, from)
                .call(rows.decode(dtype));
    }

    /** Packs rows of keys as a bf16 left factor whose rows they are, and asks memory for the next block. */
    void packKeys(ArgumentBlock arguments, long from, int padded, int count, long to, long panel, Ahead ahead) {
        arguments
                .set(AttentionPanel.NEXT_KEYS, ahead.keys)
                .set(AttentionPanel.NEXT_VALUES, ahead.values)
                .set(AttentionPanel.NEXT_STRIDE, ahead.stride);
        packWhole(
                arguments,
                from,
                (count + LANES - 1) / LANES,
                to,
                panel,
                KEYS / LANES * panel,
                codes.get(
                        new PanelKey(true, padded, terms, ahead.lines()),
                        () -> AttentionPanel.keys(padded, terms, ahead.lines())));
    }

    /** Packs rows of values as a bf16 left factor whose columns they are; rows up to the next 32nd are zero. */
    void packValues(ArgumentBlock arguments, long from, int padded, int count, long to, long panel) {
        packWhole(
                arguments,
                from,
                (count + BF16_DEPTH - 1) / BF16_DEPTH,
                to,
                panel,
                (long) (padded / LANES) * panel,
                codes.get(new PanelKey(false, padded, terms, 0), () -> AttentionPanel.values(padded, terms)));
    }

    private static void packWhole(
            ArgumentBlock arguments, long from, int count, long to, long panel, long term, MemorySegment code) {
        arguments
                .set(AttentionPanel.FROM, from)
                .set(AttentionPanel.TO, to)
                .set(AttentionPanel.PANEL, panel)
                .set(AttentionPanel.TERM, term)
                .set(AttentionPanel.COUNT, count)
                .call(code);
    }

    /**
     * {@code c (m, n) = a (m, k) · b (k, n)}, or added to c.
     *
     * @param m in panels of sixteen rows
     * @param n in panels of columns
     * @param cPanel bytes from panel to panel of c
     * @param pairs which terms are multiplied
     * @param ahead what is asked of memory meanwhile, or 0; fp32 and one panel of columns only
     */
    void product(
            ArgumentBlock arguments,
            Left left,
            Right right,
            int k,
            long c,
            long cPanel,
            int m,
            int n,
            boolean accumulate,
            Terms pairs,
            long ahead) {
        int columns = n % 2 == 0 ? 2 : 1;
        arguments
                .set(AttentionProduct.A, left.address)
                .set(AttentionProduct.A_PANEL, left.panel)
                .set(AttentionProduct.A_TERM, left.term)
                .set(AttentionProduct.B, right.address)
                .set(AttentionProduct.B_PANEL, right.panel)
                .set(AttentionProduct.B_TERM, right.term)
                .set(AttentionProduct.BLOCKS, bf16() ? (k + BF16_DEPTH - 1) / BF16_DEPTH : k / lanes())
                .set(AttentionProduct.TAIL, bf16() ? 0 : k % lanes())
                .set(AttentionProduct.C, c)
                .set(AttentionProduct.C_PANEL, cPanel)
                .set(AttentionProduct.PANELS, m)
                .set(AttentionProduct.GROUPS, n / columns)
                .set(AttentionProduct.AHEAD, ahead)
                .set(AttentionProduct.ACCUMULATE, accumulate ? 1L : 0L);
        if (unit == Unit.AMX_BF16) {
            arguments.call(codes.get(new TilesKey(columns, pairs), () -> AttentionProduct.tiles(columns, pairs)));
        } else {
            AttentionProduct.Shape shape = new AttentionProduct.Shape(
                    bf16(), line(), columns, left.row, left.step, left.block, ahead != 0 && columns == 1);
            arguments.call(codes.get(shape, () -> AttentionProduct.vectors(shape)));
        }
    }

    Weights weights() {
        return !bf16() ? Weights.F32 : terms == 1 ? Weights.BF16 : Weights.TWO_BF16;
    }

    void softmax(ArgumentBlock arguments, boolean masked) {
        AttentionSoftmax.Shape shape = new AttentionSoftmax.Shape(line(), weights(), masked);
        arguments.call(codes.get(shape, () -> AttentionSoftmax.code(shape)));
    }

    void slope(ArgumentBlock arguments, boolean masked) {
        AttentionSlope.Shape shape = new AttentionSlope.Shape(line(), bf16(), masked);
        arguments.call(codes.get(shape, () -> AttentionSlope.code(shape)));
    }

    /** Panels of queries to rows of {@code padded} elements, divided by {@code totals} unless that is 0. */
    void turn(ArgumentBlock arguments, long from, long to, int panels, int padded, long totals) {
        boolean divided = totals != 0;
        arguments
                .set(AttentionRows.FROM, from)
                .set(AttentionRows.TO, to)
                .set(AttentionRows.PANELS, panels)
                .set(AttentionRows.SQUARES, padded / lanes())
                .set(AttentionRows.TOTALS, totals)
                .call(codes.get(new TurnedKey(divided), () -> AttentionRows.turned(line(), divided)));
    }

    /** {@code to[i] = left[i] · right[i]} of rows of {@code padded} elements. */
    void dots(ArgumentBlock arguments, long left, long right, long to, int count, int padded) {
        arguments
                .set(AttentionRows.LEFT, left)
                .set(AttentionRows.RIGHT, right)
                .set(AttentionRows.TO, to)
                .set(AttentionRows.SQUARES, padded / LANES)
                .set(AttentionRows.COUNT, count)
                .call(codes.get(Plain.DOTS, AttentionRows::dots));
    }

    /**
     * Copies {@code outer × inner} vectors of {@code count} fp32 numbers times a factor, with byte strides of both loops
     * on both sides.
     */
    void copy(
            ArgumentBlock arguments,
            int outer,
            int inner,
            int count,
            long to,
            long toOuter,
            long toInner,
            long from,
            long fromOuter,
            long fromInner,
            float factor) {
        RowOperations.vectors(arguments, outer, inner, count)
                .set(RowKernels.TO, to)
                .set(RowKernels.TO_OUTER, toOuter)
                .set(RowKernels.TO_INNER, toInner)
                .set(RowKernels.FROM, from)
                .set(RowKernels.FROM_OUTER, fromOuter)
                .set(RowKernels.FROM_INNER, fromInner)
                .set(RowKernels.FACTOR, factor)
                .call(rows.decode(DType.F32));
    }
}
