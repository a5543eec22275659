package dev.puna.assembler;

import java.util.Locale;

/** The AVX-512 mask registers. K0 cannot be a write mask: its encoding means "no mask". */
@SuppressWarnings("EnumOrdinal") // the order is the encoding
public enum Mask implements Operand {
    K0,
    K1,
    K2,
    K3,
    K4,
    K5,
    K6,
    K7;

    private static final Mask[] ALL = values();

    /** The mask register of that number, 0 to 7. */
    public static Mask k(int number) {
        if (number < 0 || number >= ALL.length) {
            throw new IllegalArgumentException("mask registers are 0 to 7, not " + number);
        }
        return ALL[number];
    }

    /** As the destination of a comparison that is itself restricted to the lanes in {@code mask}. */
    public Masked mask(Mask mask) {
        return new Masked(this, mask, false);
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
