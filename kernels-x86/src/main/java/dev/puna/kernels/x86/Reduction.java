package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Vec;

/** Combines the lanes of a register, in the order of a tree that is the same everywhere. */
final class Reduction {
    interface Combine {
        void emit(Assembler a, Vec to, Vec left, Vec right);
    }

    private Reduction() {}

    /** The 16 or 8 lanes of {@code v} into its lowest; {@code temporary} is overwritten. */
    static void emit(Assembler a, Vec v, Vec temporary, Combine combine) {
        if (v.bytes() == 64) {
            a.vextracti64x4(temporary.ymm(), v, 1);
            combine.emit(a, v.ymm(), v.ymm(), temporary.ymm());
        }
        if (v.number() < 16 && temporary.number() < 16) {
            a.vextracti128(temporary.xmm(), v.ymm(), 1);
        } else {
            a.vextracti32x4(temporary.xmm(), v.ymm(), 1);
        }
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b1110);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
        a.vpshufd(temporary.xmm(), v.xmm(), 0b01);
        combine.emit(a, v.xmm(), v.xmm(), temporary.xmm());
    }
}
