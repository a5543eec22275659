package dev.puna.kernels.x86;

import dev.puna.assembler.Code;
import dev.puna.assembler.ExecutableMemory;
import dev.puna.assembler.Refusal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Kernels that have been assembled, by what they are for; each is made when it is first needed. */
final class CodeCache {
    private final Arena owner;
    private final Map<Object, MemorySegment> entries = new ConcurrentHashMap<>();

    CodeCache(Arena owner) {
        this.owner = owner;
    }

    /** @param key a value that names the kernel */
    MemorySegment get(Object key, Supplier<Code> generator) {
        MemorySegment entry = entries.get(key);
        if (entry == null) {
            entry = entries.computeIfAbsent(key, _ -> map(generator.get()));
        }
        return entry;
    }

    private MemorySegment map(Code code) {
        return switch (ExecutableMemory.map(owner, code)) {
            case ExecutableMemory memory -> memory.entry(code);
            case Refusal refusal -> throw new IllegalStateException(refusal.reason());
        };
    }
}
