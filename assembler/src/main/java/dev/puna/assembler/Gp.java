package dev.puna.assembler;

/** A general-purpose register at one of its widths. */
public sealed interface Gp extends Operand permits Gp64, Gp32, Gp16, Gp8 {
    /** The register's number in the encoding, 0 to 15. */
    int number();

    /** Its low 64 bits, that is all of it. */
    default Gp64 r64() {
        return Gp64.of(number());
    }

    /** Its low 32 bits; writing them clears the upper half. */
    default Gp32 r32() {
        return Gp32.of(number());
    }

    /** Its low 16 bits. */
    default Gp16 r16() {
        return Gp16.of(number());
    }

    /** Its low 8 bits. */
    default Gp8 r8() {
        return Gp8.of(number());
    }
}
