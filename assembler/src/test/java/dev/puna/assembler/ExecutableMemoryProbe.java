package dev.puna.assembler;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;

/** What a test cannot do in its own process, because it must crash or runs under other flags. */
final class ExecutableMemoryProbe {
    private ExecutableMemoryProbe() {}

    /** {@code call} calls a function, {@code write} writes into it first. */
    @SuppressWarnings("restricted")
    static void main(String[] args) throws Throwable {
        Assembler a = new Assembler();
        a.mov(Gp32.EAX, 42);
        a.ret();
        Code code = a.assemble();
        try (Arena arena = Arena.ofConfined()) {
            switch (ExecutableMemory.map(arena, code)) {
                case Refusal(String reason) -> System.out.println("refused: " + reason);
                case ExecutableMemory memory -> {
                    MemorySegment entry = memory.entry(code);
                    if (args[0].equals("write")) {
                        MemorySegment.ofAddress(entry.address())
                                .reinterpret(entry.byteSize())
                                .set(JAVA_BYTE, 0, (byte) 0x90);
                    }
                    int answer = (int) memory.function(code, FunctionDescriptor.of(JAVA_INT))
                            .invokeExact();
                    System.out.println("answer " + answer);
                }
            }
        }
        System.out.println("tiles: " + (Processor.detect() instanceof Processor p ? p.requestTiles() : "no processor"));
    }
}
