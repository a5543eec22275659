package dev.puna.assembler;

import java.util.Locale;

/** The sixteen general-purpose registers, their low 8 bits. */
@SuppressWarnings("EnumOrdinal") // the order is the encoding
public enum Gp8 implements Gp {
    AL,
    CL,
    DL,
    BL,
    SPL,
    BPL,
    SIL,
    DIL,
    R8B,
    R9B,
    R10B,
    R11B,
    R12B,
    R13B,
    R14B,
    R15B;

    private static final Gp8[] ALL = values();

    static Gp8 of(int number) {
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
