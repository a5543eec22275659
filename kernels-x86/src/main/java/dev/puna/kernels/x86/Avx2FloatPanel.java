package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R8;
import static dev.puna.assembler.Gp64.R9;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RCX;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.kernels.x86.Leaf.argument;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import dev.puna.tensor.DType;

/**
 * Packs eight lanes of a factor of a product as fp32 for {@link Avx2FloatTile}: a line of 32 bytes for every element of
 * k, zeros in lanes that do not exist. What {@link OperandPanel} is for 512 bits.
 */
final class Avx2FloatPanel {
    static final int LANES = 8;
    static final int LINE = LANES * Float.BYTES;

    static final int SOURCE = 0;
    /** Bytes from one row of the source's memory to the next. */
    static final int STRIDE = 1;
    /** Elements of k. */
    static final int COUNT = 2;

    static final int OUT = 3;

    /**
     * What the code depends on.
     *
     * @param dtype of the source: F32, F16 or BF16
     * @param alongK whether consecutive elements of the source's memory are consecutive in k, else in lanes
     * @param lanes how many there are, 1 to 8
     */
    record Shape(DType dtype, boolean alongK, int lanes) {
        int elementBytes() {
            return dtype.bytesPerBlock();
        }
    }

    /** What is asked of memory ahead of a row. */
    private static final int AHEAD = 1024;

    private static final Gp64 FROM = RSI;
    private static final Gp64 ROW = RAX;
    private static final Gp64 ROW_BYTES = RCX;
    private static final Gp64 TO = RDX;
    private static final Gp64 LEFT = R8;
    private static final Gp64 ZERO = R9;
    private static final Vec LINE_OF_ZEROS = ymm(15);

    private final Assembler a;
    private final Shape shape;

    private Avx2FloatPanel(Assembler a, Shape shape) {
        this.a = a;
        this.shape = shape;
    }

    static Code code(Shape shape) {
        return Leaf.of(a -> new Avx2FloatPanel(a, shape).emit());
    }

    private void emit() {
        a.mov(FROM, argument(SOURCE));
        a.mov(ROW_BYTES, argument(STRIDE));
        a.mov(TO, argument(OUT));
        a.mov(LEFT, argument(COUNT));
        a.xor(ZERO, ZERO);
        a.vxorps(LINE_OF_ZEROS, LINE_OF_ZEROS, LINE_OF_ZEROS);
        if (shape.alongK) {
            squares();
        }
        Label line = a.label("line");
        Label done = a.label("done");
        a.test(LEFT, LEFT);
        a.je(done);
        a.align(16);
        a.bind(line);
        if (!shape.alongK && shape.lanes == LANES) {
            new Lanes(LINE, 0, false).load(a, shape.dtype, ymm(0), FROM, ZERO);
            a.vmovups(Memory.at(TO), ymm(0));
        } else {
            elements();
        }
        if (shape.alongK) {
            a.add(FROM, shape.elementBytes());
        } else {
            a.add(FROM, ROW_BYTES);
        }
        a.add(TO, LINE);
        a.dec(LEFT);
        a.jne(line);
        a.bind(done);
    }

    /** Eight elements of every row at a time, transposed. */
    private void squares() {
        Label square = a.label("square");
        Label rest = a.label("rest");
        a.sub(LEFT, LANES);
        a.jl(rest);
        a.align(32);
        a.bind(square);
        a.mov(ROW, FROM);
        for (int lane = 0; lane < LANES; lane++) {
            if (lane < shape.lanes) {
                new Lanes(LINE, 0, false).load(a, shape.dtype, ymm(lane), ROW, ZERO);
                a.prefetcht0(Memory.at(ROW, AHEAD));
                a.add(ROW, ROW_BYTES);
            } else {
                a.vxorps(ymm(lane), ymm(lane), ymm(lane));
            }
        }
        Vec[] columns = Transposition.emit(a, LINE);
        for (int i = 0; i < LANES; i++) {
            a.vmovups(Memory.at(TO, LINE * i), columns[i]);
        }
        a.add(FROM, (long) LANES * shape.elementBytes());
        a.add(TO, (long) LANES * LINE);
        a.sub(LEFT, LANES);
        a.jge(square);
        a.bind(rest);
        a.add(LEFT, LANES);
    }

    /** One line, number by number. */
    private void elements() {
        a.vmovups(Memory.at(TO), LINE_OF_ZEROS);
        a.mov(ROW, FROM);
        for (int lane = 0; lane < shape.lanes; lane++) {
            new Lanes(LINE, 0, true).load(a, shape.dtype, ymm(0), ROW, ZERO);
            a.vmovss(Memory.at(TO, Float.BYTES * lane).bytes(4), ymm(0).xmm());
            if (shape.alongK) {
                a.add(ROW, ROW_BYTES);
            } else {
                a.add(ROW, shape.elementBytes());
            }
        }
    }
}
