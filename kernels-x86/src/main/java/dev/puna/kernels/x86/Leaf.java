package dev.puna.kernels.x86;

import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.R13;
import static dev.puna.assembler.Gp64.R14;
import static dev.puna.assembler.Gp64.R15;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RBX;
import static dev.puna.assembler.Gp64.RDI;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Code;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Memory;
import java.util.List;
import java.util.function.Consumer;

/**
 * The frame that every generated kernel shares: a leaf function {@code void kernel(long* arguments)} in the System V
 * calling convention, which finds its pointers and lengths in an {@link ArgumentBlock}. One signature for all keeps the
 * number of call stubs at one.
 */
final class Leaf {
    /** Holds the argument block's address during the whole kernel. */
    static final Gp64 ARGUMENTS = RDI;

    private static final List<Gp64> SAVED = List.of(RBX, RBP, R12, R13, R14, R15);

    private Leaf() {}

    /** Code of a kernel whose body is written by {@code body}; the callee-saved registers are free to use in it. */
    static Code of(Consumer<Assembler> body) {
        Assembler a = new Assembler();
        for (Gp64 register : SAVED) {
            a.push(register);
        }
        body.accept(a);
        for (Gp64 register : SAVED.reversed()) {
            a.pop(register);
        }
        a.vzeroupper();
        a.ret();
        return a.assemble();
    }

    /** {@code argument[slot] += argument[amount]}. */
    static void advance(Assembler a, int slot, int amount, Gp64 temporary) {
        a.mov(temporary, argument(amount));
        a.add(argument(slot), temporary);
    }

    /** Argument {@code slot} as a memory operand. */
    static Memory argument(int slot) {
        return Memory.at(ARGUMENTS, slot * Long.BYTES);
    }
}
