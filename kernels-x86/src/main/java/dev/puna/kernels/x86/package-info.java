/**
 * CPU kernels in machine code that is assembled at start-up for the processor at hand: {@link
 * dev.puna.kernels.x86.X86KernelsProvider} for AVX-512 with AMX where there is any, {@link
 * dev.puna.kernels.x86.Avx2KernelsProvider} for processors without. Attention and what works on rows have one generator
 * for registers of 512 and of 256 bits; products have one for each, because masks, tiles and the number of registers
 * decide their form. What a tier has no code for, it hands as a whole operation to the Vector API, or to the reference.
 */
package dev.puna.kernels.x86;
