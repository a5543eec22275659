package dev.puna.assembler;

/** What an instruction works on: a register, memory, an immediate, or one of the first two under a write mask. */
public sealed interface Operand permits Gp, Vec, Mask, Tile, Memory, Masked, Immediate {}
