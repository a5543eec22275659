package dev.puna.assembler;

/**
 * A vector register: xmm, ymm or zmm by its width. Generators that serve several widths name registers with
 * {@link #of}; numbers above 15 exist only in AVX-512.
 *
 * @param bytes 16, 32 or 64
 * @param number 0 to 31
 */
public record Vec(int bytes, int number) implements Operand {
    public Vec {
        if (bytes != 16 && bytes != 32 && bytes != 64) {
            throw new IllegalArgumentException("a vector register has 16, 32 or 64 bytes, not " + bytes);
        }
        if (number < 0 || number > 31) {
            throw new IllegalArgumentException("vector registers are 0 to 31, not " + number);
        }
    }

    /** The register of that width (in bytes) and number. */
    public static Vec of(int bytes, int number) {
        return new Vec(bytes, number);
    }

    /** 128 bits. */
    public static Vec xmm(int number) {
        return new Vec(16, number);
    }

    /** 256 bits. */
    public static Vec ymm(int number) {
        return new Vec(32, number);
    }

    /** 512 bits. */
    public static Vec zmm(int number) {
        return new Vec(64, number);
    }

    /** The low 128 bits of this register. */
    public Vec xmm() {
        return new Vec(16, number);
    }

    /** The low 256 bits of this register. */
    public Vec ymm() {
        return new Vec(32, number);
    }

    /** The whole 512-bit register of this number. */
    public Vec zmm() {
        return new Vec(64, number);
    }

    /** As a destination of which only the lanes in {@code mask} are written. */
    public Masked mask(Mask mask) {
        return new Masked(this, mask, false);
    }

    /** As a destination whose lanes outside {@code mask} become zero. */
    public Masked maskz(Mask mask) {
        return new Masked(this, mask, true);
    }

    @Override
    public String toString() {
        return (bytes == 16 ? "xmm" : bytes == 32 ? "ymm" : "zmm") + number;
    }
}
