package dev.puna.assembler;

import java.util.Locale;

/** The sixteen general-purpose registers, their low 32 bits. */
@SuppressWarnings("EnumOrdinal") // the order is the encoding
public enum Gp32 implements Gp {
    EAX,
    ECX,
    EDX,
    EBX,
    ESP,
    EBP,
    ESI,
    EDI,
    R8D,
    R9D,
    R10D,
    R11D,
    R12D,
    R13D,
    R14D,
    R15D;

    private static final Gp32[] ALL = values();

    static Gp32 of(int number) {
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
