package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R10;
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
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import dev.puna.kernels.blocks.Q8Block;
import dev.puna.tensor.DType;

/**
 * Keys and values as bf16 left factors of {@link AttentionProduct}, from fp32 rows of scratch: what {@link OperandPanel}
 * does for any matrix, here for whole panels at once, and a number as one or two terms: its own upper half, rounded, and
 * the upper half of what that leaves.
 */
final class AttentionPanel {
    static final int FROM = 0;
    static final int TO = 1;
    /** Bytes from panel to panel, and from the first term to the second. */
    static final int PANEL = 2;

    static final int TERM = 3;
    /** Panels of sixteen rows of keys; blocks of 32 rows of values. */
    static final int COUNT = 4;

    /** Arguments of {@link #keys} alone: the next block of the cache, and bytes from row to row. */
    static final int NEXT_KEYS = 5;

    static final int NEXT_VALUES = 6;
    static final int NEXT_STRIDE = 7;

    private static final Gp64 ROW = RSI;
    private static final Gp64 OUT = RDX;
    private static final Gp64 SECOND = RCX;
    private static final Gp64 LEFT = R8;
    private static final Gp64 STEP = R9;
    private static final Gp64 BLOCK_OUT = RBX;
    private static final Gp64 BLOCK_SECOND = R10;
    private static final Vec HALF = zmm(31);
    private static final Vec UPPER = zmm(30);

    private final Assembler a;
    private final int padded;
    private final boolean two;

    private AttentionPanel(Assembler a, int padded, int terms) {
        this.a = a;
        this.padded = padded;
        this.two = terms == 2;
    }

    /** Arguments of {@link #rows}, besides {@link #FROM}, {@link #TO} and {@link #COUNT}: bytes from row to row. */
    static final int STRIDE = 2;

    /** Bytes ahead that are asked for. */
    private static final int AHEAD = 2048;

    /**
     * Rows of {@code size} elements, a multiple of 16 and of the type's block, as fp32 without gaps: what {@link
     * RowKernels#decode} does for any size, here without inner loops, and asking memory for what comes next.
     */
    static Code rows(int bytes, DType dtype, int size) {
        int lanes = bytes / Float.BYTES;
        return Leaf.of(a -> {
            Label row = a.label("row");
            a.mov(ROW, argument(FROM));
            a.mov(OUT, argument(TO));
            a.mov(LEFT, argument(COUNT));
            a.mov(STEP, argument(STRIDE));
            a.align(32);
            a.bind(row);
            for (int at = 0; at < dtype.byteSize(size); at += 64) {
                a.prefetcht0(Memory.at(ROW, at + AHEAD));
            }
            for (int d = 0; d < size; d += lanes) {
                Vec x = Vec.of(bytes, d / lanes % 8);
                Vec scale = Vec.of(bytes, 8 + d / 32 % 8);
                int at = (int) dtype.byteSize(d - d % dtype.blockSize());
                Vec half = bytes == 64 ? scale.ymm() : scale.xmm();
                switch (dtype) {
                    case F32 -> a.vmovups(x, Memory.at(ROW, at));
                    case F16 -> a.vcvtph2ps(x, Memory.at(ROW, at));
                    case BF16 -> {
                        a.vpmovzxwd(x, Memory.at(ROW, at));
                        a.vpslld(x, x, 16);
                    }
                    case Q8_0 -> {
                        if (d % Q8Block.ELEMENTS == 0) {
                            a.vpbroadcastw(half, Memory.at(ROW, at + Q8Block.D));
                            a.vcvtph2ps(scale, half);
                        }
                        a.vpmovsxbd(x, Memory.at(ROW, at + Q8Block.Q + d % Q8Block.ELEMENTS));
                        a.vcvtdq2ps(x, x);
                        a.vmulps(x, x, scale);
                    }
                    default -> throw new IllegalArgumentException("no cache of " + dtype);
                }
                a.vmovups(Memory.at(OUT, 4 * d), x);
            }
            a.add(ROW, STEP);
            a.add(OUT, 4L * size);
            a.dec(LEFT);
            a.jne(row);
        });
    }

    private void constants() {
        a.vbroadcastss(HALF, a.constant(0x8000));
        a.vbroadcastss(UPPER, a.constant(0xFFFF0000));
    }

    /** {@code x} rounded to bf16, as fp32 in {@code first}; what that leaves in {@code x}. */
    private void split(Vec first, Vec x) {
        a.vpaddd(first, x, HALF);
        a.vpandd(first, first, UPPER);
        if (two) {
            a.vsubps(x, x, first);
        }
    }

    /**
     * Rows are keys, k runs along them:
     *
     * <pre>
     * for each panel of sixteen rows, for each 32 elements: a line of every row
     * </pre>
     *
     * Meanwhile memory is asked for the next block of the cache, which is needed after two products and a softmax.
     *
     * @param linesAhead lines of 64 bytes of a row of the cache
     */
    static Code keys(int padded, int terms, int linesAhead) {
        return Leaf.of(a -> new AttentionPanel(a, padded, terms).keys(linesAhead));
    }

    private void keys(int linesAhead) {
        Label panel = a.label("panel");
        Label row = a.label("row");
        Vec words = zmm(29);
        short[] upper = new short[32];
        for (int i = 0; i < 32; i++) {
            upper[i] = (short) (2 * i + 1);
        }
        constants();
        a.vmovdqu16(words, a.constant(upper));
        a.mov(ROW, argument(FROM));
        a.mov(BLOCK_OUT, argument(TO));
        a.mov(LEFT, argument(COUNT));
        a.mov(RAX, argument(NEXT_KEYS));
        a.mov(R10, argument(NEXT_VALUES));
        a.bind(panel);
        a.mov(OUT, BLOCK_OUT);
        a.mov(SECOND, OUT);
        a.add(SECOND, argument(TERM));
        a.mov(STEP, 16);
        a.align(16);
        a.bind(row);
        for (int line = 0; line < linesAhead; line++) {
            a.prefetcht1(Memory.at(RAX, 64 * line));
            a.prefetcht1(Memory.at(R10, 64 * line));
        }
        a.add(RAX, argument(NEXT_STRIDE));
        a.add(R10, argument(NEXT_STRIDE));
        for (int d = 0; d < padded; d += 32) {
            Vec low = zmm(d / 32 % 4 * 4);
            Vec high = zmm(low.number() + 1);
            Vec first = zmm(low.number() + 2);
            Vec second = zmm(low.number() + 3);
            int line = d / 32 * AttentionProduct.BF16_BLOCK;
            a.vmovups(low, Memory.at(ROW, 4 * d));
            split(first, low);
            if (d + 16 < padded) {
                a.vmovups(high, Memory.at(ROW, 4 * d + 64));
                split(second, high);
            } else {
                a.vpxord(high, high, high);
                a.vpxord(second, second, second);
            }
            a.vpermt2w(first, words, second);
            a.vmovups(Memory.at(OUT, line), first);
            if (two) {
                a.vcvtne2ps2bf16(low, high, low);
                a.vmovups(Memory.at(SECOND, line), low);
            }
        }
        a.add(ROW, 4L * padded);
        a.add(OUT, 64);
        a.add(SECOND, 64);
        a.dec(STEP);
        a.jne(row);
        a.add(BLOCK_OUT, argument(PANEL));
        a.dec(LEFT);
        a.jne(panel);
    }

    /**
     * Rows are elements, k runs over keys:
     *
     * <pre>
     * for each 32 keys, for each sixteen elements:
     *   sixteen pairs of rows side by side, transposed: a line of every element
     * </pre>
     */
    static Code values(int padded, int terms) {
        return Leaf.of(a -> new AttentionPanel(a, padded, terms).values());
    }

    private void values() {
        Label block = a.label("block");
        Label columns = a.label("columns");
        constants();
        a.mov(RAX, argument(FROM));
        a.mov(BLOCK_OUT, argument(TO));
        a.mov(LEFT, argument(COUNT));
        a.bind(block);
        a.mov(ROW, RAX);
        a.mov(OUT, BLOCK_OUT);
        a.mov(STEP, padded / 16);
        a.bind(columns);
        for (int term = 0; term < (two ? 2 : 1); term++) {
            for (int i = 0; i < 16; i++) {
                pair(zmm(i), 2 * i, term);
            }
            Vec[] lines = Transposition.emit(a);
            if (term > 0) {
                a.mov(BLOCK_SECOND, OUT);
                a.add(BLOCK_SECOND, argument(TERM));
            }
            for (int i = 0; i < 16; i++) {
                a.vmovups(Memory.at(term == 0 ? OUT : BLOCK_SECOND, 64 * i), lines[i]);
            }
        }
        a.add(ROW, 64);
        a.add(OUT, argument(PANEL));
        a.dec(STEP);
        a.jne(columns);
        a.add(RAX, 32L * 4 * padded);
        a.add(BLOCK_OUT, AttentionProduct.BF16_BLOCK);
        a.dec(LEFT);
        a.jne(block);
    }

    /** Sixteen elements of rows {@code row} and {@code row + 1} as pairs of bf16. */
    private void pair(Vec line, int row, int term) {
        Vec even = zmm(18 + row / 2 % 3 * 4);
        Vec odd = zmm(even.number() + 1);
        a.vmovups(even, Memory.at(ROW, row * 4 * padded));
        a.vmovups(odd, Memory.at(ROW, (row + 1) * 4 * padded));
        if (term > 0) {
            Vec first = zmm(even.number() + 2);
            split(first, even);
            split(first, odd);
        }
        a.vpaddd(even, even, HALF);
        a.vpaddd(odd, odd, HALF);
        a.vpsrld(line, even, 16);
        a.comment("line | odd & upper half");
        a.vpternlogd(line, odd, UPPER, 0xF8);
    }
}
