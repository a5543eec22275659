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

    private static final Tile[] ALL = values();

    /** The tile register of that number, 0 to 7. */
    public static Tile tmm(int number) {
        if (number < 0 || number >= ALL.length) {
            throw new IllegalArgumentException("tile registers are 0 to 7, not " + number);
        }
        return ALL[number];
    }

    /** Its number in the encoding. */
    public int number() {
        return ordinal();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
