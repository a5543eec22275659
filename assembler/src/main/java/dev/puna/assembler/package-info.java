/**
 * An encoder of x86-64 instructions, and memory to execute them in. It knows nothing of LLaMA.
 *
 * <p>{@link dev.puna.assembler.Assembler} has a method per instruction and makes {@link dev.puna.assembler.Code} of them:
 * bytes, the processor features that they need, and a listing. What can be encoded stands in one table, {@code
 * instructions.txt}, a line per form in the notation of Intel's manual; the encoder knows only the four layouts of
 * prefixes. {@link dev.puna.assembler.ExecutableMemory} makes code callable as method handles, never writable and
 * executable at once; {@link dev.puna.assembler.Processor} says what runs here; {@link dev.puna.assembler.MeasuredPeaks}
 * how fast at most. Whatever the machine refuses comes back as a {@link dev.puna.assembler.Refusal}, a value with its
 * reason.
 *
 * <p>The invariant: operands that an instruction cannot take are an exception when it is added, and every byte sequence
 * that is produced equals what GNU as makes of the listing's text.
 *
 * <ol>
 *   <li>Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: instruction set reference; chapter 2:
 *       VEX and EVEX prefixes, compressed displacements.
 *   <li>System V Application Binary Interface, AMD64 supplement: calling sequence.
 * </ol>
 */
package dev.puna.assembler;
