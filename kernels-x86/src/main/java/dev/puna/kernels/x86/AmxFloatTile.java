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
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Tile;

/**
 * A tile of a bf16 product in AMX tile registers: up to 32 rows times up to 32 columns in four accumulators.
 *
 * <pre>
 * for each group of columns:
 *   c[2][2] = 0, or what is in memory
 *   for each block of 32 along k: c[i][j] += a[i] · b[j]        (tdpbf16ps)
 *   store
 * </pre>
 *
 * The tile configuration, which knows how many rows and columns there are at the edges, stands in the argument block.
 */
final class AmxFloatTile {
    static final int ROWS = 16;
    static final int COLUMNS = 16;

    static final int A = 0;
    /** Bytes from one panel of sixteen rows to the next. */
    static final int A_PANEL = 1;

    static final int B = 2;
    static final int B_PANEL = 3;
    static final int BLOCKS = 4;
    static final int C = 5;
    static final int C_STRIDE = 6;
    /** Not 0: c is added to. */
    static final int ACCUMULATE = 7;

    static final int GROUPS = 8;
    /** The operand of {@code ldtilecfg}: eight slots. */
    static final int CONFIGURATION = 24;

    private static final Gp64[] A_BLOCK = {RAX, RBX};
    private static final Gp64[] B_BLOCK = {RCX, RDX};
    private static final Gp64 LINE = RSI;
    private static final Gp64 OUT = R8;
    private static final Gp64 OUT_STRIDE = R9;
    private static final Gp64 OUT_SECOND = R10;
    private static final Gp64 COUNT = R11;
    private static final Gp64 GROUP_COUNT = R12;
    private static final Gp64 A_PANEL_BYTES = R13;
    private static final Gp64 B_PANEL_BYTES = R14;

    private AmxFloatTile() {}

    private static Tile c(int i, int j) {
        return Tile.tmm(2 * i + j);
    }

    private static Tile a(int i) {
        return Tile.tmm(4 + i);
    }

    private static Tile b(int j) {
        return Tile.tmm(6 + j);
    }

    /** The tile configuration for these rows and columns, 1 to 32 each. */
    static void configure(ArgumentBlock arguments, int rows, int columns) {
        long bytesPerRow0 = 0;
        long bytesPerRow1 = 0;
        long rowCounts = 0;
        for (int i = 0; i < 2; i++) {
            long tileRows = Math.clamp(rows - 16L * i, 0, 16);
            for (int j = 0; j < 2; j++) {
                long tileColumns = Math.clamp(columns - 16L * j, 0, 16);
                if (tileRows > 0 && tileColumns > 0) {
                    bytesPerRow0 |= (4 * tileColumns) << (16 * c(i, j).number());
                    rowCounts |= tileRows << (8 * c(i, j).number());
                }
            }
            if (tileRows > 0) {
                bytesPerRow1 |= 64L << (16 * (a(i).number() - 4));
                rowCounts |= tileRows << (8 * a(i).number());
            }
        }
        for (int j = 0; j < 2; j++) {
            long tileColumns = Math.clamp(columns - 16L * j, 0, 16);
            if (tileColumns > 0) {
                bytesPerRow1 |= (4 * tileColumns) << (16 * (b(j).number() - 4));
                rowCounts |= 16L << (8 * b(j).number());
            }
        }
        arguments
                .set(CONFIGURATION, 1L)
                .set(CONFIGURATION + 1, 0L)
                .set(CONFIGURATION + 2, bytesPerRow0)
                .set(CONFIGURATION + 3, bytesPerRow1)
                .set(CONFIGURATION + 4, 0L)
                .set(CONFIGURATION + 5, 0L)
                .set(CONFIGURATION + 6, rowCounts)
                .set(CONFIGURATION + 7, 0L);
    }

    /**
     * @param rowTiles 1 or 2
     * @param columnTiles 1 or 2
     */
    static Code code(int rowTiles, int columnTiles) {
        return Leaf.of(a -> {
            Label group = a.label("group");
            Label zero = a.label("zero");
            Label begin = a.label("begin");
            Label block = a.label("block");
            a.ldtilecfg(argument(CONFIGURATION));
            a.mov(OUT, argument(C));
            a.mov(OUT_STRIDE, argument(C_STRIDE));
            a.mov(A_PANEL_BYTES, argument(A_PANEL));
            a.mov(B_PANEL_BYTES, argument(B_PANEL));
            a.mov(GROUP_COUNT, argument(GROUPS));
            a.mov(LINE, 64);
            a.bind(group);
            a.mov(A_BLOCK[0], argument(A));
            a.lea(A_BLOCK[1], Memory.at(A_BLOCK[0], A_PANEL_BYTES, 1));
            a.mov(B_BLOCK[0], argument(B));
            a.lea(B_BLOCK[1], Memory.at(B_BLOCK[0], B_PANEL_BYTES, 1));
            a.mov(OUT_SECOND, OUT_STRIDE);
            a.shl(OUT_SECOND, 4);
            a.add(OUT_SECOND, OUT);
            a.mov(COUNT, argument(ACCUMULATE));
            a.test(COUNT, COUNT);
            a.je(zero);
            for (int i = 0; i < rowTiles; i++) {
                for (int j = 0; j < columnTiles; j++) {
                    a.tileloadd(c(i, j), Memory.at(i == 0 ? OUT : OUT_SECOND, OUT_STRIDE, 1, 64 * j));
                }
            }
            a.jmp(begin);
            a.bind(zero);
            for (int i = 0; i < rowTiles; i++) {
                for (int j = 0; j < columnTiles; j++) {
                    a.tilezero(c(i, j));
                }
            }
            a.bind(begin);
            a.mov(COUNT, argument(BLOCKS));
            a.align(32);
            a.bind(block);
            product(a, rowTiles, columnTiles);
            a.dec(COUNT);
            a.jne(block);
            for (int i = 0; i < rowTiles; i++) {
                for (int j = 0; j < columnTiles; j++) {
                    a.tilestored(Memory.at(i == 0 ? OUT : OUT_SECOND, OUT_STRIDE, 1, 64 * j), c(i, j));
                }
            }
            a.mov(B_BLOCK[0], argument(B));
            for (int j = 0; j < columnTiles; j++) {
                a.add(B_BLOCK[0], B_PANEL_BYTES);
            }
            a.mov(argument(B), B_BLOCK[0]);
            a.add(OUT, 64L * columnTiles);
            a.dec(GROUP_COUNT);
            a.jne(group);
            a.tilerelease();
        });
    }

    private static void product(Assembler a, int rowTiles, int columnTiles) {
        for (int j = 0; j < columnTiles; j++) {
            a.tileloadd(b(j), Memory.at(B_BLOCK[j], LINE, 1));
            for (int i = 0; i < rowTiles; i++) {
                if (j == 0) {
                    a.tileloadd(a(i), Memory.at(A_BLOCK[i], LINE, 1));
                }
                a.tdpbf16ps(c(i, j), a(i), b(j));
            }
        }
        for (int i = 0; i < rowTiles; i++) {
            a.add(A_BLOCK[i], OperandPanel.BLOCK_BYTES);
        }
        for (int j = 0; j < columnTiles; j++) {
            a.add(B_BLOCK[j], OperandPanel.BLOCK_BYTES);
        }
    }
}
