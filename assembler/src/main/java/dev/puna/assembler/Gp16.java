package dev.puna.assembler;

import java.util.Locale;

/** The sixteen general-purpose registers, their low 16 bits. */
@SuppressWarnings("EnumOrdinal") // the order is the encoding
public enum Gp16 implements Gp {
    AX,
    CX,
    DX,
    BX,
    SP,
    BP,
    SI,
    DI,
    R8W,
    R9W,
    R10W,
    R11W,
    R12W,
    R13W,
    R14W,
    R15W;

    private static final Gp16[] ALL = values();

    static Gp16 of(int number) {
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
