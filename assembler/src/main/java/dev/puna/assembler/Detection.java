package dev.puna.assembler;

/** What came of asking the processor about itself: its answers, or the reason why it could not be asked. */
public sealed interface Detection permits Processor, Refusal {}
