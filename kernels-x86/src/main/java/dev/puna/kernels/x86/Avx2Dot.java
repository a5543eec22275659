package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/** Dot products of four bytes per 32-bit lane on 256-bit registers, with and without an instruction for it. */
enum Avx2Dot {
    /** {@code vpmaddubsw} to 16 bits, {@code vpmaddwd} with ones to 32. */
    MULTIPLY_ADD,
    /** {@code vpdpbusd}. */
    VNNI;

    private static final short[] ONES = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    /** Ones in all sixteen words. */
    static Memory ones(Assembler a) {
        return a.constant(ONES);
    }

    /** {@code to = Σ w · x}, lane by lane; {@code w} is lost. */
    void emit(Assembler a, boolean signed, Vec to, Vec w, Vec x) {
        switch (this) {
            case VNNI -> {
                a.vpxor(to, to, to);
                a.vexVpdpbusd(to, w, x);
            }
            case MULTIPLY_ADD -> {
                if (signed) {
                    a.comment("|w| · (x with the sign of w)");
                    a.vpsignb(to, x, w);
                    a.vpabsb(w, w);
                    a.vpmaddubsw(to, w, to);
                } else {
                    a.vpmaddubsw(to, w, x);
                }
                a.vpmaddwd(to, to, ones(a));
            }
        }
    }
}
