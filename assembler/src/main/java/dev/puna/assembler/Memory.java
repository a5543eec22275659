package dev.puna.assembler;

import org.jspecify.annotations.Nullable;

/**
 * A memory operand: {@code [base + index·scale + displacement]}, or relative to a label of the same code.
 *
 * @param base base register or none
 * @param index a {@link Gp64} other than rsp, for gathers a {@link Vec}, or none
 * @param scale 1, 2, 4 or 8
 * @param displacement bytes added to the address
 * @param label the place that the address is relative to (RIP-relative), instead of registers
 * @param bytes how many bytes are accessed, 0 to let the instruction decide; needed only where it cannot
 * @param lanes 0 for plain memory, -1 for one element broadcast to all lanes, or the number of lanes where the other
 *     operands do not determine it
 */
public record Memory(
        @Nullable Gp64 base,
        @Nullable Operand index,
        int scale,
        int displacement,
        @Nullable Label label,
        int bytes,
        int lanes)
        implements Operand {
    public Memory {
        if (index != null && !(index instanceof Gp64) && !(index instanceof Vec)) {
            throw new IllegalArgumentException("an index is a 64-bit or a vector register, not " + index);
        }
        if (index == Gp64.RSP) {
            throw new IllegalArgumentException("rsp cannot be an index");
        }
        if (scale != 1 && scale != 2 && scale != 4 && scale != 8) {
            throw new IllegalArgumentException("scale is 1, 2, 4 or 8, not " + scale);
        }
        if (label != null && (base != null || index != null)) {
            throw new IllegalArgumentException("memory at label " + label + " takes no registers");
        }
    }

    /** {@code [base]}. */
    public static Memory at(Gp64 base) {
        return at(base, 0);
    }

    /** {@code [base + displacement]}. */
    public static Memory at(Gp64 base, int displacement) {
        return new Memory(base, null, 1, displacement, null, 0, 0);
    }

    /** {@code [base + index·scale]}. */
    public static Memory at(Gp64 base, Operand index, int scale) {
        return at(base, index, scale, 0);
    }

    /** {@code [base + index·scale + displacement]}; the index is a {@link Gp64}, or a {@link Vec} for a gather. */
    public static Memory at(Gp64 base, Operand index, int scale, int displacement) {
        return new Memory(base, index, scale, displacement, null, 0, 0);
    }

    /** {@code [index·scale + displacement]}. */
    public static Memory indexed(Operand index, int scale, int displacement) {
        return new Memory(null, index, scale, displacement, null, 0, 0);
    }

    /** The bytes at a label of the same code. */
    public static Memory at(Label label) {
        return at(label, 0);
    }

    /** The bytes at a label of the same code plus {@code displacement}. */
    public static Memory at(Label label, int displacement) {
        return new Memory(null, null, 1, displacement, label, 0, 0);
    }

    /** The same operand, {@code more} bytes further. */
    public Memory plus(int more) {
        return new Memory(base, index, scale, Math.addExact(displacement, more), label, bytes, lanes);
    }

    /** Says how many bytes are accessed, where the other operands do not: 1, 2, 4, 8, 16, 32 or 64. */
    public Memory bytes(int count) {
        return new Memory(base, index, scale, displacement, label, count, lanes);
    }

    /** One element, broadcast to all lanes by the instruction itself. */
    public Memory broadcast() {
        return new Memory(base, index, scale, displacement, label, bytes, -1);
    }

    /** One element, broadcast to that many lanes. */
    public Memory broadcast(int laneCount) {
        return new Memory(base, index, scale, displacement, label, bytes, laneCount);
    }

    /** As a destination of which only the lanes in {@code mask} are written; the others are not touched, nor faulted. */
    public Masked mask(Mask mask) {
        return new Masked(this, mask, false);
    }

    /** As Intel syntax writes it, without the size. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("[");
        if (label != null) {
            text.append("rip+").append(label);
        }
        if (base != null) {
            text.append(base);
        }
        if (index != null) {
            text.append(base == null ? "" : "+").append(index).append('*').append(scale);
        }
        if (base == null && index == null && label == null) {
            text.append(displacement);
        } else if (displacement != 0) {
            text.append(displacement > 0 ? "+" : "").append(displacement);
        }
        return text.append(']').toString();
    }
}
