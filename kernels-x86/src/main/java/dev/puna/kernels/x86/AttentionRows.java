package dev.puna.kernels.x86;

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
import dev.puna.assembler.Label;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/** What happens before and after attention's blocks: rows of queries and panels of queries in lanes. */
final class AttentionRows {
    static final int FROM = 0;
    static final int TO = 1;
    static final int PANELS = 2;
    /** Elements of a row over the lanes of a register. */
    static final int SQUARES = 3;
    /** One register per panel that its lanes are divided by. */
    static final int TOTALS = 4;
    /** Bytes from row to row; {@link #columns256} only. */
    static final int ROW_BYTES = 5;

    private AttentionRows() {}

    /** Panels (rows of as many lanes as a register has) to rows: {@code to[lane][row] = from[row][lane] / total[lane]}. */
    static Code turned(int bytes, boolean divided) {
        int lanes = bytes / Float.BYTES;
        return Leaf.of(a -> {
            Label panel = a.label("panel");
            Label square = a.label("square");
            Vec inverse = Vec.of(bytes, 2 * lanes - 1);
            a.mov(RSI, argument(FROM));
            a.mov(RDX, argument(TO));
            a.mov(RCX, argument(PANELS));
            a.mov(R8, argument(SQUARES));
            a.shl(R8, Integer.numberOfTrailingZeros(bytes)); // bytes of a row that is made
            if (divided) {
                a.mov(RBX, argument(TOTALS));
            }
            a.bind(panel);
            if (divided) {
                a.vbroadcastss(inverse, a.constant(1f));
                a.vdivps(inverse, inverse, Memory.at(RBX));
                a.add(RBX, bytes);
            }
            a.mov(R9, argument(SQUARES));
            a.bind(square);
            for (int i = 0; i < lanes; i++) {
                if (divided) {
                    a.vmulps(Vec.of(bytes, i), inverse, Memory.at(RSI, bytes * i));
                } else {
                    a.vmovups(Vec.of(bytes, i), Memory.at(RSI, bytes * i));
                }
            }
            Vec[] columns = Transposition.emit(a, bytes);
            a.mov(RAX, RDX);
            for (int i = 0; i < lanes; i++) {
                a.vmovups(Memory.at(RAX), columns[i]);
                a.add(RAX, R8);
            }
            a.add(RSI, (long) bytes * lanes);
            a.add(RDX, bytes);
            a.dec(R9);
            a.jne(square);
            a.comment("all rows but the last were skipped over, that one is behind");
            a.mov(RAX, R8);
            a.shl(RAX, Integer.numberOfTrailingZeros(lanes));
            a.add(RDX, RAX);
            a.sub(RDX, R8);
            a.dec(RCX);
            a.jne(panel);
        });
    }

    /** The way back on 256 bits, rows to panels: {@code to[element][lane] = from[lane][element]}. */
    static Code columns256() {
        int bytes = 32;
        int lanes = bytes / Float.BYTES;
        return Leaf.of(a -> {
            Label panel = a.label("panel");
            Label square = a.label("square");
            a.mov(RSI, argument(FROM));
            a.mov(RDX, argument(TO));
            a.mov(RCX, argument(PANELS));
            a.mov(R8, argument(ROW_BYTES));
            a.bind(panel);
            a.mov(RBX, RSI);
            a.mov(R9, argument(SQUARES));
            a.bind(square);
            a.mov(RAX, RBX);
            for (int i = 0; i < lanes; i++) {
                a.vmovups(Vec.of(bytes, i), Memory.at(RAX));
                a.add(RAX, R8);
            }
            Vec[] columns = Transposition.emit(a, bytes);
            for (int i = 0; i < lanes; i++) {
                a.vmovups(Memory.at(RDX, bytes * i), columns[i]);
            }
            a.add(RBX, bytes);
            a.add(RDX, (long) bytes * lanes);
            a.dec(R9);
            a.jne(square);
            a.lea(RSI, Memory.at(RSI, R8, lanes));
            a.dec(RCX);
            a.jne(panel);
        });
    }

    /** Arguments of {@link #dots}, besides {@link #TO}: rows of {@link #SQUARES} registers each. */
    static final int LEFT = 0;

    static final int RIGHT = 2;
    static final int COUNT = 4;

    /** {@code to[row] = Σ left[row] · right[row]}. */
    static Code dots() {
        return Leaf.of(a -> {
            Label row = a.label("row");
            Label sixteen = a.label("sixteen");
            a.mov(RSI, argument(LEFT));
            a.mov(RBX, argument(RIGHT));
            a.mov(RDX, argument(TO));
            a.mov(RCX, argument(COUNT));
            a.bind(row);
            a.vpxord(zmm(0), zmm(0), zmm(0));
            a.mov(R8, argument(SQUARES));
            a.bind(sixteen);
            a.vmovups(zmm(1), Memory.at(RSI));
            a.vfmadd231ps(zmm(0), zmm(1), Memory.at(RBX));
            a.add(RSI, 64);
            a.add(RBX, 64);
            a.dec(R8);
            a.jne(sixteen);
            Reduction.emit(a, zmm(0), zmm(1), Assembler::vaddps);
            a.vmovss(Memory.at(RDX), zmm(0).xmm());
            a.add(RDX, 4);
            a.dec(RCX);
            a.jne(row);
        });
    }

    /** {@code left = left − bf16(left)}, {@link #COUNT} registers: what the first of two terms leaves. */
    static Code remainders() {
        return Leaf.of(a -> {
            Label loop = a.label("loop");
            a.mov(RSI, argument(LEFT));
            a.mov(RCX, argument(COUNT));
            a.bind(loop);
            a.vmovups(zmm(0), Memory.at(RSI));
            a.vcvtneps2bf16(zmm(1).ymm(), zmm(0));
            a.vpmovzxwd(zmm(1), zmm(1).ymm());
            a.vpslld(zmm(1), zmm(1), 16);
            a.vsubps(zmm(0), zmm(0), zmm(1));
            a.vmovups(Memory.at(RSI), zmm(0));
            a.add(RSI, 64);
            a.dec(RCX);
            a.jne(loop);
        });
    }
}
