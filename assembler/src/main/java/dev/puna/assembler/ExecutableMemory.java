package dev.puna.assembler;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Memory that holds machine code: mapped writable, filled, then made executable and no longer writable; never both at
 * once. It lives as long as the arena that owns it. Handles of it refuse to be called afterwards.
 */
public final class ExecutableMemory implements Mapping {
    /** Where functions begin: a cache line. */
    private static final int ENTRY_ALIGNMENT = 64;

    private final MemorySegment memory;
    private final Map<Code, Long> entries;

    private ExecutableMemory(MemorySegment memory, Map<Code, Long> entries) {
        this.memory = memory;
        this.entries = entries;
    }

    /** As {@link #map(Arena, List)}. */
    public static Mapping map(Arena owner, Code... codes) {
        return map(owner, List.of(codes));
    }

    /**
     * Makes these codes callable for as long as {@code owner} lives.
     *
     * @return the memory, or a {@link Refusal}: another operating system or processor, native access denied to this
     *     module, or a system that forbids executable memory
     */
    public static Mapping map(Arena owner, List<Code> codes) {
        SystemCalls calls;
        try {
            calls = SystemCalls.bind();
        } catch (SystemCallException e) {
            return new Refusal(e.reason());
        }
        return map(calls, owner, codes);
    }

    private static Mapping map(SystemCalls calls, Arena owner, List<Code> codes) {
        Map<Code, Long> entries = new LinkedHashMap<>();
        long size = 0;
        for (Code code : codes) {
            entries.put(code, size);
            size += (code.length() + ENTRY_ALIGNMENT - 1) & -ENTRY_ALIGNMENT;
        }
        MemorySegment memory;
        try {
            memory = calls.mapWritable(Math.max(size, 1), owner);
        } catch (SystemCallException e) {
            return new Refusal("no memory for machine code: " + e.reason());
        }
        // Gaps trap instead of sliding into the next function.
        memory.fill((byte) 0xCC);
        for (Map.Entry<Code, Long> entry : entries.entrySet()) {
            byte[] bytes = entry.getKey().bytes();
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, entry.getValue(), bytes.length);
        }
        try {
            calls.makeExecutable(memory);
        } catch (SystemCallException e) {
            return new Refusal("the system forbids executable memory: " + e.reason());
        }
        return new ExecutableMemory(memory.asReadOnly(), entries);
    }

    /**
     * The address of a function of this memory, of the function's length.
     *
     * @throws IllegalArgumentException if the code was not mapped here
     */
    public MemorySegment entry(Code code) {
        Long offset = entries.get(code);
        if (offset == null) {
            throw new IllegalArgumentException("this code is not in this memory");
        }
        return memory.asSlice(offset, code.length());
    }

    /**
     * A function of this memory as a method handle in the System V calling convention: integer and pointer arguments in
     * rdi, rsi, rdx, rcx, r8, r9, then on the stack; floating-point ones in xmm0 to xmm7; results in rax or xmm0; rbx,
     * rbp, rsp and r12 to r15 are preserved by the callee.
     *
     * @param options {@link Linker.Option#critical} for calls well under a millisecond
     */
    @SuppressWarnings("restricted")
    public MethodHandle function(Code code, FunctionDescriptor type, Linker.Option... options) {
        return Linker.nativeLinker().downcallHandle(entry(code), type, options);
    }
}
