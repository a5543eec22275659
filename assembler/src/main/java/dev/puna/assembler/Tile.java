package dev.puna.assembler;

import java.util.Locale;

/** The AMX tile registers: up to 16 rows of 64 bytes, as {@code ldtilecfg} last set them. */
@SuppressWarnings("EnumOrdinal") // the order is the encoding
public enum Tile implements Operand {
    TMM0,
    TMM1,
    TMM2,
    TMM3,
    TMM4,
    TMM5,
    TMM6,
    TMM7;

    /** Its number in the encoding. */
    public int number() {
        return ordinal();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
