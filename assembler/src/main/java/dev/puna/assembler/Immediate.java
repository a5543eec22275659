package dev.puna.assembler;

/**
 * A constant inside an instruction.
 *
 * @param value its value; an unsigned 32-bit constant may be given as either of its readings
 */
public record Immediate(long value) implements Operand {
    @Override
    public String toString() {
        return Long.toString(value);
    }
}
