package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.ymm;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Eight consecutive rows of a quantized matrix, read side by side straight from the file's layout: how their addresses
 * are formed, and how eight registers that belong to eight rows become one with a row per lane. What {@link
 * SixteenRows} is for 512 bits.
 */
final class Avx2Rows {
    static final int ROWS = 8;

    /** Row 0 at the current block. */
    static final Gp64 FIRST = RSI;

    /** Bytes from row to row, and its multiples. */
    static final Gp64 STRIDE = RCX;

    private static final Gp64 STRIDE_3 = R8;
    private static final Gp64 STRIDE_5 = R9;
    private static final Gp64 STRIDE_7 = R10;

    private Avx2Rows() {}

    /** Once per kernel: {@link #STRIDE} is set. */
    static void prepare(Assembler a) {
        a.lea(STRIDE_3, Memory.at(STRIDE, STRIDE, 2));
        a.lea(STRIDE_5, Memory.at(STRIDE, STRIDE, 4));
        a.lea(STRIDE_7, Memory.at(STRIDE_3, STRIDE, 4));
    }

    /** The address of row {@code row} plus {@code displacement}. */
    static Memory row(int row, int displacement) {
        return row(row, FIRST, displacement);
    }

    /** The same for eight rows that begin elsewhere. */
    static Memory row(int row, Gp64 first, int displacement) {
        return switch (row) {
            case 0 -> Memory.at(first, displacement);
            case 1 -> Memory.at(first, STRIDE, 1, displacement);
            case 2 -> Memory.at(first, STRIDE, 2, displacement);
            case 3 -> Memory.at(first, STRIDE_3, 1, displacement);
            case 4 -> Memory.at(first, STRIDE, 4, displacement);
            case 5 -> Memory.at(first, STRIDE_5, 1, displacement);
            case 6 -> Memory.at(first, STRIDE_3, 2, displacement);
            default -> Memory.at(first, STRIDE_7, 1, displacement);
        };
    }

    /** An fp16 number of every row as fp32, a row per lane. */
    static void halfPrecision(Assembler a, Vec to, int displacement) {
        a.vpxor(to.xmm(), to.xmm(), to.xmm());
        for (int row = 0; row < ROWS; row++) {
            a.vpinsrw(to.xmm(), to.xmm(), row(row, displacement).bytes(2), row);
        }
        a.vcvtph2ps(to, to.xmm());
    }

    /** Sixteen bytes of every row into registers 0 to 3: doubleword i of every row, a row per lane, into register i. */
    static void columns(Assembler a, int displacement) {
        for (int row = 0; row < 4; row++) {
            a.vmovdqu(ymm(row).xmm(), row(row, displacement));
            a.vinserti128(ymm(row), ymm(row), row(row + 4, displacement), 1);
        }
        a.vpunpckldq(ymm(4), ymm(0), ymm(1));
        a.vpunpckhdq(ymm(5), ymm(0), ymm(1));
        a.vpunpckldq(ymm(6), ymm(2), ymm(3));
        a.vpunpckhdq(ymm(7), ymm(2), ymm(3));
        a.vpunpcklqdq(ymm(0), ymm(4), ymm(6));
        a.vpunpckhqdq(ymm(1), ymm(4), ymm(6));
        a.vpunpcklqdq(ymm(2), ymm(5), ymm(7));
        a.vpunpckhqdq(ymm(3), ymm(5), ymm(7));
    }

    /**
     * Sums of the 32-bit lanes of registers 0 to 7, a row per lane, in register 0; or, with {@code halves}, of the lower
     * lanes in register 0 and of the upper ones in register 1. Overwrites 8 and 9 as well.
     */
    static void sums(Assembler a, boolean halves) {
        for (int i = 0; i < ROWS; i += 2) {
            add(a, i, i + 1, true);
        }
        for (int i = 0; i < ROWS; i += 4) {
            add(a, i, i + 2, false);
        }
        a.vperm2i128(ymm(1), ymm(0), ymm(4), 0x31);
        a.vperm2i128(ymm(0), ymm(0), ymm(4), 0x20);
        if (!halves) {
            a.vpaddd(ymm(0), ymm(0), ymm(1));
        }
    }

    /** Unpacks both and adds the results, into the first. */
    private static void add(Assembler a, int first, int second, boolean doublewords) {
        if (doublewords) {
            a.vpunpckldq(ymm(8), ymm(first), ymm(second));
            a.vpunpckhdq(ymm(9), ymm(first), ymm(second));
        } else {
            a.vpunpcklqdq(ymm(8), ymm(first), ymm(second));
            a.vpunpckhqdq(ymm(9), ymm(first), ymm(second));
        }
        a.vpaddd(ymm(first), ymm(8), ymm(9));
    }
}
