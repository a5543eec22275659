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
    /** Rows of a panel over sixteen. */
    static final int SIXTEENS = 3;
    /** One register per panel that its lanes are divided by. */
    static final int TOTALS = 4;

    private AttentionRows() {}

    /** Panels (rows of sixteen lanes) to rows: {@code to[lane][row] = from[row][lane] / total[lane]}. */
    static Code turned(boolean divided) {
        return Leaf.of(a -> {
            Label panel = a.label("panel");
            Label sixteen = a.label("sixteen");
            Vec inverse = zmm(31);
            a.mov(RSI, argument(FROM));
            a.mov(RDX, argument(TO));
            a.mov(RCX, argument(PANELS));
            a.mov(R8, argument(SIXTEENS));
            a.shl(R8, 6); // bytes of a row that is made
            if (divided) {
                a.mov(RBX, argument(TOTALS));
            }
            a.bind(panel);
            if (divided) {
                a.vbroadcastss(inverse, a.constant(1f));
                a.vdivps(inverse, inverse, Memory.at(RBX));
                a.add(RBX, 64);
            }
            a.mov(R9, argument(SIXTEENS));
            a.bind(sixteen);
            for (int i = 0; i < 16; i++) {
                if (divided) {
                    a.vmulps(zmm(i), inverse, Memory.at(RSI, 64 * i));
                } else {
                    a.vmovups(zmm(i), Memory.at(RSI, 64 * i));
                }
            }
            Vec[] lanes = Transposition.emit(a);
            a.mov(RAX, RDX);
            for (int i = 0; i < 16; i++) {
                a.vmovups(Memory.at(RAX), lanes[i]);
                a.add(RAX, R8);
            }
            a.add(RSI, 1024);
            a.add(RDX, 64);
            a.dec(R9);
            a.jne(sixteen);
            a.comment("fifteen rows were skipped over, the sixteenth is behind");
            a.mov(RAX, R8);
            a.shl(RAX, 4);
            a.add(RDX, RAX);
            a.sub(RDX, R8);
            a.dec(RCX);
            a.jne(panel);
        });
    }

    /** Arguments of {@link #dots}, besides {@link #TO}: rows of {@link #SIXTEENS} registers each. */
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
            a.mov(R8, argument(SIXTEENS));
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
