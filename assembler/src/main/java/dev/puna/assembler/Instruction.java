package dev.puna.assembler;

import org.jspecify.annotations.Nullable;

/**
 * An encoded instruction.
 *
 * @param form its form
 * @param operands its operands
 * @param bytes its bytes
 * @param fixup where in the bytes a 32-bit distance to {@code label} is to be filled in, or -1
 * @param addend what is added to that distance
 * @param label the place that a RIP-relative operand names
 */
record Instruction(
        Form form,
        Operand[] operands,
        byte[] bytes,
        int fixup,
        int addend,
        @Nullable Label label) {
    String text() {
        return form.text(operands);
    }
}
