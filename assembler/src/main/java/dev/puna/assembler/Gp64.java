package dev.puna.assembler;

import java.util.Locale;

/** The sixteen general-purpose registers, 64 bits. */
@SuppressWarnings("EnumOrdinal") // the order is the encoding
public enum Gp64 implements Gp {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15;

    private static final Gp64[] ALL = values();

    static Gp64 of(int number) {
        return ALL[number];
    }

    @Override
    public int number() {
        return ordinal();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
