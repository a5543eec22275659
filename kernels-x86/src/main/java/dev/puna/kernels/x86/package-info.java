/** CPU kernels in machine code that is assembled at start-up for the processor at hand. */
package dev.puna.kernels.x86;
