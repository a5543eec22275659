/** An encoder of x86-64 instructions: mnemonics and operands in, bytes out. It knows nothing of LLaMA. */
package dev.puna.assembler;
