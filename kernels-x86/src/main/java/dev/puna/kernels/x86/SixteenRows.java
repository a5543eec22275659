package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.zmm;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Gp32;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Sixteen consecutive rows of a quantized matrix, read side by side straight from the file's layout: how their
 * addresses are formed, and how sixteen vectors that belong to sixteen rows become one vector with a row per lane.
 *
 * <p>The weights of a group of 32 elements come in one of two layouts, as the file stores them:
 *
 * <ul>
 *   <li>{@link #HALVES}: eight registers; number {@code j} has 32 weights of row {@code j} in its low half and of row
 *       {@code j + 8} in its high half;
 *   <li>{@link #QUARTERS}: twice four registers; number {@code j} has 16 weights of rows {@code j}, {@code j + 4},
 *       {@code j + 8}, {@code j + 12} in its quarters: first the first 16 of the group, then the second.
 * </ul>
 */
enum SixteenRows {
    HALVES,
    QUARTERS;

    static final int ROWS = 16;

    /** Row 0 at the current block. */
    static final Gp64 FIRST = RSI;

    /** Row 8 at the current block. */
    static final Gp64 EIGHTH = RDX;

    /** Bytes from row to row, and its multiples. */
    static final Gp64 STRIDE = RCX;

    static final Gp64 STRIDE_3 = R8;
    static final Gp64 STRIDE_5 = R9;
    static final Gp64 STRIDE_7 = R10;

    /** What the generators of products and panels use; decoders keep off these and off the accumulators 0 to 7. */
    private static final Vec TEMPORARY = zmm(8);

    static final Vec LOW_INDEX = zmm(21);
    static final Vec HIGH_INDEX = zmm(22);

    /** Byte offsets of the sixteen rows, for gathers. */
    static final Vec ROW_OFFSETS = zmm(23);

    /** Once per kernel: {@link #STRIDE} is set. */
    void prepare(Assembler a) {
        a.lea(STRIDE_3, Memory.at(STRIDE, STRIDE, 2));
        a.lea(STRIDE_5, Memory.at(STRIDE, STRIDE, 4));
        a.lea(STRIDE_7, Memory.at(STRIDE_3, STRIDE, 4));
        a.vpbroadcastd(ROW_OFFSETS, Gp32.ECX);
        a.vpmulld(ROW_OFFSETS, ROW_OFFSETS, a.constant(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
        if (this == HALVES) {
            a.vmovdqu64(LOW_INDEX, a.constant(0L, 1, 8, 9, 4, 5, 12, 13));
            a.vmovdqu64(HIGH_INDEX, a.constant(2L, 3, 10, 11, 6, 7, 14, 15));
        }
    }

    /** The address of row {@code row} (0 to 15) plus {@code displacement}. */
    static Memory row(int row, int displacement) {
        return row(row, FIRST, EIGHTH, displacement);
    }

    /** The same for sixteen rows that begin elsewhere. */
    static Memory row(int row, Gp64 first, Gp64 eighth, int displacement) {
        Gp64 base = row < 8 ? first : eighth;
        return switch (row % 8) {
            case 0 -> Memory.at(base, displacement);
            case 1 -> Memory.at(base, STRIDE, 1, displacement);
            case 2 -> Memory.at(base, STRIDE, 2, displacement);
            case 3 -> Memory.at(base, STRIDE_3, 1, displacement);
            case 4 -> Memory.at(base, STRIDE, 4, displacement);
            case 5 -> Memory.at(base, STRIDE_5, 1, displacement);
            case 6 -> Memory.at(base, STRIDE_3, 2, displacement);
            default -> Memory.at(base, STRIDE_7, 1, displacement);
        };
    }

    /** 32 bytes of rows {@code j} and {@code j + 8} in the halves of {@code to}. */
    static void loadHalves(Assembler a, Vec to, int j, int displacement) {
        a.vmovdqu(to.ymm(), row(j, displacement));
        a.vinserti64x4(to, to, row(j + 8, displacement), 1);
    }

    /** 16 bytes of rows {@code j, j + 4, j + 8, j + 12} in the quarters of {@code to}. */
    static void loadQuarters(Assembler a, Vec to, int j, int displacement) {
        a.vmovdqu(to.xmm(), row(j, displacement));
        for (int quarter = 1; quarter < 4; quarter++) {
            a.vinserti32x4(to, to, row(j + 4 * quarter, displacement), quarter);
        }
    }

    /** Four bytes of every row, a row per lane. */
    static void gather(Assembler a, Vec to, int displacement) {
        a.kxnorw(Mask.K1, Mask.K1, Mask.K1);
        a.vpxord(to, to, to);
        a.vpgatherdd(to.mask(Mask.K1), Memory.at(FIRST, ROW_OFFSETS, 1, displacement));
    }

    /**
     * Sums of the 32-bit lanes of the accumulators 0 to 7 (0 to 3 with QUARTERS), a row per lane, for groups of 32; in
     * register 0.
     */
    void sumGroup(Assembler a) {
        switch (this) {
            case HALVES -> {
                sumHalfGroups(a);
                a.vpaddd(zmm(0), zmm(0), zmm(1));
            }
            case QUARTERS -> sumFours(a, 0);
        }
    }

    /** The same for the first and the second 16 elements apart (HALVES only): in registers 0 and 1. */
    void sumHalfGroups(Assembler a) {
        if (this == QUARTERS) {
            throw new IllegalStateException("no format in quarters has scales for 16 elements");
        }
        sumFours(a, 0);
        sumFours(a, 4);
        a.vmovdqa64(zmm(1), zmm(0));
        a.vpermt2q(zmm(0), LOW_INDEX, zmm(4));
        a.vpermt2q(zmm(1), HIGH_INDEX, zmm(4));
    }

    /** In each quarter: lane i becomes the sum over the quarter of register {@code first + i}. */
    private static void sumFours(Assembler a, int first) {
        sumPairs(a, first);
        sumPairs(a, first + 2);
        Vec high = zmm(9);
        a.vpunpcklqdq(TEMPORARY, zmm(first), zmm(first + 2));
        a.vpunpckhqdq(high, zmm(first), zmm(first + 2));
        a.vpaddd(zmm(first), TEMPORARY, high);
    }

    private static void sumPairs(Assembler a, int first) {
        Vec high = zmm(9);
        a.vpunpckldq(TEMPORARY, zmm(first), zmm(first + 1));
        a.vpunpckhdq(high, zmm(first), zmm(first + 1));
        a.vpaddd(zmm(first), TEMPORARY, high);
    }

    /**
     * Turns the weights of a group in registers 0 to 7 into eight registers with four consecutive weights of each row
     * per lane, elements 0 to 3 first.
     *
     * @return the eight registers in order; 8 to 15 are overwritten
     */
    Vec[] transpose(Assembler a) {
        fourByFour(a, 0);
        fourByFour(a, 4);
        return switch (this) {
            case QUARTERS -> registers(0, 1, 2, 3, 4, 5, 6, 7);
            case HALVES -> {
                // Registers 0 to 3 have rows 0–3 and 8–11, registers 4 to 7 rows 4–7 and 12–15.
                for (int i = 0; i < 4; i++) {
                    a.vmovdqa64(zmm(8 + i), zmm(i));
                    a.vpermt2q(zmm(i), LOW_INDEX, zmm(4 + i));
                    a.vpermt2q(zmm(8 + i), HIGH_INDEX, zmm(4 + i));
                }
                yield registers(0, 1, 2, 3, 8, 9, 10, 11);
            }
        };
    }

    /** Transposes the 4×4 doublewords in each quarter of registers {@code first …  first + 3}. */
    private static void fourByFour(Assembler a, int first) {
        a.vpunpckldq(zmm(8), zmm(first), zmm(first + 1));
        a.vpunpckhdq(zmm(9), zmm(first), zmm(first + 1));
        a.vpunpckldq(zmm(10), zmm(first + 2), zmm(first + 3));
        a.vpunpckhdq(zmm(11), zmm(first + 2), zmm(first + 3));
        a.vpunpcklqdq(zmm(first), zmm(8), zmm(10));
        a.vpunpckhqdq(zmm(first + 1), zmm(8), zmm(10));
        a.vpunpcklqdq(zmm(first + 2), zmm(9), zmm(11));
        a.vpunpckhqdq(zmm(first + 3), zmm(9), zmm(11));
    }

    private static Vec[] registers(int... numbers) {
        Vec[] registers = new Vec[numbers.length];
        for (int i = 0; i < numbers.length; i++) {
            registers[i] = zmm(numbers[i]);
        }
        return registers;
    }
}
