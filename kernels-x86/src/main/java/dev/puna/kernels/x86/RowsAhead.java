package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.tensor.DType;

/**
 * Asks memory for {@link SixteenRows} before they are used, about once for every cache line: each row some kilobytes
 * ahead into the second cache, and where a row ends, from the beginning of the row sixteen further. Formats with small
 * blocks take turns: of a period of 2 or 4 blocks, which is about a line, each block asks for its share of the rows.
 *
 * <p>Only the order in which memory is touched depends on this, never a result. Registers: 12, 14 and 15.
 */
final class RowsAhead {
    /** How far ahead. Into the first cache at most a tenth of that would fit. */
    private static final int DISTANCE = 2400;

    private static final int LINE = 64;

    /** Bytes ahead of a row's beginning. */
    private static final int AHEAD = 24;
    /** Periods from there to the end of a row. */
    private static final int PERIODS = 25;
    /** From after the last row of a period back to the first row of the next. */
    private static final int BACK = 26;
    /** From the end of a row to the row sixteen further. */
    private static final int NEXT = 27;
    /** Lines at the beginning of the first rows, which nothing before them has asked for. */
    private static final int FIRST_LINES = 28;

    private static final Gp64 POINTER = R12;
    private static final Gp64 PERIODS_LEFT = R14;
    /** Row 8 of the period where a period is a block. */
    private static final Gp64 EIGHTH = R15;
    /** Blocks until the period's end where it is several. */
    private static final Gp64 BLOCKS_LEFT = R15;

    private final int blockBytes;
    private final int groups;
    private final int period;

    RowsAhead(DType dtype) {
        this.blockBytes = dtype.bytesPerBlock();
        this.groups = dtype.blockSize() / QuantizedRows.BLOCK;
        int blocks = 1;
        while (groups == 1 && 2 * blocks * blockBytes <= LINE + 8) {
            blocks *= 2;
        }
        this.period = blocks;
    }

    /** Sets this generator's arguments. */
    void set(ArgumentBlock arguments, long rowBytes) {
        long periodBytes = (long) period * blockBytes;
        long periods = rowBytes / periodBytes;
        long ahead = Math.clamp((DISTANCE + periodBytes - 1) / periodBytes, 0, Math.max(0, periods - 1));
        arguments
                .set(AHEAD, ahead * periodBytes)
                .set(PERIODS, Math.max(1, periods - ahead))
                .set(BACK, SixteenRows.ROWS * rowBytes - periodBytes)
                .set(NEXT, SixteenRows.ROWS * rowBytes - periods * periodBytes)
                .set(FIRST_LINES, (ahead * periodBytes + LINE) / LINE);
    }

    /** Before the first sixteen rows; {@link SixteenRows#FIRST} is set. */
    void begin(Assembler a) {
        Label line = a.label("line-ahead");
        a.mov(POINTER, SixteenRows.FIRST);
        a.lea(EIGHTH, Memory.at(POINTER, SixteenRows.STRIDE, 8));
        a.mov(PERIODS_LEFT, argument(FIRST_LINES));
        a.bind(line);
        for (int row = 0; row < SixteenRows.ROWS; row++) {
            a.prefetcht1(SixteenRows.row(row, POINTER, EIGHTH, 0));
        }
        a.add(POINTER, LINE);
        a.add(EIGHTH, LINE);
        a.dec(PERIODS_LEFT);
        a.jne(line);
    }

    /** At the beginning of every sixteen rows. */
    void beginRows(Assembler a) {
        a.mov(POINTER, SixteenRows.FIRST);
        a.add(POINTER, argument(AHEAD));
        a.mov(PERIODS_LEFT, argument(PERIODS));
        if (period == 1) {
            a.lea(EIGHTH, Memory.at(POINTER, SixteenRows.STRIDE, 8));
        } else {
            a.mov(BLOCKS_LEFT, period);
        }
    }

    /** In each group of a block: its share of the lines. */
    void ask(Assembler a, int group) {
        if (period > 1) {
            for (int row = 0; row < SixteenRows.ROWS / period; row++) {
                a.prefetcht1(SixteenRows.row(row, POINTER, POINTER, 0));
            }
            return;
        }
        int lines = (blockBytes + LINE - 1) / LINE * SixteenRows.ROWS;
        for (int i = lines * group / groups; i < lines * (group + 1) / groups; i++) {
            a.prefetcht1(SixteenRows.row(i % SixteenRows.ROWS, POINTER, EIGHTH, i / SixteenRows.ROWS * LINE));
        }
    }

    /** After each block. */
    void advance(Assembler a) {
        Label within = a.label("within");
        if (period > 1) {
            a.lea(POINTER, Memory.at(POINTER, SixteenRows.STRIDE, SixteenRows.ROWS / period));
            a.dec(BLOCKS_LEFT);
            a.jne(within);
            a.mov(BLOCKS_LEFT, period);
            a.sub(POINTER, argument(BACK));
        } else {
            a.add(POINTER, blockBytes);
            a.add(EIGHTH, blockBytes);
        }
        a.dec(PERIODS_LEFT);
        a.jne(within);
        a.add(POINTER, argument(NEXT));
        if (period == 1) {
            a.add(EIGHTH, argument(NEXT));
        }
        a.bind(within);
    }
}
