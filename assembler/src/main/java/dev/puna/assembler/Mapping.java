package dev.puna.assembler;

/** What came of an attempt to make code executable: memory with the code in it, or the reason why not. */
public sealed interface Mapping permits ExecutableMemory, Refusal {}
