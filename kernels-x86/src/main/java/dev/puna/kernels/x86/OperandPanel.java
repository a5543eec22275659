package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.RAX;
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
import dev.puna.tensor.DType;

/**
 * Packs sixteen rows (or columns) of a factor of a product, whatever its type and direction, into a panel of blocks of
 * 16 × 16 units of 32 bits, zeros where the matrix ends. A unit is an fp32 number, or two bf16 numbers that follow each
 * other along k.
 *
 * <pre>
 * for each block of sixteen units along k:
 *   load sixteen vectors, along k or across, widening or rounding
 *   transpose them if the wanted order is the other one
 *   store 1 KiB
 * </pre>
 *
 * In the order {@link Order#STEPS} a line of 64 bytes is one step of k in sixteen lanes: what vector instructions
 * load or broadcast, and the right operand of {@code tdpbf16ps}. In the order {@link Order#LANES} a line is one lane
 * over sixteen steps: the left operand of {@code tdpbf16ps}.
 */
final class OperandPanel {
    /** Rows or columns of a panel. */
    static final int LANES = 16;
    /** Steps of a block. */
    static final int STEPS = 16;

    static final int BLOCK_BYTES = LANES * STEPS * 4;

    static final int SOURCE = 0;
    /** Bytes from one row of the source's memory to the next. */
    static final int STRIDE = 1;
    /** Whole blocks; the rest is known to the code. */
    static final int BLOCKS = 2;

    static final int OUT = 3;

    /** What a line of 64 bytes of a block is. */
    enum Order {
        STEPS,
        LANES
    }

    /**
     * What the code depends on.
     *
     * @param dtype of the source: F32, F16 or BF16
     * @param bf16 whether units are pairs of bf16, else fp32
     * @param rounded whether fp32 units are rounded to bf16
     * @param alongK whether consecutive elements of the source's memory are consecutive in k, else in lanes
     * @param lanes how many there are, 1 to 16
     * @param tail elements of k beyond the whole blocks
     */
    record Shape(DType dtype, boolean bf16, boolean rounded, boolean alongK, Order order, int lanes, int tail) {
        Shape(DType dtype, boolean bf16, boolean alongK, Order order, int lanes, int tail) {
            this(dtype, bf16, false, alongK, order, lanes, tail);
        }

        int elementsPerBlock() {
            return STEPS * (bf16 ? 2 : 1);
        }

        int elementBytes() {
            return dtype.bytesPerBlock();
        }
    }

    private static final Gp64 FROM = RSI;
    private static final Gp64 ROW = RAX;
    private static final Gp64 ROW_BYTES = RCX;
    private static final Gp64 ROW_BYTES_3 = RDX;
    private static final Gp64 TO = R8;
    private static final Gp64 COUNT = Gp64.R9;

    /** Elements 0 to 15 of a vector, elements 16 to 31, both as 16-bit words. */
    private static final Mask FIRST = Mask.K1;

    private static final Mask SECOND = Mask.K2;
    private static final Mask WORDS = Mask.K3;
    private static final Mask NUMBERS = Mask.K4;

    private static final Vec LOW = zmm(31);
    private static final Vec HIGH = zmm(30);
    private static final Vec INTERLEAVE = zmm(29);

    private final Assembler a;
    private final Shape shape;

    private OperandPanel(Assembler a, Shape shape) {
        this.a = a;
        this.shape = shape;
    }

    static Code code(Shape shape) {
        return Leaf.of(a -> new OperandPanel(a, shape).emit());
    }

    private void emit() {
        Label block = a.label("block");
        Label rest = a.label("rest");
        a.mov(FROM, argument(SOURCE));
        a.mov(ROW_BYTES, argument(STRIDE));
        a.lea(ROW_BYTES_3, Memory.at(ROW_BYTES, ROW_BYTES, 2));
        a.mov(TO, argument(OUT));
        a.mov(COUNT, argument(BLOCKS));
        if (shape.bf16 && !shape.alongK) {
            short[] interleave = new short[32];
            for (int i = 0; i < 32; i++) {
                interleave[i] = (short) (i / 2 + i % 2 * 16);
            }
            a.vmovdqu16(INTERLEAVE, a.constant(interleave));
        }
        a.test(COUNT, COUNT);
        a.je(rest);
        masks(shape.alongK ? shape.elementsPerBlock() : shape.lanes);
        a.align(32);
        a.bind(block);
        block(shape.elementsPerBlock());
        a.dec(COUNT);
        a.jne(block);
        a.bind(rest);
        if (shape.tail > 0) {
            masks(shape.alongK ? shape.tail : shape.lanes);
            block(shape.tail);
        }
    }

    /** For vectors of which {@code count} elements exist. */
    private void masks(int count) {
        set(FIRST, count >= 16 ? 0xFFFF : (1 << count) - 1);
        set(SECOND, count >= 32 ? 0xFFFF : count > 16 ? (1 << (count - 16)) - 1 : 0);
        set(WORDS, count >= 32 ? -1 : (1 << count) - 1);
    }

    private void set(Mask mask, int bits) {
        a.mov(Gp32.EAX, bits);
        a.kmovd(mask, Gp32.EAX);
    }

    private void block(int elements) {
        a.mov(ROW, FROM);
        for (int i = 0; i < 16; i++) {
            Vec line = zmm(i);
            boolean exists = shape.alongK ? i < shape.lanes : (shape.bf16 ? 2 * i : i) < elements;
            if (!exists) {
                a.vpxord(line, line, line);
            } else if (shape.alongK && shape.bf16) {
                pairsAlong(line, row(i), elements);
            } else if (shape.bf16) {
                pairsAcross(line, i, 2 * i + 1 < elements);
            } else {
                widened(line, row(i), FIRST);
                if (shape.rounded && shape.dtype != DType.BF16) {
                    round(line);
                }
            }
        }
        if (shape.alongK) {
            a.add(FROM, (long) shape.elementsPerBlock() * shape.elementBytes());
        } else {
            a.lea(FROM, Memory.at(ROW, ROW_BYTES, 4));
        }
        boolean ordered = shape.alongK == (shape.order == Order.LANES);
        Vec[] lines = ordered ? null : Transposition.emit(a);
        for (int i = 0; i < 16; i++) {
            a.vmovups(Memory.at(TO, 64 * i), lines == null ? zmm(i) : lines[i]);
        }
        a.add(TO, BLOCK_BYTES);
    }

    /** Row {@code i} of the source; asked for in order. The pointer moves on after every fourth. */
    private Memory row(int i) {
        if (i > 0 && i % 4 == 0) {
            a.lea(ROW, Memory.at(ROW, ROW_BYTES, 4));
        }
        return switch (i % 4) {
            case 0 -> Memory.at(ROW);
            case 1 -> Memory.at(ROW, ROW_BYTES, 1);
            case 2 -> Memory.at(ROW, ROW_BYTES, 2);
            default -> Memory.at(ROW, ROW_BYTES_3, 1);
        };
    }

    /** 32 consecutive elements as sixteen pairs. */
    private void pairsAlong(Vec line, Memory row, int elements) {
        if (shape.dtype == DType.BF16) {
            a.vmovdqu16(line.maskz(WORDS), row);
            return;
        }
        widened(LOW, row, FIRST);
        if (elements > 16) {
            widened(HIGH, row.plus(16 * shape.elementBytes()), SECOND);
        } else {
            a.vpxord(HIGH, HIGH, HIGH);
        }
        a.vcvtne2ps2bf16(line, HIGH, LOW);
    }

    /** Sixteen elements of each of two rows, interleaved. */
    private void pairsAcross(Vec line, int i, boolean second) {
        if (shape.dtype == DType.BF16) {
            a.vmovdqu16(Vec.ymm(LOW.number()).maskz(FIRST), row(2 * i));
            if (second) {
                a.vmovdqu16(Vec.ymm(HIGH.number()).maskz(FIRST), row(2 * i + 1));
                a.vinserti64x4(LOW, LOW, Vec.ymm(HIGH.number()), 1);
            }
        } else {
            widened(LOW, row(2 * i), FIRST);
            if (second) {
                widened(HIGH, row(2 * i + 1), FIRST);
            } else {
                a.vpxord(HIGH, HIGH, HIGH);
            }
            a.vcvtne2ps2bf16(LOW, HIGH, LOW);
        }
        a.vpermw(line, INTERLEAVE, LOW);
    }

    /** To bf16, to nearest even; NaN stays as it is. */
    private void round(Vec v) {
        a.vcmpps(NUMBERS, v, v, 7); // ordered
        a.vpsrld(LOW, v, 16);
        a.vpandd(LOW, LOW, a.constant(1).broadcast());
        a.vpaddd(LOW, LOW, a.constant(0x7fff).broadcast());
        a.vpaddd(v.mask(NUMBERS), v, LOW);
        a.vpandd(v.mask(NUMBERS), v, a.constant(0xffff0000).broadcast());
    }

    private void widened(Vec to, Memory from, Mask mask) {
        widened(a, shape.dtype, to, from, mask);
    }

    /** Sixteen elements as fp32, those outside the mask zero and not read. */
    static void widened(Assembler a, DType dtype, Vec to, Memory from, Mask mask) {
        switch (dtype) {
            case F32 -> a.vmovups(to.maskz(mask), from);
            case F16 -> a.vcvtph2ps(to.maskz(mask), from);
            case BF16 -> {
                a.vpmovzxwd(to.maskz(mask), from);
                a.vpslld(to, to, 16);
            }
            default -> throw new IllegalArgumentException("no fp32 from " + dtype);
        }
    }
}
