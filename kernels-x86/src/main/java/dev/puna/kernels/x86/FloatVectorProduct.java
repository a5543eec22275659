package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R11;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Vec.zmm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp32;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Masked;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import dev.puna.tensor.DType;

/**
 * A few rows of activations times weights that stream from the file's own layout, sixteen rows of weights side by side:
 *
 * <pre>
 * for each sixteen rows of w:
 *   y[tokens] = 0                                  (a lane for every row of w)
 *   for each 64 bytes of the rows (32 of F16):
 *     prefetch the same bytes of the next sixteen rows
 *     transpose them: a register for every k, or for every two of BF16
 *     for each k, for each token: y[token] = fma(w[k], x[token][k], y[token])
 * </pre>
 *
 * Every element is one chain of fp32 additions along k: the bits of {@link FmaTile}.
 */
final class FloatVectorProduct {
    /** Rows of weights side by side. */
    static final int LANES = 16;

    static final int MAX_TOKENS = 4;

    static final int W = 0;
    static final int W_STRIDE = 1;
    /** Groups of sixteen rows of weights. */
    static final int SIXTEENS = 2;
    /** Whole blocks of a row; the rest is known to the code. */
    static final int BLOCKS = 3;

    static final int X = 4;
    static final int X_STRIDE = 5;
    static final int Y = 6;
    static final int Y_STRIDE = 7;

    private static final Gp64 TOKEN = RAX;
    private static final Gp64 TOKEN_STRIDE = RBX;
    private static final Gp64 TOKEN_STRIDE_3 = RBP;
    /** Rows 0 and 8 of the next sixteen. */
    private static final Gp64 AHEAD = R11;

    private static final Gp64 AHEAD_EIGHTH = R12;
    private static final Gp64 COUNT = R13;
    private static final Gp64 GROUPS = R14;
    private static final Gp64 OUT = R15;

    private static final Mask ELEMENTS = Mask.K1;
    private static final Mask ROWS = Mask.K2;
    private static final Vec EVEN = zmm(30);
    private static final Vec ODD = zmm(29);
    private static final Vec UPPER_HALF = zmm(28);

    /**
     * What the code depends on.
     *
     * @param dtype F32, F16 or BF16
     * @param tokens 1 to {@link #MAX_TOKENS}
     * @param lanes rows of weights that exist, 1 to 16
     * @param tail elements of a row beyond its whole blocks
     */
    record Shape(DType dtype, int tokens, int lanes, int tail) {
        static int elementsPerBlock(DType dtype) {
            return dtype == DType.BF16 ? 32 : 16;
        }
    }

    private final Assembler a;
    private final Shape shape;

    private FloatVectorProduct(Assembler a, Shape shape) {
        this.a = a;
        this.shape = shape;
    }

    static Code code(Shape shape) {
        return Leaf.of(a -> new FloatVectorProduct(a, shape).emit());
    }

    private static Vec sum(int token) {
        return zmm(17 + token);
    }

    private static Memory token(Gp64 base, int token, int displacement) {
        return switch (token) {
            case 0 -> Memory.at(base, displacement);
            case 1 -> Memory.at(base, TOKEN_STRIDE, 1, displacement);
            case 2 -> Memory.at(base, TOKEN_STRIDE, 2, displacement);
            default -> Memory.at(base, TOKEN_STRIDE_3, 1, displacement);
        };
    }

    private void tokenStride(int slot) {
        a.mov(TOKEN_STRIDE, argument(slot));
        a.lea(TOKEN_STRIDE_3, Memory.at(TOKEN_STRIDE, TOKEN_STRIDE, 2));
    }

    private void emit() {
        int perBlock = Shape.elementsPerBlock(shape.dtype);
        Label sixteen = a.label("sixteen");
        Label block = a.label("block");
        Label rest = a.label("rest");
        Gp64 stride = SixteenRows.STRIDE;
        a.mov(GROUPS, argument(SIXTEENS));
        a.mov(stride, argument(W_STRIDE));
        a.lea(SixteenRows.STRIDE_3, Memory.at(stride, stride, 2));
        a.lea(SixteenRows.STRIDE_5, Memory.at(stride, stride, 4));
        a.lea(SixteenRows.STRIDE_7, Memory.at(SixteenRows.STRIDE_3, stride, 4));
        a.mov(OUT, argument(Y));
        mask(ROWS, shape.lanes);
        if (shape.dtype == DType.BF16) {
            a.mov(Gp32.EAX, 0xFFFF0000);
            a.vpbroadcastd(UPPER_HALF, Gp32.EAX);
        }
        a.bind(sixteen);
        a.mov(SixteenRows.FIRST, argument(W));
        a.lea(SixteenRows.EIGHTH, Memory.at(SixteenRows.FIRST, stride, 8));
        a.lea(AHEAD, Memory.at(SixteenRows.EIGHTH, stride, 8));
        a.mov(argument(W), AHEAD);
        a.lea(AHEAD_EIGHTH, Memory.at(AHEAD, stride, 8));
        tokenStride(X_STRIDE);
        for (int token = 0; token < shape.tokens; token++) {
            a.vpxord(sum(token), sum(token), sum(token));
        }
        mask(ELEMENTS, perBlock);
        a.mov(TOKEN, argument(X));
        a.mov(COUNT, argument(BLOCKS));
        a.test(COUNT, COUNT);
        a.je(rest);
        a.align(32);
        a.bind(block);
        block(perBlock);
        long bytes = (long) perBlock * shape.dtype.bytesPerBlock();
        for (Gp64 pointer : new Gp64[] {SixteenRows.FIRST, SixteenRows.EIGHTH, AHEAD, AHEAD_EIGHTH}) {
            a.add(pointer, bytes);
        }
        a.add(TOKEN, (long) perBlock * Float.BYTES);
        a.dec(COUNT);
        a.jne(block);
        a.bind(rest);
        if (shape.tail > 0) {
            a.mov(COUNT, TOKEN);
            mask(ELEMENTS, shape.tail);
            a.mov(TOKEN, COUNT);
            block(shape.tail);
        }
        tokenStride(Y_STRIDE);
        for (int token = 0; token < shape.tokens; token++) {
            a.vmovups(new Masked(token(OUT, token, 0), ROWS, false), sum(token));
        }
        a.add(OUT, (long) LANES * Float.BYTES);
        a.dec(GROUPS);
        a.jne(sixteen);
    }

    private void mask(Mask mask, int count) {
        a.mov(Gp32.EAX, count >= 32 ? -1 : (1 << count) - 1);
        a.kmovd(mask, Gp32.EAX);
    }

    private void block(int elements) {
        for (int row = 0; row < LANES; row++) {
            Vec line = zmm(row);
            if (row >= shape.lanes) {
                a.vpxord(line, line, line);
                continue;
            }
            Memory from = SixteenRows.row(row, 0);
            if (shape.dtype == DType.BF16) {
                a.vmovdqu16(line.maskz(ELEMENTS), from);
            } else {
                OperandPanel.widened(a, shape.dtype, line, from, ELEMENTS);
            }
            a.prefetcht1(SixteenRows.row(row, AHEAD, AHEAD_EIGHTH, 0));
        }
        Vec[] columns = Transposition.emit(a);
        if (shape.dtype == DType.BF16) {
            for (int pair = 0; 2 * pair < elements; pair++) {
                a.vpslld(EVEN, columns[pair], 16);
                multiply(EVEN, 2 * pair);
                if (2 * pair + 1 < elements) {
                    a.vpandd(ODD, columns[pair], UPPER_HALF);
                    multiply(ODD, 2 * pair + 1);
                }
            }
        } else {
            for (int k = 0; k < elements; k++) {
                multiply(columns[k], k);
            }
        }
    }

    private void multiply(Vec column, int k) {
        for (int token = 0; token < shape.tokens; token++) {
            a.vfmadd231ps(
                    sum(token), column, token(TOKEN, token, Float.BYTES * k).broadcast());
        }
    }
}
