package dev.puna.assembler;

/**
 * A destination under an AVX-512 write mask.
 *
 * @param target the vector register, mask register or memory that is written
 * @param mask which lanes are written; never {@link Mask#K0}
 * @param zeroing whether the other lanes become zero instead of keeping their value
 */
public record Masked(Operand target, Mask mask, boolean zeroing) implements Operand {
    public Masked {
        if (mask == Mask.K0) {
            throw new IllegalArgumentException("k0 cannot be a write mask of " + target);
        }
    }

    @Override
    public String toString() {
        return target + "{" + mask + "}" + (zeroing ? "{z}" : "");
    }
}
